#include "fs/tree/served.h"

#include <stdlib.h>
#include <string.h>

#include "fs/sets/sets.h"

void served_free(struct served *served)
{
    set_release(&served->set);
    free(served->path);
    free(served->fault);
    free(served);
}

/* A list file that is a set's (another machine's) says its type and how its sources were given. */
static int read_list(struct served *served, const char *name, enum start_point_type type,
                     struct error *e)
{
    struct set *set = &served->set;
    int r;

    set->type = type;
    set->name = strdup(name);
    if (!set->name)
        return error_no_memory(e);
    r = set_add(set, served->path, e);
    if (set->type == TYPE_NONE)
        set->type = type_find(name);
    return r;
}

int served_read(const struct settings *settings, const char *name, const char *path,
                struct served **out, struct error *e)
{
    struct served *served = calloc(1, sizeof *served);
    int r;

    *out = NULL;
    if (!served)
        return error_no_memory(e);
    served->path = path ? strdup(path) : NULL;
    if (path && !served->path)
        r = error_no_memory(e);
    else if (path)
        r = read_list(served, name, settings->type, e);
    else
        r = set_load(&served->set, settings->sets, name, e);
    if (r < 0)
        served_free(served);
    else
        *out = served;
    return r;
}

bool served_is_same(const struct served *served, const struct served *other)
{
    const struct set *a = &served->set, *b = &other->set;

    if (a->sources.count != b->sources.count || a->type != b->type)
        return false;
    for (size_t i = 0; i < a->sources.count; i++)
        if (strcmp(a->sources.items[i].text, b->sources.items[i].text) != 0 ||
            strcmp(a->sources.items[i].url, b->sources.items[i].url) != 0 ||
            strcmp(a->given[i], b->given[i]) != 0)
            return false;
    return true;
}

void served_swap(struct served *a, struct served *b)
{
    struct set set = a->set;

    a->set = b->set;
    b->set = set;
}
