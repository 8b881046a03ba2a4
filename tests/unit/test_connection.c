/* test_connection.c - a worker's conversation with the kernel, which is the other end of a socket here: what it agrees on,
 * answers and tells. */
#include "gitcache/base/clock.h"
#include "tests/unit/kernel.h"

static atomic_int threads_left = -1; /* that can be started; -1: any number */

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*act)(void *data), void *data);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*act)(void *data), void *data);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*act)(void *data), void *data)
{
    if (threads_left == 0)
        return EAGAIN;
    threads_left -= threads_left > 0;
    return __real_pthread_create(thread, attributes, act, data);
}

static void test_what_is_agreed_on(void **state)
{
    const uint32_t wanted = FUSE_ASYNC_READ | FUSE_AUTO_INVAL_DATA | FUSE_DO_READDIRPLUS |
                            FUSE_PARALLEL_DIROPS | FUSE_CACHE_SYMLINKS | INIT_EXT;
    struct kernel kernel;

    kernel_open(&kernel, state, EPOCHS_KNOWN, 1);
    const struct fuse_init_out *init = &kernel.said.init;
    assert_int_equal(init->flags & (wanted | FUSE_READDIRPLUS_AUTO), wanted);
    assert_int_equal(init->flags2, ALLOW_IDMAP);
    assert_int_equal(init->max_write, 1 << 20); /* reads are no longer either: in pages */
    assert_int_equal(init->max_pages, (1 << 20) / getpagesize());
    assert_int_equal(init->max_background, 128);
    assert_int_equal(init->congestion_threshold, 96);
    kernel_close(&kernel);
}

static void test_what_is_unwanted_is_said_whole(void **state)
{
    static const uint64_t ids[] = {7, 1ull << 32 | 8, 9};
    const struct {
        struct answer_header header;
        struct prune_notice notice;
        uint64_t ids[3];
    } expected = {{sizeof expected, NOTIFY_PRUNE, 0}, {.count = 3}, {7, 1ull << 32 | 8, 9}};
    struct kernel kernel;

    kernel_open(&kernel, state, EPOCHS_KNOWN, 1);
    connection_unwanted(kernel.worker.connection, ids, 3);
    hear(&kernel);
    assert_int_equal(kernel.said.header.len, sizeof expected);
    assert_memory_equal(&kernel.said, &expected, sizeof expected);
    kernel_close(&kernel);
}

/* An inode's attributes and bytes are to be forgotten. */
static void hear_inval(struct kernel *kernel, uint64_t node)
{
    hear(kernel);
    assert_int_equal(kernel->said.header.error, FUSE_NOTIFY_INVAL_INODE);
    assert_true(kernel->said.header.unique == 0);
    assert_int_equal(kernel->said.inval.ino, node);
}

static void test_changes_are_told(void **state)
{
    struct kernel kernel;

    kernel_open(&kernel, state, EPOCHS_KNOWN, 1);
    uint64_t repo = look_along(&kernel, "repo"), file = look_along(&kernel, "repo/1/file");
    connection_folder_changed(kernel.worker.connection, (uint32_t)repo - 1, false);
    hear_inval(&kernel, repo);
    connection_folder_changed(kernel.worker.connection, (uint32_t)repo - 1, true);
    hear(&kernel);
    assert_int_equal(kernel.said.header.error, NOTIFY_INC_EPOCH);
    hear_inval(&kernel, repo);
    connection_file_corrected(kernel.worker.connection, (uint32_t)file - 1);
    hear_inval(&kernel, file);
    assert_int_equal(kernel.said.inval.off, -1);
    kernel_close(&kernel);
}

/* An old kernel: no epochs, and a mount that somebody else has made. */
static void test_what_an_old_kernel_is_told(void **state)
{
    struct kernel kernel;

    kernel_open(&kernel, state, EPOCHS_UNKNOWN, 0);
    assert_int_equal(kernel.said.init.flags2 & ALLOW_IDMAP, 0);
    uint64_t repo = look_along(&kernel, "repo");
    assert_int_equal(kernel.said.entry.entry_valid, 1); /* it cannot be told when that changes */
    connection_folder_changed(kernel.worker.connection, (uint32_t)repo - 1, true);
    hear_inval(&kernel, repo);
    look_along(&kernel, ".startpointfs/sets");
    assert_int_equal(kernel.said.entry.entry_valid, 1);
    kernel_close(&kernel);
}

