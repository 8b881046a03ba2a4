#include "fs/sets/set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/sets/list_folder.h"
#include "fs/sets/set_file.h"
#include "fs/sets/sets.h"
#include "manifest/nearest.h"

#define NAME_MOST 200

static bool is_name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

bool set_name_is_valid(const char *name, const char **why)
{
    const char *fault = NULL;
    size_t length = strlen(name);

    if (length == 0 || length > NAME_MOST)
        fault = "must have 1 to 200 characters";
    for (size_t i = 0; i < length && !fault; i++) {
        bool begins = i == 0 || name[i - 1] == '/';
        if (name[i] != '/' && !is_name_character(name[i]))
            fault = "may contain only letters, digits, '.', '_', '-' and '/'";
        else if (begins && (name[i] == '.' || name[i] == '-' || name[i] == '/'))
            fault = "must begin with a letter, a digit or '_', also after each '/'";
    }
    if (!fault && name[length - 1] == '/')
        fault = "must not end with '/'";
    if (why)
        *why = fault;
    return !fault;
}

char *set_path(const char *folder, const char *name)
{
    char *path;

    if (asprintf(&path, "%s/%s", folder, name) < 0)
        return NULL;
    for (char *c = path + strlen(folder) + 1; *c; c++)
        if (*c == '/')
            *c = '%';
    return path;
}

void set_release(struct set *set)
{
    for (size_t i = 0; set->given && i < set->sources.count; i++)
        free(set->given[i]);
    free(set->given);
    source_list_release(&set->sources);
    free(set->name);
    *set = (struct set){0};
}

static int no_such_set(const char *folder, const char *name, struct error *e)
{
    char hint[NEAREST_HINT_SIZE], **names = NULL;
    struct nearest nearest;

    nearest_begin(&nearest, name);
    if (sets_names(folder, &names, NULL) == 0)
        for (char **one = names; *one; one++)
            nearest_try(&nearest, *one);
    int r = error_set(e, ENOENT, "no set '%s'%s: 'startpointfs ls' lists the sets", name,
                      nearest_hint(&nearest, hint));
    sets_names_free(names);
    return r;
}

int set_add_list(struct set *set, const char *path, struct error *e)
{
    enum start_point_type type = TYPE_NONE;
    int64_t made_at;
    int r = set_file_read(set, path, &type, &made_at, e);

    if (set->type == TYPE_NONE)
        set->type = type;
    return r;
}

static int add_folder(struct set *set, const char *folder, struct error *e)
{
    char **paths;
    int r = list_folder_read(folder, &paths, e);

    if (r < 0)
        return r;
    for (char **path = paths; *path && r == 0; path++)
        r = set_add_list(set, *path, e);
    list_folder_free(paths);
    return r;
}

int set_add(struct set *set, const char *argument, struct error *e)
{
    if (list_folder_is(argument, false))
        return add_folder(set, argument, e);
    if (source_list_is(argument))
        return set_add_list(set, argument, e);
    return set_file_take_source(set, argument, e);
}

static int load(struct set *set, const char *path, struct error *e)
{
    struct error inner = {0};
    int r = set_file_read(set, path, &set->type, &set->made_at, &inner);

    if (r < 0)
        return error_set(e, inner.errnum, "set '%s': %s", set->name, inner.text);
    if (set->type == TYPE_NONE)
        return error_set(e, EINVAL,
                         "set '%s': %s does not say its type: create the set again with --force",
                         set->name, path);
    return 0;
}

int set_load(struct set *out, const char *folder, const char *name, struct error *e)
{
    struct set set = {0};
    const char *why;
    char *path;
    int r;

    if (!set_name_is_valid(name, &why))
        return error_set(e, EINVAL, "set name '%s' %s", name, why);
    path = set_path(folder, name);
    set.name = strdup(name);
    if (!path || !set.name)
        r = error_no_memory(e);
    else if (access(path, F_OK) < 0)
        r = no_such_set(folder, name, e);
    else
        r = load(&set, path, e);
    free(path);
    if (r < 0)
        set_release(&set);
    else
        *out = set;
    return r;
}

int set_save(const struct set *set, const char *folder, bool replace, struct error *e)
{
    char *path = set_path(folder, set->name);
    int r = path ? set_file_write(set, folder, path, replace) : -ENOMEM;

    if (r == -EEXIST)
        error_set(e, EEXIST, "the set '%s' already exists; --force replaces it", set->name);
    else if (r < 0)
        error_set(e, -r, "set '%s': cannot write %s: %s", set->name, path ? path : folder,
                  strerror(-r));
    free(path);
    return r;
}

int set_remove(const char *folder, const char *name, struct error *e)
{
    const char *why;
    char *path;
    int r = 0;

    if (!set_name_is_valid(name, &why))
        return error_set(e, EINVAL, "set name '%s' %s", name, why);
    path = set_path(folder, name);
    if (!path)
        return error_no_memory(e);
    if (unlink(path) < 0)
        r = errno == ENOENT ? no_such_set(folder, name, e)
                            : error_set(e, errno, "set '%s': cannot remove %s: %s", name, path,
                                        strerror(errno));
    free(path);
    return r;
}

bool set_exists(const char *folder, const char *name)
{
    char *path = set_name_is_valid(name, NULL) ? set_path(folder, name) : NULL;
    bool exists = path && access(path, F_OK) == 0;

    free(path);
    return exists;
}

/* The line that records a source with its commit: malloc'd, NULL: out of memory. */
static char *pinned_line(const struct source *source, const char *commit)
{
    struct source pinned = *source; /* borrows all */

    pinned.commit = source->kind == SOURCE_COMMIT ? NULL : (char *)commit;
    if (source->kind == SOURCE_COMMIT)
        pinned.version = (char *)commit;
    return source_format(&pinned);
}

/* A list's line ends at a comment, and blanks around it mean nothing. */
static bool fits_a_line(const char *text)
{
    size_t length = strlen(text);

    return !strstr(text, " #") && (length == 0 || text[length - 1] != ' ');
}

int set_pin(struct set *set, size_t i, const char *commit, struct error *e)
{
    struct source *source = &set->sources.items[i], pinned;
    char *line;
    int r;

    if (!fits_a_line(source->url))
        return error_set(e, EINVAL,
                         "%s: a set cannot record a path that contains ' #' or ends with a space: "
                         "rename the folder",
                         set->given[i]);
    line = pinned_line(source, commit);
    r = line ? source_parse(&pinned, line, "/", e) : error_no_memory(e);
    free(line);
    if (r < 0)
        return r;
    source_release(source);
    *source = pinned;
    return 0;
}
