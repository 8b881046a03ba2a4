#include "fs/operations.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "fs/attributes.h"
#include "fs/blobs.h"
#include "fs/clock.h"
#include "fs/control.h"
#include "fs/namespace.h"
#include "fs/parked.h"

#define PATIENCE 2000 /* milliseconds that `ls` waits for a listing when it has an older one */

/* One FUSE request with its arguments: on the stack while it is served, on the heap while it is
 * parked. */
struct request {
    struct parked parked; /* first, so that the lot's pointer is ours */
    fuse_req_t req;
    struct mount *mount;
    int (*serve)(struct request *request);
    uint32_t node;
    size_t size;
    off_t offset;
    struct asking asking;
    bool parked_once; /* it is on the heap */
    char name[NODE_NAME_MAX + 1];
};

static uint32_t node_of(fuse_ino_t ino)
{
    return (uint32_t)(ino - 1);
}

static void count(struct mount *mount, enum operation operation)
{
    atomic_fetch_add_explicit(&mount->state->requests[operation], 1, memory_order_relaxed);
}

static void run(struct request *request);

/* ---- waiting ---- */

static int is_interrupted(void *data)
{
    return fuse_req_interrupted(data);
}

static int is_for(struct parked *parked, void *req)
{
    return ((struct request *)parked)->req == req;
}

static void on_interrupt(fuse_req_t req, void *data)
{
    struct mount *mount = data;
    parked_interrupt(mount->parked, is_for, req);
}

static void on_end(struct parked *parked, enum parked_end how)
{
    struct request *request = (struct request *)parked;

    switch (how) {
    case PARKED_REPLAY:
        run(request);
        return;
    case PARKED_TIMED_OUT:
        fuse_reply_err(request->req, ETIMEDOUT);
        break;
    case PARKED_INTERRUPTED:
        fuse_reply_err(request->req, EINTR);
        break;
    }
    free(request);
}

/* Returns what parked_wait does. A request that is parked is no longer the caller's. */
static int park(struct request **here)
{
    struct request *request = *here;
    struct work *work = request->asking.work;

    if (!request->parked_once) {
        struct request *copy = malloc(sizeof *copy);
        if (!copy)
            return -ENOMEM;
        *copy = *request;
        copy->parked_once = true;
        request = *here = copy;
    }
    request->parked.end = on_end;
    request->parked.patience = 0;
    if (request->asking.impatient) {
        int64_t began = atomic_load(&work->progress_at);
        request->parked.patience = (began ? began : clock_now()) + PATIENCE;
    }
    request->asking.impatient = false;
    fuse_req_interrupt_func(request->req, on_interrupt, request->mount);
    return parked_wait(request->mount->parked, &request->parked, work, is_interrupted,
                       request->req);
}

/* Serves a request: it is replied to, or parked. Takes a parked one over. */
static void run(struct request *request)
{
    for (;;) {
        int r = request->serve(request);
        if (r == -EAGAIN) {
            r = park(&request);
            if (r == 0)
                return;
            if (r == -EAGAIN)
                continue;
        }
        if (r < 0)
            fuse_reply_err(request->req, -r);
        if (request->parked_once)
            free(request);
        return;
    }
}

/* ---- serving; each replies and returns 0, or returns a negative errno ---- */

static int entry_of(struct mount *mount, uint32_t folder, uint32_t child, struct asking *asking,
                    struct fuse_entry_param *entry)
{
    uint32_t present = namespace_present(mount, child);

    memset(entry, 0, sizeof *entry);
    entry->ino = present + 1ull;
    entry->entry_timeout = attributes_entry_timeout(mount, folder, child);
    return attributes_fill(mount, present, asking, &entry->attr, &entry->attr_timeout);
}

static int serve_lookup(struct request *request)
{
    struct mount *mount = request->mount;
    struct fuse_entry_param entry;
    uint32_t child;
    int r = namespace_lookup(mount, request->node, request->name, &request->asking, &child);

    if (r == -ENOENT && attributes_missing_timeout(mount, request->node) > 0) {
        entry = (struct fuse_entry_param){.entry_timeout =
                                              attributes_missing_timeout(mount, request->node)};
        fuse_reply_entry(request->req, &entry);
        return 0;
    }
    if (r == 0)
        r = entry_of(mount, request->node, child, &request->asking, &entry);
    if (r == 0)
        fuse_reply_entry(request->req, &entry);
    return r;
}

