#include "fs/supervisor/takeover.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "fs/shared/fuse_message.h"
#include "fs/shared/nodes.h"
#include "fs/supervisor/mount_table.h"
#include "fs/supervisor/unmount.h"

#define FUSE_DEVICE makedev(10, 229)

/* The kernel says POLLERR once the mount has ended: it was unmounted, or aborted. */
static int check_connection(int fd, struct error *e)
{
    struct pollfd event = {.fd = fd};
    struct stat st;

    if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != FUSE_DEVICE)
        return error_set(e, EPROTO, "the held descriptor is not one of /dev/fuse");
    if (poll(&event, 1, 0) != 0)
        return error_set(e, ENOTCONN, "the held mount has been unmounted");
    return 0;
}

/* Who can write that memory is ourselves; but another program, or another version of this one, may have been. */
static int check_nodes(int fd, struct error *e)
{
    struct nodes *nodes;
    int r = nodes_map(&nodes, fd, e);

    if (r < 0)
        return r;
    const struct node *root = node_get(nodes, NODE_ROOT_INDEX);
    if (!root || root->kind != NODE_ROOT || *node_name(nodes, root))
        r = error_set(e, EPROTO, "the held node table is damaged: it has no root");
    nodes_unmap(nodes);
    return r;
}

static int check_lists(int fd, struct error *e)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode)
               ? 0
               : error_set(e, EPROTO, "the held lists are not in shared memory");
}

static int check_state(const struct state *state, struct error *e)
{
    bool is_sane = memchr(state->mountpoint, '\0', sizeof state->mountpoint) &&
                   memchr(state->options, '\0', sizeof state->options) &&
                   state->init_size >= sizeof(struct init_request) &&
                   state->init_size <= sizeof state->init;

    return is_sane ? 0 : error_set(e, EPROTO, "the held state is damaged");
}

static int check_place(const struct state *state, const char *mountpoint, struct error *e)
{
    struct mount_row row;

    if (strcmp(state->mountpoint, mountpoint) != 0)
        return error_set(e, EXDEV, "the held mount is on %s", state->mountpoint);
    if (!state->device)
        return 0; /* it was made by somebody else */
    int r = mount_table_find(mountpoint, &row);
    if (r < 0)
        return error_set(e, -r, "cannot read what is mounted: %s", strerror(-r));
    return r > 0 && row.device == state->device
               ? 0
               : error_set(e, EXDEV, "the held mount is no longer on %s", mountpoint);
}

static int check(const struct custody *custody, const struct state *state, const char *options,
                 struct error *e)
{
    int r = check_place(state, custody->mountpoint, e);

    if (r == 0)
        r = check_connection(custody->found[HELD_FUSE], e);
    if (r == 0)
        r = check_nodes(custody->found[HELD_NODES], e);
    if (r == 0)
        r = check_lists(custody->found[HELD_LISTS], e);
    if (r == 0 && strcmp(state->options, options) != 0)
        r = error_set(e, EINVAL, "it was mounted with other options (%s)",
                      *state->options ? state->options : "none");
    return r;
}

/* Nobody will ever answer what is asked of it. */
static void take_away(const struct state *state)
{
    struct mount_row row;

    if (state->device && mount_table_find(state->mountpoint, &row) == 1 &&
        row.device == state->device)
        unmount_at(state->mountpoint, true);
}

int takeover_check(struct custody *custody, const char *options, struct error *e)
{
    struct state *state = NULL;
    int r = state_map(&state, custody->found[HELD_STATE], e);
    bool is_read = r == 0;

    if (r == 0)
        r = check_state(state, e);
    bool is_sane = r == 0;
    if (r == 0)
        r = check(custody, state, options, e);
    if (r < 0 && is_sane)
        take_away(state);
    if (is_read)
        state_unmap(state);
    if (r < 0)
        custody_discard(custody);
    return r;
}