static void test_what_is_said_of_a_node(void **state)
{
    static const struct {
        const char *path;
        unsigned mode;
        uint64_t entry_valid, attr_valid, size;
    } cases[] = {
        {"repo", S_IFDIR | 0555, FOR_EVER, 1, 0},
        {"repo/1", S_IFDIR | 0555, FOR_EVER, FOR_EVER, 0},
        {"repo/2", S_IFDIR | 0555, FOR_EVER, FOR_EVER, 0}, /* not fetched yet */
        {"repo/release", S_IFDIR | 0555, FOR_EVER, 1, 0},
        {"repo/main", S_IFDIR | 0555, 1, FOR_EVER, 0},
        {"repo/later", S_IFDIR | 0555, 1, 0, 0}, /* not fetched yet */
        {"repo/1/file", S_IFREG | 0444, FOR_EVER, FOR_EVER, 2},
        {"repo/1/run", S_IFREG | 0555, FOR_EVER, FOR_EVER, 513},
        {"repo/1/link", S_IFLNK | 0777, FOR_EVER, FOR_EVER, 4},
        {"repo/1/folder", S_IFDIR | 0555, FOR_EVER, FOR_EVER, 0},
        {"repo/main/folder/file", S_IFREG | 0444, FOR_EVER, FOR_EVER, 5},
        {".startpointfs", S_IFDIR | 0555, FOR_EVER, 1, 0},
        {".startpointfs/status.json", S_IFREG | 0444, FOR_EVER, 0, 4},
    };
    struct kernel kernel;

    kernel_open(&kernel, state, EPOCHS_KNOWN, 1);
    kernel.mounted.settings.uid = 17;
    kernel.mounted.settings.gid = 18;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t node = look_along(&kernel, cases[i].path);
        const struct fuse_entry_out entry = kernel.said.entry;
        const struct fuse_getattr_in nothing = {0};
        if (entry.attr.mode != cases[i].mode || entry.entry_valid != cases[i].entry_valid ||
            entry.attr_valid != cases[i].attr_valid || entry.attr.size != cases[i].size)
            fail_msg("%s: mode %o, good for %lu s and %lu s, size %lu", cases[i].path,
                     entry.attr.mode, (unsigned long)entry.entry_valid,
                     (unsigned long)entry.attr_valid, (unsigned long)entry.attr.size);
        assert_int_equal(entry.attr.blocks, (entry.attr.size + 511) / 512);
        assert_true(entry.attr.uid == 17 && entry.attr.gid == 18 && entry.attr.nlink == 1);
        assert_true(entry.attr.ino == node && entry.attr.ctime == entry.attr.mtime &&
                    entry.attr.atime == entry.attr.mtime);
        assert_int_equal(ask_for(&kernel, FUSE_GETATTR, node, &nothing, sizeof nothing), 0);
        assert_memory_equal(&kernel.said.attr.attr, &entry.attr, sizeof entry.attr);
        assert_int_equal(kernel.said.attr.attr_valid, cases[i].attr_valid);
    }
    kernel_close(&kernel);
}

static void test_times_are_the_commits(void **state)
{
    static const char *const paths[] = {"repo/1", "repo/1/file", "repo/1/folder", "repo/main"};
    struct kernel kernel;

    kernel_open(&kernel, state, EPOCHS_KNOWN, 1);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        look_along(&kernel, paths[i]);
        assert_int_equal(kernel.said.entry.attr.mtime, 1234567890);
    }
    kernel_close(&kernel);
}

