#include "fs/worker/operations.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <string.h>
#include <sys/statvfs.h>

#include "fs/shared/holds.h"
#include "fs/worker/serve.h"

static void count(struct worker *worker, enum operation operation)
{
    atomic_fetch_add_explicit(&worker->mount.state->requests[operation], 1, memory_order_relaxed);
}

static void start(fuse_req_t req, enum operation operation, fuse_ino_t ino, struct request *request,
                  int (*serve)(struct request *))
{
    request->worker = fuse_req_userdata(req);
    request->mount = &request->worker->mount;
    request->req = req;
    request->serve = serve;
    request->ask.thread = fuse_req_ctx(req)->pid;
    count(request->worker, operation);
    /* Not but with a kernel that asks for what it has forgotten. */
    if (!node_of_id(request->mount->nodes, ino, &request->node))
        fuse_reply_err(req, ESTALE);
    else
        request_run(request);
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
    struct worker *worker = fuse_req_userdata(req);

    (void)ino;
    count(worker, OPERATION_OPEN);
    if (worker->no_open) {
        fuse_reply_err(req, ENOSYS);
        return;
    }
    fi->keep_cache = 1;
    fuse_reply_open(req, fi);
}

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct worker *worker = fuse_req_userdata(req);

    (void)ino;
    count(worker, OPERATION_OPENDIR);
    if (worker->no_opendir) {
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
    struct worker *worker = fuse_req_userdata(req);
    struct statvfs st;

    (void)ino;
    count(worker, OPERATION_STATFS);
    if (statvfs(cache_folder(worker->mount.cache), &st) < 0)
        st = (struct statvfs){.f_bsize = 4096, .f_frsize = 4096};
    st.f_namemax = NODE_NAME_MAX;
    st.f_files = nodes_max(worker->mount.nodes);
    st.f_ffree = st.f_favail = nodes_max(worker->mount.nodes) - nodes_taken(worker->mount.nodes);
    fuse_reply_statfs(req, &st);
}

static void forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
    struct worker *worker = fuse_req_userdata(req);
    node_forget(worker->mount.nodes, ino, nlookup);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
    count(fuse_req_userdata(req), OPERATION_FORGET);
    forget(req, ino, nlookup);
    fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t n, struct fuse_forget_data *forgets)
{
    count(fuse_req_userdata(req), OPERATION_FORGET);
    for (size_t i = 0; i < n; i++)
        forget(req, forgets[i].ino, forgets[i].nlookup);
    fuse_reply_none(req);
}

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
    struct worker *worker = userdata;

    count(worker, OPERATION_INIT);
    worker->no_open = conn->capable & FUSE_CAP_NO_OPEN_SUPPORT;
    worker->no_opendir = conn->capable & FUSE_CAP_NO_OPENDIR_SUPPORT;
    /* What else we want libfuse asks for by itself (fuse_common.h). */
    conn->want |= conn->capable & FUSE_CAP_CACHE_SYMLINKS;
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
