/* kernel.h - a kernel for a worker to talk to: the other end of a socket. For the tests of fs/worker, which are linked with
 * --wrap=writev. */
#ifndef TESTS_KERNEL_H
#define TESTS_KERNEL_H

#include <fcntl.h>
#include <linux/fuse.h>
#include <semaphore.h>
#include <stddef.h>
#include <sys/socket.h>

#include "fs/shared/holds.h"
#include "fs/worker/connection.h"
#include "fs/worker/stat.h"
#include "fs/worker/texts.h"
#include "tests/unit/mounted.h"

#define OFFERED                                                                             \
    (FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_AUTO_INVAL_DATA | FUSE_DO_READDIRPLUS |       \
     FUSE_READDIRPLUS_AUTO | FUSE_NO_OPEN_SUPPORT | FUSE_PARALLEL_DIROPS | FUSE_MAX_PAGES | \
     FUSE_CACHE_SYMLINKS | FUSE_NO_OPENDIR_SUPPORT | INIT_EXT)

#define FIRST_REQUEST 2 /* its number */

static atomic_int refused; /* how the next answer is */

ssize_t __real_writev(int fd, const struct iovec *parts, int count);
ssize_t __wrap_writev(int fd, const struct iovec *parts, int count);

ssize_t __wrap_writev(int fd, const struct iovec *parts, int count)
{
    int refusal = atomic_exchange(&refused, 0);

    if (!refusal)
        return __real_writev(fd, parts, count);
    errno = refusal;
    return -1;
}

ssize_t __real_readv(int fd, const struct iovec *parts, int count);
ssize_t __wrap_readv(int fd, const struct iovec *parts, int count);

/* What ends a conversation is said in one byte here: an errno. */
ssize_t __wrap_readv(int fd, const struct iovec *parts, int count)
{
    ssize_t size = __real_readv(fd, parts, count);

    if (size != 1)
        return size;
    errno = *(const unsigned char *)parts[0].iov_base;
    return -1;
}

struct first_request {
    struct fuse_in_header header;
    struct fuse_init_in init;
};

struct kernel {
    int fd; /* the kernel's end */
    uint64_t unique;
    bool hears_answers_only; /* what is told besides is left out */
    struct mounted mounted;
    struct worker worker; /* of kernel_open */
    bool again;           /* it goes on with what the last worker left */
    int ended;            /* how the conversation has */
    struct error error;
    pthread_t thread;
    sem_t ready;
    struct {
        struct fuse_out_header header;
        union {
            char bytes[65536];
            struct fuse_init_out init;
            struct fuse_entry_out entry;
            struct fuse_attr_out attr;
            struct fuse_statfs_out statfs;
            struct fuse_notify_inval_inode_out inval;
        };
    } said; /* last */
};

static int make_text(void *data, uint32_t node, struct ask *ask, char **bytes)
{
    (void)data;
    (void)node;
    (void)ask;
    *bytes = strdup("text");
    return 0;
}

static void on_ready(void *data)
{
    sem_post(data);
}

static void *serve(void *data)
{
    struct kernel *kernel = data;

    kernel->ended = connection_run(kernel->worker.connection, kernel->again, on_ready,
                                   &kernel->ready, &kernel->error);
    sem_post(&kernel->ready); /* also if it never was */
    return NULL;
}

/* Takes what the worker says next. */
static void hear(struct kernel *kernel)
{
    ssize_t size = recv(kernel->fd, &kernel->said, sizeof kernel->said, 0);

    assert_true(size >= (ssize_t)sizeof kernel->said.header);
    assert_int_equal(kernel->said.header.len, size);
}

/* The answer to a request: 0 or a negative errno. */
static int hear_answer(struct kernel *kernel, uint64_t unique)
{
    do
        hear(kernel);
    while (kernel->hears_answers_only && kernel->said.header.unique == 0);
    if (kernel->said.header.unique != unique)
        fail_msg("an answer to request %llu (%s), not to %llu",
                 (unsigned long long)kernel->said.header.unique,
                 strerror(-kernel->said.header.error), (unsigned long long)unique);
    return kernel->said.header.error;
}

/* Asks for something, and does not wait for the answer. The request's number. */
static uint64_t ask_later(struct kernel *kernel, uint32_t opcode, uint64_t node, const void *what,
                          size_t size)
{
    char message[4096];
    struct fuse_in_header header = {.len = (uint32_t)(sizeof header + size),
                                    .opcode = opcode,
                                    .unique = kernel->unique += 2,
                                    .nodeid = node};

    memcpy(message, &header, sizeof header);
    if (size > 0)
        memcpy(message + sizeof header, what, size);
    assert_int_equal(send(kernel->fd, message, header.len, 0), header.len);
    return header.unique;
}