static void test_what_is_not_there(void **state)
{
    char name[NODE_NAME_MAX + 2] = {0};
    struct kernel kernel;

    kernel_open(&kernel, state, EPOCHS_KNOWN, 1);
    uint64_t repo = look_along(&kernel, "repo"), folder = look_along(&kernel, "repo/1/folder");
    assert_int_equal(look(&kernel, repo, "none"), -ENOENT);
    assert_int_equal(look(&kernel, look_along(&kernel, "repo/main"), "none"), 0);
    assert_true(kernel.said.entry.nodeid == 0 && kernel.said.entry.entry_valid == FOR_EVER);
    assert_int_equal(look(&kernel, folder, "none"), 0);
    assert_true(kernel.said.entry.nodeid == 0 && kernel.said.entry.entry_valid == FOR_EVER);
    memset(name, 'x', NODE_NAME_MAX);
    assert_int_equal(look(&kernel, folder, name), 0);
    name[NODE_NAME_MAX] = 'x';
    assert_int_equal(look(&kernel, folder, name), -ENAMETOOLONG);
    assert_int_equal(look(&kernel, folder | 1ull << 32, "file"), -ESTALE);
    kernel_close(&kernel);
}

static void test_what_is_held_is_forgotten(void **state)
{
    const struct fuse_forget_in twice = {2};
    struct kernel kernel;
    struct {
        struct fuse_batch_forget_in head;
        struct fuse_forget_one each[2];
    } both = {.head = {.count = 2}};

    kernel_open(&kernel, state, EPOCHS_KNOWN, 1);
    uint64_t repo = look_along(&kernel, "repo");
    look_along(&kernel, "repo");
    assert_int_equal(node_holds(kernel.worker.mount.nodes, (uint32_t)repo - 1), 2);
    ask_for(&kernel, FUSE_FORGET, repo, &twice, sizeof twice);
    while (node_holds(kernel.worker.mount.nodes, (uint32_t)repo - 1) > 0)
        sched_yield();
    both.each[0] = (struct fuse_forget_one){look_along(&kernel, "repo"), 1};
    both.each[1] = (struct fuse_forget_one){look_along(&kernel, "repo/release"), 1};
    both.each[0].nlookup++; /* on the way to the other */
    ask_for(&kernel, FUSE_BATCH_FORGET, 0, &both, sizeof both);
    for (int i = 0; i < 2; i++)
        while (node_holds(kernel.worker.mount.nodes, (uint32_t)both.each[i].nodeid - 1) > 0)
            sched_yield();
    kernel_close(&kernel);
}

/* What a folder lists from an offset on, in as many bytes as that; the last entry's offset is where it goes on. */
static const char *list(struct kernel *kernel, uint64_t folder, uint64_t *offset, uint32_t room)
{
    static char text[1000];
    const struct fuse_read_in read = {.offset = *offset, .size = room};

    *text = '\0';
    assert_int_equal(ask_for(kernel, FUSE_READDIR, folder, &read, sizeof read), 0);
    size_t size = kernel->said.header.len - sizeof kernel->said.header;
    assert_true(size <= room);
    for (size_t at = 0; at < size;) {
        const struct fuse_dirent *entry = (const struct fuse_dirent *)(kernel->said.bytes + at);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%.*s ", (int)entry->namelen,
                 entry->name);
        *offset = entry->off;
        at += FUSE_DIRENT_SIZE(entry);
    }
    return text;
}

static void test_a_folder_is_listed_from_any_entry_on(void **state)
{
    static const char *const entries[] = {". ", ".. ", "file ", "folder ", "link ", "run ", ""};
    struct kernel kernel;
    uint64_t offset = 0;

    kernel_open(&kernel, state, EPOCHS_KNOWN, 1);
    uint64_t folder = look_along(&kernel, "repo/1");
    assert_string_equal(list(&kernel, folder, &offset, 4096), ". .. file folder link run ");
    assert_string_equal(list(&kernel, folder, &offset, 4096), "");
    offset = 0; /* in which one has just room */
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
        assert_string_equal(list(&kernel, folder, &offset, 32), entries[i]);
    kernel_close(&kernel);
}

