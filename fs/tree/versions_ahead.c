#include "fs/tree/versions_ahead.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/shared/children.h"
#include "fs/tree/namespace.h"
#include "fs/tree/readings.h"

#define MOST  16 /* that are ahead of a reader */
#define FEWER 8  /* of which there are always so many, as long as there are others */

/* A set's folder has its versions by their numbers. */
static bool number_of(const struct nodes *nodes, const struct node *version, uint32_t *out)
{
    const struct node *folder = node_parent(nodes, version);
    char *end;

    if (version->kind != NODE_VERSION || !folder || folder->kind != NODE_CONTROL)
        return false;
    *out = (uint32_t)strtoul(node_name(nodes, version), &end, 10);
    return *end == '\0';
}

/* Which ones are to be opened now: those from *from to before *to. */
static bool is_due(struct versions_ahead *ahead, uint32_t folder, uint32_t number, uint32_t *from,
                   uint32_t *to)
{
    bool follows, is_due = false;

    pthread_mutex_lock(&ahead->lock);
    follows = ahead->folder == folder && number - ahead->last <= 1;
    if (!follows) {
        ahead->folder = folder;
        ahead->opened = number + 1;
    } else if (number == ahead->last + 1) {
        *from = ahead->opened > number ? ahead->opened : number + 1;
        *to = number + 1 + MOST;
        is_due = *from - number <= FEWER;
        if (is_due)
            ahead->opened = *to;
    }
    ahead->last = number;
    pthread_mutex_unlock(&ahead->lock);
    return is_due;
}

/* False: there is no such version. */
static bool open_one(struct mount *mount, uint32_t folder, uint32_t number)
{
    struct repo_version *wanted;
    uint32_t node;
    char name[12];

    snprintf(name, sizeof name, "%u", number);
    if (node_lookup(mount->nodes, folder, name, strlen(name), &node) < 0)
        return false;
    wanted = namespace_version(mount, node);
    if (wanted)
        readings_open_ahead(mount, node, wanted);
    return true;
}

void versions_ahead_note(struct mount *mount, uint32_t index)
{
    const struct node *version = node_get(mount->nodes, index);
    uint32_t number, from, to;

    if (!version || !number_of(mount->nodes, version, &number) ||
        !is_due(&mount->versions_ahead, version->parent, number, &from, &to))
        return;
    while (from < to && open_one(mount, version->parent, from))
        from++;
}