/* Asks for something, and waits for the answer: 0 or a negative errno. */
static int ask_for(struct kernel *kernel, uint32_t opcode, uint64_t node, const void *what,
                   size_t size)
{
    bool is_answered = opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET && !refused;
    uint64_t unique = ask_later(kernel, opcode, node, what, size);

    return is_answered ? hear_answer(kernel, unique) : 0;
}

static int look(struct kernel *kernel, uint64_t folder, const char *name)
{
    return ask_for(kernel, FUSE_LOOKUP, folder, name, strlen(name) + 1);
}

/* The number of a path's node; `said` has what was said of its last name. */
static uint64_t look_along(struct kernel *kernel, const char *path)
{
    char copy[1000], *rest = copy, *name;
    uint64_t node = FUSE_ROOT_ID;

    snprintf(copy, sizeof copy, "%s", path);
    while ((name = strsep(&rest, "/"))) {
        if (look(kernel, node, name) != 0)
            fail_msg("%s: %s: %s", path, name, strerror(-kernel->said.header.error));
        node = kernel->said.entry.nodeid;
    }
    return node;
}

/* What this kernel offers. */
static void kernel_offer(struct state *state)
{
    struct first_request first = {
        .header = {.len = sizeof first, .opcode = FUSE_INIT, .unique = FIRST_REQUEST},
        .init = {.major = 7, .minor = 38, .flags = OFFERED, .flags2 = ALLOW_IDMAP}};

    state->init_size = sizeof first;
    memcpy(state->init, &first, sizeof first);
}

/* A repository's mount, and what this kernel offers. */
static void kernel_prepare(struct kernel *kernel, void **state, enum epochs epochs, uint64_t device)
{
    run_once(
        *state,
        "export GIT_AUTHOR_DATE=1234567890+0000 GIT_COMMITTER_DATE=1234567890+0000; git "
        "init -q -b main repo;"
        "cd repo; mkdir folder; echo deep >folder/file; echo 1 >file; ln -s file link;"
        "printf %%513d 1 >run; chmod +x run; git add .; git commit -qm 1; git tag 1;"
        "git tag 2; git tag release/3; git checkout -q --detach; echo 44 >file; git commit -qam 4;"
        "git tag 4; git tag gone $(git commit-tree -m gone HEAD^{tree}); git checkout -q main;"
        "git branch later $(git commit-tree -m later HEAD^{tree}); cd ..; printf "
        "'./repo?tag=%%s\\n' main later >kernel.list");
    *kernel = (struct kernel){.unique = FIRST_REQUEST};
    sem_init(&kernel->ready, 0, 0);
    mounted_open(&kernel->mounted, state, "./kernel.list");
    kernel->mounted.mount.state->has_epochs = epochs;
    kernel->mounted.mount.state->device = device;
    kernel_offer(kernel->mounted.mount.state);
    walk(&kernel->mounted, "repo/1/folder/file");
    walk(&kernel->mounted, "repo/release/3/file");
    walk(&kernel->mounted, "repo/main/folder/file");
    settle(&kernel->mounted);
}

/* Its worker begins, which says what it takes of that offer. */
static void kernel_begin(struct kernel *kernel)
{
    const struct timeval patience = {.tv_sec = 20};
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    kernel->fd = fds[0];
    setsockopt(kernel->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    kernel->worker.mount = kernel->mounted.mount;
    kernel->worker.texts = texts_new(make_text, NULL);
    kernel->worker.connection = connection_new(&kernel->worker, fds[1]);
    assert_non_null(kernel->worker.connection);
    bool is_answered = !refused;
    assert_int_equal(pthread_create(&kernel->thread, NULL, serve, kernel), 0);
    if (is_answered)
        hear(kernel);
    assert_int_equal(kernel->said.header.error, 0);
    sem_wait(&kernel->ready);
}

__attribute__((unused)) static void kernel_open(struct kernel *kernel, void **state,
                                                enum epochs epochs, uint64_t device)
{
    kernel_prepare(kernel, state, epochs, device);
    kernel_begin(kernel);
}

/* The conversation has ended. */
static void kernel_free(struct kernel *kernel)
{
    pthread_join(kernel->thread, NULL);
    settle(&kernel->mounted); /* who has just answered lets go of the connection */
    connection_free(kernel->worker.connection);
    texts_free(kernel->worker.texts);
    close(kernel->fd);
    mounted_close(&kernel->mounted);
}

__attribute__((unused)) static void kernel_close(struct kernel *kernel)
{
    connection_drain(kernel->worker.connection);
    kernel_free(kernel);
    if (kernel->ended != CONNECTION_DRAINED)
        fail_msg("%d: %s", kernel->ended, kernel->error.text);
}

#endif