/* The numbers that `ls -a` shows are those that looking up says, and what is told with attributes is held. */
static void test_a_listing_tells_the_same_numbers(void **state)
{
    static const struct {
        const char *folder, *above, *name;
    } cases[] = {{"repo/1", "repo", "folder"},
                 {"repo/1/folder", "repo/1", "file"},
                 {"repo/main", "repo", "folder"},
                 {"repo/main/folder", "repo/main", "file"}};
    const struct fuse_read_in read = {.size = 4096};
    struct kernel kernel;

    kernel_open(&kernel, state, EPOCHS_KNOWN, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t above = look_along(&kernel, cases[i].above),
                 folder = look_along(&kernel, cases[i].folder), seen = 0;
        uint64_t child = look(&kernel, folder, cases[i].name) == 0 ? kernel.said.entry.nodeid : 0;
        uint64_t held = node_holds(kernel.worker.mount.nodes, (uint32_t)child - 1), told = 0;
        assert_int_equal(ask_for(&kernel, FUSE_READDIRPLUS, folder, &read, sizeof read), 0);
        size_t size = kernel.said.header.len - sizeof kernel.said.header;
        for (size_t at = 0; at < size;) {
            const struct fuse_direntplus *entry =
                (const struct fuse_direntplus *)(kernel.said.bytes + at);
            uint64_t number = entry->dirent.ino;
            if (entry->dirent.name[0] == '.') {
                assert_true(number == (entry->dirent.namelen == 1 ? folder : above));
                assert_true(entry->entry_out.nodeid == 0);
            } else {
                assert_true(number == entry->entry_out.nodeid);
                seen += number == child;
                told++;
            }
            at += FUSE_DIRENTPLUS_SIZE(entry);
        }
        assert_int_equal(seen, 1);
        assert_int_equal(node_holds(kernel.worker.mount.nodes, (uint32_t)child - 1), held + told);
    }
    kernel_close(&kernel);
}

static void test_bytes_from_any_offset_on(void **state)
{
    struct kernel kernel;

    kernel_open(&kernel, state, EPOCHS_KNOWN, 1);
    uint64_t file = look_along(&kernel, "repo/1/folder/file"); /* "deep\n" */
    for (uint64_t offset = 0; offset <= 6; offset++)
        for (uint32_t size = 1; size <= 6; size++) {
            const struct fuse_read_in read = {.offset = offset, .size = size};
            assert_int_equal(ask_for(&kernel, FUSE_READ, file, &read, sizeof read), 0);
            size_t left = offset < 5 ? 5 - offset : 0, expected = left < size ? left : size;
            assert_int_equal(kernel.said.header.len, sizeof kernel.said.header + expected);
            assert_memory_equal(kernel.said.bytes, "deep\n" + (left ? offset : 0), expected);
        }
    const struct fuse_read_in read = {.size = 10};
    assert_int_equal(ask_for(&kernel, FUSE_READ, look_along(&kernel, "repo/1"), &read, sizeof read),
                     -EISDIR);
    assert_int_equal(ask_for(&kernel, FUSE_READLINK, look_along(&kernel, "repo/1/link"), NULL, 0),
                     0);
    assert_int_equal(kernel.said.header.len, sizeof kernel.said.header + 4);
    assert_memory_equal(kernel.said.bytes, "file", 4);
    kernel_close(&kernel);
}

static void wait_for_holds(const struct kernel *kernel, uint64_t id, uint64_t holds)
{
    time_t end = time(NULL) + 20;

    while (refused || node_holds(kernel->worker.mount.nodes, (uint32_t)id - 1) != holds) {
        assert_true(time(NULL) < end);
        sched_yield();
    }
}

/* The kernel holds what it has been told, and the answer to a request that is over it does not take. */
static void test_what_is_not_taken_is_not_held(void **state)
{
    const struct fuse_read_in read = {.size = 4096};
    struct kernel kernel;

    kernel_open(&kernel, state, EPOCHS_KNOWN, 1);
    uint64_t repo = look_along(&kernel, "repo"), prefix = look_along(&kernel, "repo/release");
    uint64_t before = node_holds(kernel.worker.mount.nodes, (uint32_t)prefix - 1);
    refused = ENOENT;
    look(&kernel, repo, "release");
    wait_for_holds(&kernel, prefix, before);
    uint64_t folder = look_along(&kernel, "repo/1"), file = look_along(&kernel, "repo/1/file");
    before = node_holds(kernel.worker.mount.nodes, (uint32_t)file - 1);
    refused = ENOENT;
    ask_for(&kernel, FUSE_READDIRPLUS, folder, &read, sizeof read);
    wait_for_holds(&kernel, file, before);
    kernel_close(&kernel);
}