static int serve_getattr(struct request *request)
{
    struct stat st;
    double timeout;
    int r = attributes_fill(request->mount, request->node, &request->asking, &st, &timeout);

    if (r == 0)
        fuse_reply_attr(request->req, &st, timeout);
    return r;
}

/* A file's or symlink's bytes, with one more fetch if what the cache has is damaged. */
static int get_blob(struct request *request, struct blob **blob)
{
    int r = blobs_get(request->mount->blobs, request->node, blob);

    if (r == -EIO)
        r = namespace_refetch(request->mount, request->node, &request->asking);
    return r;
}

static int serve_readlink(struct request *request)
{
    struct blob *blob;
    int r = get_blob(request, &blob);

    if (r < 0)
        return r;
    char *target = strndup(blob_bytes(blob), blob_size(blob));
    blob_put(request->mount->blobs, blob);
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

static int serve_read(struct request *request)
{
    struct mount *mount = request->mount;
    const struct node *node = node_get(mount->nodes, request->node);
    struct text *text;
    struct blob *blob;
    int r;

    if (!node)
        return -EIO;
    if (node->kind == NODE_CONTROL_FILE) {
        r = control_get(mount, request->node, NULL, &text);
        if (r == -EAGAIN)
            r = control_get(mount, request->node, &request->asking, &text);
        if (r < 0)
            return r;
        reply_part(request, text_bytes(text), text_size(text));
        text_put(text);
        return 0;
    }
    if (node_is_folder(node))
        return -EISDIR;
    r = get_blob(request, &blob);
    if (r < 0)
        return r;
    reply_part(request, blob_bytes(blob), blob_size(blob));
    blob_put(mount->blobs, blob);
    return 0;
}

/* A reply to readdir or readdirplus that grows entry by entry. Offsets: 1 after ".", 2 after "..",
 * then 2 + the node table's. */
struct listing_reply {
    struct request *request;
    bool plus;
    char *buffer;
    size_t used;
};

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
    return true;
}

/* "." and "..": the kernel makes no inodes of them, so they get none to forget. */
static bool add_dots(struct listing_reply *reply)
{
    struct request *request = reply->request;
    struct fuse_entry_param entry = {.attr.st_mode = S_IFDIR};

    if (request->offset == 0) {
        entry.attr.st_ino = request->node + 1ull;
        if (!add_entry(reply, ".", &entry, 1))
            return false;
        request->offset = 1;
    }
    if (request->offset == 1) {
        entry.attr.st_ino = attributes_parent(request->mount, request->node);
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
    uint32_t child;
    int r;

    while ((r = node_next(mount->nodes, request->node, &offset, &child)) == 0) {
        r = entry_of(mount, request->node, child, NULL, &entry);
        if (r < 0)
            return r;
        const char *name = node_name(mount->nodes, node_get(mount->nodes, child));
        if (!add_entry(reply, name, &entry, (off_t)offset + 2))
            return 0;
    }
    return r == -ENOENT ? 0 : r;
}

static int serve_list(struct request *request, bool plus)
{
    struct listing_reply reply = {.request = request, .plus = plus};
    int r = 0;

    if (request->offset == 0)
        r = namespace_open_folder(request->mount, request->node, &request->asking);
    /* To the C library ENOENT is the end of a folder: a version that is not there would look empty. */
    if (r == -ENOENT)
        return -ESTALE;
    if (r < 0)
        return r;
    reply.buffer = malloc(request->size);
    if (!reply.buffer)
        return -ENOMEM;
    if (add_dots(&reply))
        r = add_children(&reply);
    if (r == 0 || reply.used > 0) {
        fuse_reply_buf(request->req, reply.buffer, reply.used);
        r = 0;
    }
    free(reply.buffer);
    return r;
}

static int serve_readdir(struct request *request)
{
    return serve_list(request, false);
}

static int serve_readdirplus(struct request *request)
{
    return serve_list(request, true);
}

/* ---- what the kernel calls ---- */

static void start(fuse_req_t req, enum operation operation, fuse_ino_t ino, struct request *request,
                  int (*serve)(struct request *))
{
    request->mount = fuse_req_userdata(req);
    request->req = req;
    request->node = node_of(ino);
    request->serve = serve;
    count(request->mount, operation);
    run(request);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct request request = {0};

    if (strlen(name) > NODE_NAME_MAX) {
        count(fuse_req_userdata(req), OPERATION_LOOKUP);
        fuse_reply_err(req, ENAMETOOLONG);
        return;
    }
    strcpy(request.name, name);
    start(req, OPERATION_LOOKUP, parent, &request, serve_lookup);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct request request = {0};

    (void)fi;
    start(req, OPERATION_GETATTR, ino, &request, serve_getattr);
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
    struct request request = {0};
    start(req, OPERATION_READLINK, ino, &request, serve_readlink);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                    struct fuse_file_info *fi)
{
    struct request request = {.size = size, .offset = offset};

    (void)fi;
    start(req, OPERATION_READ, ino, &request, serve_read);
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                       struct fuse_file_info *fi)
{
    struct request request = {.size = size, .offset = offset};

    (void)fi;
    start(req, OPERATION_READDIR, ino, &request, serve_readdir);
}

static void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                           struct fuse_file_info *fi)
{
    struct request request = {.size = size, .offset = offset};

    (void)fi;
    start(req, OPERATION_READDIRPLUS, ino, &request, serve_readdirplus);
}

