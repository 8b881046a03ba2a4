#include "fs/service/load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/service/start_points.h"
#include "fs/sets/folder_files.h"
#include "fs/sets/gather.h"
#include "fs/sets/git_files.h"
#include "fs/sets/list_folder.h"
#include "fs/sets/set.h"
#include "fs/sets/sets.h"
#include "gitcache/base/source_list.h"
#include "gitcache/base/url.h"

#define SHOWN_LENGTH 512

/* A source's place in the list, as the folder that a service finds it in. */
struct load_place {
    char folder[24];
    size_t index;
};

const char *load_folder(const struct load_origin *origin)
{
    for (size_t i = 0; i < origin->count; i++)
        if (folder_files_is_plain(origin->operands[i]) &&
            !list_folder_is(origin->operands[i], false))
            return origin->operands[i];
    return NULL;
}

/* A word that could be a set's name, but is none, would else mean a repository in this folder. */
static int check_operand(const struct load_origin *origin, const char *operand, struct error *e)
{
    if (access(operand, F_OK) == 0 || !set_name_is_valid(operand, NULL) ||
        set_exists(origin->settings->sets, operand))
        return 0;
    return error_set(e, ENOENT, "no set, list or folder '%s': 'startpointfs ls' lists the sets",
                     operand);
}

static int read_lists(struct source_list *sources, const struct load_origin *origin,
                      struct error *e)
{
    int r = 0;

    for (size_t i = 0; i < origin->count && r == 0; i++)
        r = check_operand(origin, origin->operands[i], e);
    for (size_t i = 0; i < origin->count && r == 0; i++)
        r = sets_add_sources(sources, origin->settings->sets, origin->operands[i], e);
    return r == 0 ? source_list_check(sources, e) : r;
}

int load_check(const struct load_origin *origin, struct error *e)
{
    const char *folder = load_folder(origin);
    struct source_list sources = {0};

    if (folder)
        return origin->count == 1
                   ? 0
                   : error_set(e, EINVAL, "%s is a folder of start-points: serve it alone", folder);
    int r = origin->count == 0 ? 0 : read_lists(&sources, origin, e);
    source_list_release(&sources);
    return r;
}

static int add_folder(struct start_points *start_points, const char *folder, struct error *e)
{
    struct folder_files *files;
    int r = folder_files_new(&files, folder, e);

    if (r < 0)
        return r;
    struct start_point_files callbacks = folder_files_callbacks(files);
    r = start_points_add(start_points, folder, &callbacks, folder_files_error(files), e);
    folder_files_free(files);
    return r;
}

static int add_item(struct start_points *start_points, const struct gather_item *item,
                    struct error *e)
{
    char shown[SHOWN_LENGTH];

    url_display(item->source->text, shown, sizeof shown);
    if (item->status < 0)
        return error_set(e, -item->status, "%s: %s", shown, item->error.text);
    struct git_files *files = git_files_new(item->repository, &item->version);
    if (!files)
        return error_no_memory(e);
    struct start_point_files callbacks = git_files_callbacks(files);
    int r = start_points_add(start_points, shown, &callbacks, git_files_error(files), e);
    git_files_free(files);
    return r;
}

static int by_folder(const void *a, const void *b)
{
    return strcmp(((const struct load_place *)a)->folder, ((const struct load_place *)b)->folder);
}

/* The services find `10` before `2`. */
static struct load_place *make_places(size_t count)
{
    struct load_place *places = calloc(count + 1, sizeof *places);

    for (size_t i = 0; places && i < count; i++) {
        places[i].index = i;
        snprintf(places[i].folder, sizeof places[i].folder, "%zu", i);
    }
    if (places)
        qsort(places, count, sizeof *places, by_folder);
    return places;
}

static int add_items(struct start_points *start_points, const struct gather *gather,
                     struct load_notes *notes, struct error *e)
{
    struct load_place *places = make_places(gather->count);
    int r = places ? 0 : error_no_memory(e);

    for (size_t i = 0; i < gather->count && r == 0; i++) {
        const struct gather_item *item = &gather->items[places[i].index];
        r = add_item(start_points, item, e);
        notes->has_branches = notes->has_branches || item->version.kind == VERSION_BRANCH;
    }
    free(places);
    return r;
}

static int add_sources(struct start_points *start_points, const struct load_origin *origin,
                       struct load_notes *notes, bool newest, struct error *e)
{
    struct gather_options options = {.newest = newest};
    struct source_list sources = {0};
    struct gather gather = {0};
    int r = read_lists(&sources, origin, e);

    if (r == 0) {
        r = gather_run(&gather, origin->settings, &sources, &options, e);
        if (r == 0)
            r = add_items(start_points, &gather, notes, e);
        gather_release(&gather);
    }
    source_list_release(&sources);
    return r;
}

int load_run(struct catalogue **out, struct load_notes *notes, const struct load_origin *origin,
             bool newest, struct error *e)
{
    const char *folder = load_folder(origin);
    struct start_points start_points = {0};
    int r;

    *notes = (struct load_notes){0};
    if (folder)
        r = add_folder(&start_points, folder, e);
    else
        r = add_sources(&start_points, origin, notes, newest, e);
    if (r == 0)
        r = catalogue_new(out, start_points.items, start_points.count, e);
    start_points_release(&start_points);
    return r;
}
