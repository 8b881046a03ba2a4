#include "fs/worker/serve.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/shared/children.h"
#include "fs/shared/holds.h"
#include "fs/tree/branch.h"
#include "fs/tree/namespace.h"
#include "fs/tree/readings.h"
#include "fs/worker/stat.h"
#include "fs/worker/texts.h"

static int entry_of(struct worker *worker, uint32_t folder, uint32_t child, struct ask *ask,
                    struct fuse_entry_param *entry)
{
    uint32_t shown = branch_shown(&worker->mount, child);

    memset(entry, 0, sizeof *entry);
    entry->ino = node_id(worker->mount.nodes, shown);
    entry->generation = node_generation(worker->mount.nodes, shown);
    entry->entry_timeout = stat_entry_timeout(&worker->mount, folder, child);
    return stat_fill(worker, shown, ask, &entry->attr, &entry->attr_timeout);
}

/* Whether a tree that is there says that it has no such name. That of a version which could not be
 * fetched says nothing, whatever the failure's errno. */
static bool is_known_missing(const struct mount *mount, uint32_t folder, const char *name)
{
    uint32_t child;

    return stat_missing_timeout(mount, folder) > 0 &&
           node_lookup(mount->nodes, folder, name, strlen(name), &child) == -ENOENT;
}

static void hold(const struct mount *mount, uint64_t id)
{
    uint32_t index;

    if (node_of_id(mount->nodes, id, &index))
        node_hold(mount->nodes, index);
}

/* Held before the kernel can forget it again; an answer that it does not take (the request is over) it
 * does not count. */
static void reply_entry(struct request *request, const struct fuse_entry_param *entry)
{
    struct mount *mount = request->mount;

    hold(mount, entry->ino);
    if (fuse_reply_entry(request->req, entry) < 0)
        node_forget(mount->nodes, entry->ino, 1);
}

int serve_lookup(struct request *request)
{
    struct mount *mount = request->mount;
    struct fuse_entry_param entry;
    uint32_t child;
    int r = namespace_lookup(mount, request->node, request->name, &request->ask, &child);

    if (r == -ENOENT && is_known_missing(mount, request->node, request->name)) {
        entry =
            (struct fuse_entry_param){.entry_timeout = stat_missing_timeout(mount, request->node)};
        fuse_reply_entry(request->req, &entry);
        return 0;
    }
    if (r == 0) {
        branch_follow(mount, child, &request->ask);
        r = entry_of(request->worker, request->node, child, &request->ask, &entry);
    }
    if (r == 0)
        reply_entry(request, &entry);
    return r;
}

int serve_getattr(struct request *request)
{
    struct stat st;
    double timeout;
    int r = stat_fill(request->worker, request->node, &request->ask, &st, &timeout);

    if (r == 0)
        fuse_reply_attr(request->req, &st, timeout);
    return r;
}

/* A file's or symlink's bytes, with one more fetch if what the cache has is damaged. */
static int get_blob(struct request *request, struct blob **blob)
{
    int r = readings_get_blob(request->mount, request->node, &request->ask, blob);

    if (r == -EIO)
        r = namespace_refetch(request->mount, request->node, &request->ask);
    return r;
}

/* Owned. A target of more than a page leads nowhere, so it is cut as the kernel would. */
static char *read_target(const struct content *content)
{
    size_t size = content->size < PATH_MAX ? content->size : PATH_MAX;
    char *target = calloc(1, size + 1);

    if (target && content->data)
        memcpy(target, content->data, size);
    else if (target && pread(content->fd, target, size, 0) < 0)
        *target = '\0';
    return target;
}

int serve_readlink(struct request *request)
{
    struct blob *blob;
    int r = get_blob(request, &blob);

    if (r < 0)
        return r;
    char *target = read_target(blobs_content(blob));
    blobs_put(request->mount->blobs, blob);
    if (!target)
        return -ENOMEM;
    fuse_reply_readlink(request->req, target);
    free(target);
    return 0;
}

static void reply_part(struct request *request, const char *bytes, size_t size)
{
    size_t offset = (size_t)request->offset;

    if (offset >= size)
        fuse_reply_buf(request->req, NULL, 0);
    else
        fuse_reply_buf(request->req, bytes + offset,
                       size - offset < request->size ? size - offset : request->size);
}

/* libfuse copies it. Splicing it was no faster: the kernel takes no pages out of a file of large folios. */
static void reply_from_file(struct request *request, const struct content *content)
{
    struct fuse_bufvec buffer = FUSE_BUFVEC_INIT(request->size); /* or to the file's end */

    buffer.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
    buffer.buf[0].fd = content->fd;
    buffer.buf[0].pos = request->offset;
    fuse_reply_data(request->req, &buffer, FUSE_BUF_NO_SPLICE);
}

