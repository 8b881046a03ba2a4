#include "fs/sets/sets.h"
#include "fs/sets/set.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/sets/list_folder.h"
#include "gitcache/store/gc.h"

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void sets_names_free(char **names)
{
    for (size_t i = 0; names && names[i]; i++)
        free(names[i]);
    free(names);
}

/* Takes the name over; the array always ends with NULL. */
static int add_name(char ***names, size_t *count, char *name)
{
    char **more = realloc(*names, (*count + 2) * sizeof *more);

    if (!more) {
        free(name);
        return -ENOMEM;
    }
    *names = more;
    more[(*count)++] = name;
    more[*count] = NULL;
    return 0;
}

int sets_names(const char *folder, char ***out, struct error *e)
{
    char **names = calloc(1, sizeof *names);
    DIR *dir = opendir(folder);
    struct dirent *entry;
    size_t count = 0;
    int r = names ? 0 : error_no_memory(e);

    if (r == 0 && !dir && errno != ENOENT)
        r = error_set(e, errno, "cannot read the sets folder %s: %s", folder, strerror(errno));
    while (r == 0 && dir && (entry = readdir(dir))) {
        char *name = strdup(entry->d_name);
        for (char *c = name; c && *c; c++)
            if (*c == '%')
                *c = '/';
        if (!name)
            r = error_no_memory(e);
        else if (!set_name_is_valid(name, NULL))
            free(name);
        else if (add_name(&names, &count, name) < 0)
            r = error_no_memory(e);
    }
    if (dir)
        closedir(dir);
    if (r < 0) {
        while (count > 0)
            free(names[--count]);
        free(names);
        return r;
    }
    qsort(names, count, sizeof *names, compare_strings);
    *out = names;
    return 0;
}

static bool is_within(const char *inner, const char *outer)
{
    size_t length = strlen(outer);

    return strncmp(inner, outer, length) == 0 && inner[length] == '/';
}

const char *sets_in_the_way(char *const *names, const char *name)
{
    for (; *names; names++)
        if (is_within(name, *names) || is_within(*names, name))
            return *names;
    return NULL;
}

int sets_add_sources(struct source_list *sources, const char *folder, const char *operand,
                     struct error *e)
{
    if (access(operand, F_OK) == 0 || !set_name_is_valid(operand, NULL))
        return list_folder_add(sources, operand, e);
    char *path = set_path(folder, operand);
    if (!path)
        return error_no_memory(e);
    int r = access(path, F_OK) == 0 ? source_list_add(sources, path, e)
                                    : list_folder_add(sources, operand, e);
    free(path);
    return r;
}

static int keep_set(struct gc *gc, const struct set *set, struct error *e)
{
    int r = 0;

    for (size_t i = 0; i < set->sources.count && r == 0; i++) {
        const struct source *source = &set->sources.items[i];
        r = gc_keep(gc, source->url, source->version,
                    source->kind == SOURCE_COMMIT ? source->version : source->commit, e);
    }
    return r;
}

int sets_keep(struct gc *gc, const char *folder, struct error *e)
{
    struct set set;
    char **names;
    int r = sets_names(folder, &names, e);

    if (r < 0)
        return r;
    for (size_t i = 0; names[i] && r == 0; i++) {
        r = set_load(&set, folder, names[i], e);
        if (r == 0) {
            r = keep_set(gc, &set, e);
            set_release(&set);
        }
    }
    sets_names_free(names);
    return r;
}