/* A later worker's answer to the first request: the kernel has had it. */
static void test_the_first_request_is_answered_once(void **state)
{
    struct kernel kernel;

    kernel_prepare(&kernel, state, EPOCHS_KNOWN, 1);
    refused = ENOENT;
    kernel_begin(&kernel);
    assert_int_equal(look(&kernel, FUSE_ROOT_ID, "repo"), 0);
    kernel_close(&kernel);
}

static void test_df(void **state)
{
    struct kernel kernel;

    kernel_open(&kernel, state, EPOCHS_KNOWN, 1);
    assert_int_equal(ask_for(&kernel, FUSE_STATFS, FUSE_ROOT_ID, NULL, 0), 0);
    const struct nodes *nodes = kernel.worker.mount.nodes;
    assert_int_equal(kernel.said.statfs.st.namelen, NODE_NAME_MAX);
    assert_int_equal(kernel.said.statfs.st.files, nodes_max(nodes));
    assert_int_equal(kernel.said.statfs.st.ffree, nodes_max(nodes) - nodes_taken(nodes));
    kernel_close(&kernel);
}

/* Until no request is worked on. */
static void wait_for_none(const struct kernel *kernel)
{
    time_t end = time(NULL) + 20;

    while (!inflight_is_empty(&kernel->worker.mount.state->inflight)) {
        assert_true(time(NULL) < end);
        sched_yield();
    }
}

/* Three workers have died of a request: it is refused, and so is what is like it, and nothing else. */
static void test_what_workers_died_of_is_refused(void **state)
{
    struct kernel kernel;

    kernel_open(&kernel, state, EPOCHS_KNOWN, 1);
    uint64_t folder = look_along(&kernel, "repo/1/folder");
    crash_record_condemn(&kernel.worker.mount.state->inflight.requests, kernel.unique + 2);
    assert_int_equal(look(&kernel, folder, "file"), -EIO);
    assert_int_equal(look(&kernel, folder, "file"), -EIO);
    assert_int_equal(look(&kernel, folder, "filf"), 0);
    assert_int_equal(look(&kernel, look_along(&kernel, "repo/1"), "file"), 0);
    wait_for_none(&kernel);
    kernel_close(&kernel);
}

static void test_requests_are_counted(void **state)
{
    struct kernel kernel;

    kernel_open(&kernel, state, EPOCHS_KNOWN, 1);
    const _Atomic uint64_t *requests = kernel.worker.mount.state->requests;
    look_along(&kernel, "repo/1");
    ask_for(&kernel, FUSE_STATFS, FUSE_ROOT_ID, NULL, 0);
    assert_int_equal(requests[OPERATION_INIT], 1);
    assert_int_equal(requests[OPERATION_LOOKUP], 2);
    assert_int_equal(requests[OPERATION_STATFS], 1);
    assert_int_equal(requests[OPERATION_GETATTR], 0);
    kernel_close(&kernel);
}

#define LEFT_READ 7001 /* two requests that the last worker left: read only, and begun */
#define LEFT_WORK 7003

static struct first_request *first_request(const struct kernel *kernel)
{
    return (struct first_request *)kernel->mounted.mount.state->init;
}

static void leave_requests(struct kernel *kernel)
{
    struct inflight *inflight = &kernel->mounted.mount.state->inflight;

    inflight->heads[3] = (struct request_header){.opcode = OP_LOOKUP, .unique = LEFT_READ};
    crash_record_work(&inflight->requests, LEFT_WORK);
    kernel->again = true;
}

/* A kernel that can send again what was not answered is asked to. */
static void test_what_the_last_worker_left_is_sent_again(void **state)
{
    struct kernel kernel;

    kernel_prepare(&kernel, state, EPOCHS_KNOWN, 1);
    first_request(&kernel)->init.flags2 |= HAS_RESEND;
    leave_requests(&kernel);
    kernel_begin(&kernel);
    hear(&kernel);
    assert_int_equal(kernel.said.header.error, NOTIFY_RESEND);
    assert_int_equal(kernel.said.header.unique, 0);
    struct crash_record *requests = &kernel.worker.mount.state->inflight.requests;
    assert_int_equal(crash_record_deaths(requests, LEFT_WORK), 1);
    assert_int_equal(look(&kernel, FUSE_ROOT_ID, "repo"), 0);
    /* It comes with a mark in its number, and is the same all the same. */
    kernel.unique = (LEFT_WORK | RESENT) - 2;
    assert_int_equal(look(&kernel, FUSE_ROOT_ID, "repo"), 0);
    wait_for_none(&kernel);
    crash_record_condemn(requests, LEFT_WORK);
    kernel.unique -= 2;
    assert_int_equal(look(&kernel, FUSE_ROOT_ID, "repo"), -EIO);
    wait_for_none(&kernel);
    kernel_close(&kernel);
}