int serve_read(struct request *request)
{
    struct mount *mount = request->mount;
    const struct node *node = node_get(mount->nodes, request->node);
    struct text *text;
    struct blob *blob;
    int r;

    if (!node)
        return -EIO;
    if (node->kind == NODE_CONTROL_FILE) {
        r = texts_get(request->worker->texts, request->node, NULL, &text);
        if (r == -EAGAIN)
            r = texts_get(request->worker->texts, request->node, &request->ask, &text);
        if (r < 0)
            return r;
        reply_part(request, texts_bytes(text), texts_size(text));
        texts_put(text);
        return 0;
    }
    if (node_is_folder(node))
        return -EISDIR;
    if (!request->parked_once)
        request->told = node->size;
    r = get_blob(request, &blob);
    if (r < 0)
        return r;
    /* The kernel would cut the bytes, or put zeroes behind them; the next reader asks for the size. */
    if (node->size != request->told) {
        blobs_put(mount->blobs, blob);
        return -EIO;
    }
    if (blobs_content(blob)->data) {
        reply_part(request, blobs_content(blob)->data, blobs_content(blob)->size);
        bool is_whole = request->offset == 0 && request->size >= blobs_content(blob)->size;
        (is_whole ? blobs_put_read : blobs_put)(mount->blobs, blob);
        return 0;
    }
    reply_from_file(request, blobs_content(blob));
    blobs_put(mount->blobs, blob);
    return 0;
}

/* A reply to readdir or readdirplus that grows entry by entry. Offsets: 1 after ".", 2 after "..",
 * then 2 + the node table's. */
struct listing_reply {
    struct request *request;
    bool plus;
    char *buffer;
    size_t used;
    uint64_t *ids; /* that it tells the kernel, and holds */
    size_t id_count;
};

#define LEAST_ENTRY 152 /* bytes that an entry with a node takes at least: struct fuse_direntplus */

/* False: there is no room for this entry. */
static bool add_entry(struct listing_reply *reply, const char *name,
                      const struct fuse_entry_param *entry, off_t next)
{
    fuse_req_t req = reply->request->req;
    char *at = reply->buffer + reply->used;
    size_t room = reply->request->size - reply->used;
    size_t size = reply->plus ? fuse_add_direntry_plus(req, at, room, name, entry, next)
                              : fuse_add_direntry(req, at, room, name, &entry->attr, next);

    if (size > room)
        return false;
    reply->used += size;
    if (reply->plus && entry->ino != 0) {
        hold(reply->request->mount, entry->ino);
        reply->ids[reply->id_count++] = entry->ino;
    }
    return true;
}

/* It was not sent, or not taken. */
static void forget_ids(const struct listing_reply *reply)
{
    for (size_t i = 0; i < reply->id_count; i++)
        node_forget(reply->request->mount->nodes, reply->ids[i], 1);
}

/* "." and "..": the kernel makes no inodes of them, so they get none to forget. */
static bool add_dots(struct listing_reply *reply)
{
    struct request *request = reply->request;
    struct fuse_entry_param entry = {.attr.st_mode = S_IFDIR};

    if (request->offset == 0) {
        entry.attr.st_ino = node_id(request->mount->nodes, request->node);
        if (!add_entry(reply, ".", &entry, 1))
            return false;
        request->offset = 1;
    }
    if (request->offset == 1) {
        entry.attr.st_ino = stat_parent(request->mount, request->node);
        if (!add_entry(reply, "..", &entry, 2))
            return false;
        request->offset = 2;
    }
    return true;
}

static int add_children(struct listing_reply *reply)
{
    struct request *request = reply->request;
    struct mount *mount = request->mount;
    uint64_t offset = (uint64_t)request->offset - 2;
    struct fuse_entry_param entry;
    struct namespace_entry child;
    int r;

    while ((r = namespace_next(mount, request->node, &offset, &child)) == 0) {
        /* For ino 0 the kernel makes no inode: it looks the name up when somebody needs it. */
        entry = (struct fuse_entry_param){.attr = {.st_mode = S_IFDIR, .st_ino = child.inode}};
        if (child.with_attributes)
            r = entry_of(request->worker, request->node, child.node, NULL, &entry);
        if (r < 0)
            return r;
        if (!add_entry(reply, child.name, &entry, (off_t)offset + 2))
            return 0;
    }
    return r == -ENOENT ? 0 : r;
}

static int serve_list(struct request *request, bool plus)
{
    struct listing_reply reply = {.request = request, .plus = plus};
    int r = 0;

    if (request->offset == 0)
        r = namespace_open_folder(request->mount, request->node, &request->ask);
    /* To the C library ENOENT is the end of a folder: a version that is not there would look empty.
     */
    if (r == -ENOENT)
        return -ESTALE;
    if (r < 0)
        return r;
    reply.ids = calloc(request->size / LEAST_ENTRY + 1, sizeof *reply.ids);
    reply.buffer = malloc(request->size); /* last: mostly only its beginning is ever touched */
    r = reply.buffer && reply.ids ? 0 : -ENOMEM;
    if (r == 0 && add_dots(&reply))
        r = add_children(&reply);
    if (r == 0 || reply.used > 0) {
        r = 0;
        if (fuse_reply_buf(request->req, reply.buffer, reply.used) < 0)
            forget_ids(&reply);
    } else {
        forget_ids(&reply);
    }
    free(reply.ids);
    free(reply.buffer);
    return r;
}

int serve_readdir(struct request *request)
{
    return serve_list(request, false);
}

int serve_readdirplus(struct request *request)
{
    return serve_list(request, true);
}
