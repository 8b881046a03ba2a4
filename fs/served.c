#include "fs/served.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/sets.h"

void served_free(struct served *served)
{
    for (size_t i = 0; served->given && i < served->sources.count; i++)
        free(served->given[i]);
    free(served->given);
    source_list_release(&served->sources);
    free(served->name);
    free(served->path);
    free(served->fault);
    free(served);
}

/* Moves the sources, and how they were given, out of the set. */
static void take_set(struct served *served, struct set *set)
{
    served->sources = set->sources;
    served->given = set->given;
    set->sources = (struct source_list){0};
    set->given = NULL;
    set_release(set);
}

/* A list file that is a set's (another machine's) says its type and how its sources were given. */
static int read_list(struct served *served, enum set_type type, struct error *e)
{
    struct set set = {.type = type};
    int r = set_add(&set, served->path, e);

    served->type = set.type != TYPE_NONE ? set.type : set_type_find(served->name);
    take_set(served, &set);
    return r;
}

static int read_set(struct served *served, const char *folder, struct error *e)
{
    struct set set;
    int r = set_load(&set, folder, served->name, e);

    if (r < 0)
        return r;
    served->type = set.type;
    take_set(served, &set);
    return 0;
}

int served_read(const struct settings *settings, const char *name, const char *path,
                struct served **out, struct error *e)
{
    struct served *served = calloc(1, sizeof *served);
    int r = 0;

    *out = NULL;
    if (!served)
        return error_no_memory(e);
    served->name = strdup(name);
    served->path = path ? strdup(path) : NULL;
    if (!served->name || (path && !served->path))
        r = error_no_memory(e);
    else if (path)
        r = read_list(served, settings->type, e);
    else
        r = read_set(served, settings->sets, e);
    if (r < 0)
        served_free(served);
    else
        *out = served;
    return r;
}

bool served_is_same(const struct served *a, const struct served *b)
{
    if (a->sources.count != b->sources.count || a->type != b->type)
        return false;
    for (size_t i = 0; i < a->sources.count; i++)
        if (strcmp(a->sources.items[i].text, b->sources.items[i].text) != 0 ||
            strcmp(a->sources.items[i].url, b->sources.items[i].url) != 0 ||
            strcmp(a->given[i], b->given[i]) != 0)
            return false;
    return true;
}

void served_swap(struct served *served, struct served *from)
{
    struct source_list sources = served->sources;
    char **given = served->given;

    served->sources = from->sources;
    served->given = from->given;
    served->type = from->type;
    from->sources = sources;
    from->given = given;
}
