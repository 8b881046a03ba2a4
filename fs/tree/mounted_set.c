#include "fs/tree/mounted_set.h"

#include <stdlib.h>
#include <string.h>

#include "fs/sets/set.h"

void mounted_set_free(struct mounted_set *mounted)
{
    set_release(&mounted->set);
    free(mounted->path);
    free(mounted->fault);
    free(mounted);
}

/* A list file that is a set's (another machine's) says its type and how its sources were given. */
static int read_list(struct mounted_set *mounted, const char *name, enum start_point_type type,
                     struct error *e)
{
    struct set *set = &mounted->set;
    int r;

    set->type = type;
    set->name = strdup(name);
    if (!set->name)
        return error_no_memory(e);
    r = set_add_list(set, mounted->path, e);
    if (set->type == TYPE_NONE)
        set->type = type_find(name);
    return r;
}

int mounted_set_read(const struct settings *settings, const char *name, const char *path,
                     struct mounted_set **out, struct error *e)
{
    struct mounted_set *mounted = calloc(1, sizeof *mounted);
    int r;

    *out = NULL;
    if (!mounted)
        return error_no_memory(e);
    mounted->path = path ? strdup(path) : NULL;
    if (path && !mounted->path)
        r = error_no_memory(e);
    else if (path)
        r = read_list(mounted, name, settings->type, e);
    else
        r = set_load(&mounted->set, settings->sets, name, e);
    if (r < 0)
        mounted_set_free(mounted);
    else
        *out = mounted;
    return r;
}

struct mounted_set *mounted_set_faulty(const char *name, const char *path, const char *fault)
{
    struct mounted_set *mounted = calloc(1, sizeof *mounted);

    if (!mounted)
        return NULL;
    mounted->set.name = strdup(name);
    mounted->path = path ? strdup(path) : NULL;
    mounted->fault = strdup(fault);
    if (mounted->set.name && (mounted->path || !path) && mounted->fault)
        return mounted;
    mounted_set_free(mounted);
    return NULL;
}

bool mounted_set_is_same(const struct mounted_set *mounted, const struct mounted_set *other)
{
    const struct set *a = &mounted->set, *b = &other->set;

    if (a->sources.count != b->sources.count || a->type != b->type)
        return false;
    for (size_t i = 0; i < a->sources.count; i++)
        if (strcmp(a->sources.items[i].text, b->sources.items[i].text) != 0 ||
            strcmp(a->sources.items[i].url, b->sources.items[i].url) != 0 ||
            strcmp(a->given[i], b->given[i]) != 0)
            return false;
    return true;
}

void mounted_set_swap(struct mounted_set *a, struct mounted_set *b)
{
    struct set set = a->set;

    a->set = b->set;
    b->set = set;
    a->ahead = b->ahead = (struct list_ahead){0};
}