/* Kernels that can do without open and opendir are told once that we do; for others, keep what is
 * cached. */
static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct mount *mount = fuse_req_userdata(req);

    (void)ino;
    count(mount, OPERATION_OPEN);
    if (mount->no_open) {
        fuse_reply_err(req, ENOSYS);
        return;
    }
    fi->keep_cache = 1;
    fuse_reply_open(req, fi);
}

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct mount *mount = fuse_req_userdata(req);

    (void)ino;
    count(mount, OPERATION_OPENDIR);
    if (mount->no_opendir) {
        fuse_reply_err(req, ENOSYS);
        return;
    }
    fi->cache_readdir = 1;
    fi->keep_cache = 1;
    fuse_reply_open(req, fi);
}

/* `df` shows the disk that the cache is on. */
static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
    struct mount *mount = fuse_req_userdata(req);
    struct statvfs st;

    (void)ino;
    count(mount, OPERATION_STATFS);
    if (statvfs(cache_folder(mount->cache), &st) < 0)
        st = (struct statvfs){.f_bsize = 4096, .f_frsize = 4096};
    st.f_namemax = NODE_NAME_MAX;
    st.f_files = nodes_max(mount->nodes);
    st.f_ffree = st.f_favail = nodes_max(mount->nodes) - nodes_used(mount->nodes);
    fuse_reply_statfs(req, &st);
}

/* Nodes are kept for good: there is nothing to forget. */
static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
    (void)ino;
    (void)nlookup;
    count(fuse_req_userdata(req), OPERATION_FORGET);
    fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t n, struct fuse_forget_data *forgets)
{
    (void)n;
    (void)forgets;
    count(fuse_req_userdata(req), OPERATION_FORGET);
    fuse_reply_none(req);
}

static void want(struct fuse_conn_info *conn, unsigned capability)
{
    if (conn->capable & capability)
        conn->want |= capability;
}

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
    struct mount *mount = userdata;

    count(mount, OPERATION_INIT);
    mount->no_open = conn->capable & FUSE_CAP_NO_OPEN_SUPPORT;
    mount->no_opendir = conn->capable & FUSE_CAP_NO_OPENDIR_SUPPORT;
    want(conn, FUSE_CAP_READDIRPLUS);
    want(conn, FUSE_CAP_CACHE_SYMLINKS);
    want(conn, FUSE_CAP_AUTO_INVAL_DATA);
    want(conn, FUSE_CAP_PARALLEL_DIROPS);
    want(conn, FUSE_CAP_ASYNC_READ);
    conn->want &= ~(unsigned)FUSE_CAP_READDIRPLUS_AUTO;
    /* What a request may bring; connection.c has room for no more. */
    if (conn->max_write > 1u << 20)
        conn->max_write = 1u << 20;
    /* Read-ahead of many files at once must not queue behind twelve. */
    conn->max_background = 128;
    conn->congestion_threshold = 96;
}

const struct fuse_lowlevel_ops operations = {
    .init = op_init,
    .lookup = op_lookup,
    .forget = op_forget,
    .forget_multi = op_forget_multi,
    .getattr = op_getattr,
    .readlink = op_readlink,
    .open = op_open,
    .opendir = op_opendir,
    .read = op_read,
    .readdir = op_readdir,
    .readdirplus = op_readdirplus,
    .statfs = op_statfs,
};