/* Any other one waits for answers. */
static void test_what_the_last_worker_left_is_refused(void **state)
{
    for (int how = 0; how < 3; how++) {
        struct kernel kernel;
        kernel_prepare(&kernel, state, EPOCHS_KNOWN, 1);
        if (how == 1) /* that would be flags2, if there were one */
            first_request(&kernel)->init.flags &= ~INIT_EXT;
        if (how > 0)
            first_request(&kernel)->init.flags2 |= HAS_RESEND;
        if (how == 2)
            kernel.mounted.settings.no_resend = true;
        leave_requests(&kernel);
        kernel_begin(&kernel);
        for (int i = 0; i < 2; i++) {
            hear(&kernel);
            assert_int_equal(kernel.said.header.error, -EIO);
            assert_int_equal(kernel.said.header.unique, i ? LEFT_READ : LEFT_WORK);
        }
        assert_int_equal(look(&kernel, FUSE_ROOT_ID, "repo"), 0);
        kernel_close(&kernel);
        run(*state, "rm -rf repo cache");
    }
}

static void test_a_first_worker_recovers_nothing(void **state)
{
    struct kernel kernel;

    kernel_prepare(&kernel, state, EPOCHS_KNOWN, 1);
    leave_requests(&kernel);
    kernel.again = false;
    kernel_begin(&kernel);
    assert_int_equal(look(&kernel, FUSE_ROOT_ID, "repo"), 0);
    crash_record_end(&kernel.worker.mount.state->inflight.requests, LEFT_WORK);
    kernel_close(&kernel);
}

/* Whether it takes epochs is asked once in the life of a mount. */
static void test_a_kernel_is_asked_for_epochs_once(void **state)
{
    struct kernel kernel;

    kernel_open(&kernel, state, EPOCHS_UNASKED, 1);
    hear(&kernel);
    assert_int_equal(kernel.said.header.error, NOTIFY_INC_EPOCH);
    assert_int_equal(kernel.worker.mount.state->has_epochs, EPOCHS_KNOWN);
    kernel_close(&kernel);
}

/* What the kernel says where there is nothing to read. */
static void refuse_to_read(const struct kernel *kernel, int errnum)
{
    const char byte = (char)errnum;
    assert_int_equal(send(kernel->fd, &byte, 1, 0), 1);
}

/* A request may be taken back while it is read. */
static void test_reading_for_nothing(void **state)
{
    static const int errors[] = {EINTR, EAGAIN, ENOENT};
    struct kernel kernel;

    kernel_open(&kernel, state, EPOCHS_KNOWN, 1);
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        refuse_to_read(&kernel, errors[i]);
        assert_int_equal(look(&kernel, FUSE_ROOT_ID, "repo"), 0);
    }
    kernel_close(&kernel);
}

static void test_a_mount_that_is_taken_away(void **state)
{
    static const int errors[] = {ENODEV, ECONNABORTED};

    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        struct kernel kernel;
        kernel_open(&kernel, state, EPOCHS_KNOWN, 1);
        refuse_to_read(&kernel, errors[i]);
        kernel_free(&kernel);
        assert_int_equal(kernel.ended, CONNECTION_UNMOUNTED);
        run(*state, "rm -rf repo cache");
    }
}

static void test_a_conversation_that_breaks(void **state)
{
    struct kernel kernel;

    kernel_open(&kernel, state, EPOCHS_KNOWN, 1);
    shutdown(kernel.fd, SHUT_WR);
    kernel_free(&kernel);
    assert_int_equal(kernel.ended, -EIO);
    assert_string_equal(kernel.error.text, "cannot read the kernel's requests: Input/output error");
}

static void test_a_first_request_that_cannot_be(void **state)
{
    for (int how = 0; how < 2; how++) {
        struct kernel kernel;
        kernel_prepare(&kernel, state, EPOCHS_KNOWN, 1);
        kernel.mounted.mount.state->init_size =
            how ? sizeof kernel.mounted.mount.state->init + 1 : sizeof(struct init_request) - 1;
        kernel.worker.mount = kernel.mounted.mount;
        kernel.worker.texts = texts_new(make_text, NULL);
        kernel.fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        kernel.worker.connection = connection_new(&kernel.worker, kernel.fd);
        assert_int_equal(pthread_create(&kernel.thread, NULL, serve, &kernel), 0);
        kernel_free(&kernel);
        assert_int_equal(kernel.ended, -EIO);
        assert_non_null(strstr(kernel.error.text, "the mount's state is damaged"));
        run(*state, "rm -rf repo cache");
    }
}

/* Where no more may be started, as with pids.max. */
static void test_one_thread_will_do(void **state)
{
    struct kernel kernel;

    kernel_prepare(&kernel, state, EPOCHS_KNOWN, 1);
    threads_left = 2; /* the test's, and one that reads */
    kernel_begin(&kernel);
    threads_left = -1;
    for (int i = 0; i < 10; i++)
        assert_int_equal(look(&kernel, FUSE_ROOT_ID, "repo"), 0);
    kernel_close(&kernel);
    run(*state, "rm -rf repo cache");
    kernel_prepare(&kernel, state, EPOCHS_KNOWN, 1);
    threads_left = 1;
    kernel_begin(&kernel);
    threads_left = -1;
    kernel_free(&kernel);
    assert_int_equal(kernel.ended, -EAGAIN);
    assert_non_null(strstr(kernel.error.text, "cannot start a thread: "));
}

/* A folder whose listing is refs_ttl seconds old is later each second, so that the kernel asks for it. */
static void test_an_old_listing_makes_its_folder_later(void **state)
{
    static const int64_t ages[] = {30, 60};
    const struct fuse_getattr_in nothing = {0};
    struct kernel kernel;

    kernel_open(&kernel, state, EPOCHS_KNOWN, 1);
    kernel.mounted.settings.refs_ttl = 60;
    uint64_t node = look_along(&kernel, "repo");
    struct repo *repo = repos_at(&kernel.worker.mount.repos, 0);
    const struct listing *listing = repository_listing_get(repo->repository);
    for (size_t i = 0; i < sizeof ages / sizeof *ages; i++) {
        ((struct listing *)listing)->listed_at = clock_wall() / 1000 - ages[i];
        assert_int_equal(ask_for(&kernel, FUSE_GETATTR, node, &nothing, sizeof nothing), 0);
        int64_t time =
            (int64_t)kernel.said.attr.attr.mtime * 1000000000 + kernel.said.attr.attr.mtimensec;
        assert_int_equal(time > repo->changed_at, ages[i] == 60);
    }
    repository_listing_put(repo->repository, listing);
    kernel_close(&kernel);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_agreed_on),
        TEST(test_what_is_unwanted_is_said_whole),
        TEST(test_changes_are_told),
        TEST(test_what_an_old_kernel_is_told),
        TEST(test_what_is_said_of_a_node),
        TEST(test_times_are_the_commits),
        TEST(test_what_is_not_there),
        TEST(test_what_is_held_is_forgotten),
        TEST(test_a_folder_is_listed_from_any_entry_on),
        TEST(test_a_listing_tells_the_same_numbers),
        TEST(test_bytes_from_any_offset_on),
        TEST(test_what_is_not_taken_is_not_held),
        TEST(test_the_first_request_is_answered_once),
        TEST(test_df),
        TEST(test_what_workers_died_of_is_refused),
        TEST(test_requests_are_counted),
        TEST(test_what_the_last_worker_left_is_sent_again),
        TEST(test_what_the_last_worker_left_is_refused),
        TEST(test_a_first_worker_recovers_nothing),
        TEST(test_a_kernel_is_asked_for_epochs_once),
        TEST(test_reading_for_nothing),
        TEST(test_a_mount_that_is_taken_away),
        TEST(test_a_conversation_that_breaks),
        TEST(test_a_first_request_that_cannot_be),
        TEST(test_one_thread_will_do),
        TEST(test_an_old_listing_makes_its_folder_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
