/* mounted.h - a mount without a kernel: all that a worker has but FUSE, of local repositories. For the
 * tests of fs/tree. */
#ifndef TESTS_MOUNTED_H
#define TESTS_MOUNTED_H

#include <stdatomic.h>
#include <sys/mman.h>

#include "fs/shared/children.h"
#include "fs/tree/ask.h"
#include "fs/tree/checkout.h"
#include "fs/tree/control_folder.h"
#include "fs/tree/files_ahead.h"
#include "fs/tree/lists.h"
#include "fs/tree/lists_open.h"
#include "fs/tree/namespace.h"
#include "fs/tree/parked.h"
#include "fs/tree/publish.h"
#include "fs/tree/readings.h"
#include "fs/tree/refresh.h"
#include "fs/tree/room.h"
#include "gitcache/base/library.h"
#include "gitcache/fetch/pool.h"
#include "tests/unit/sandbox.h"

struct mounted {
    struct sandbox *box;
    struct settings settings;
    struct mount mount;
    atomic_uint changes, renames; /* what the observer was told */
};

static void count_change(void *data, uint32_t folder, bool renamed)
{
    struct mounted *mounted = data;

    (void)folder;
    mounted->changes++;
    atomic_fetch_add(&mounted->renames, renamed);
}

/* What a worker has before it reads lists, as worker.c makes it; it maps what the last one left, at the descriptors given. 0, or a
 * negative errno. */
static int worker_begins_with(struct mounted *mounted, int nodes_fd, int state_fd, struct error *e)
{
    struct mount *mount = &mounted->mount;

    *mount = (struct mount){.settings = &mounted->settings,
                            .observer = {.folder_changed = count_change, .data = mounted}};
    pthread_mutex_init(&mount->folders, NULL);
    pthread_mutex_init(&mount->reclaim, NULL);
    pthread_mutex_init(&mount->fetch_trial, NULL);
    pthread_mutex_init(&mount->versions_ahead.lock, NULL);
    int r = nodes_map(&mount->nodes, nodes_fd, e);
    if (r == 0)
        r = state_map(&mount->state, state_fd, e);
    if (r == 0)
        r = cache_open(&mount->cache, mounted->settings.cache, false, e);
    if (r < 0)
        return r;
    repos_init(&mount->repos, mount->nodes, mount->cache);
    mount->parked = parked_new(30000);
    mount->blobs = blobs_new(1 << 20, 1 << 30);
    mount->files_ahead = files_ahead_new(mount);
    mount->readings = readings_new(mount);
    mount->room = room_new(mount);
    mount->pool = pool_new(4, &mounted->settings.remote, refresh_run, mount);
    if (!mount->parked || !mount->blobs || !mount->files_ahead || !mount->readings ||
        !mount->room || !mount->pool || checkout_init(mount) < 0)
        return error_no_memory(e);
    r = publish_root(mount, e);
    return r < 0 ? r : control_folder_open(mount, e);
}

/* A worker begins. */
static void worker_begins(struct mounted *mounted, int nodes_fd, int state_fd, const char *source)
{
    struct error e = {0};
    char *operands[] = {(char *)source};
    int r = worker_begins_with(mounted, nodes_fd, state_fd, &e);

    if (r == 0)
        r = lists_open(&mounted->mount, mounted->box->folder, operands, source ? 1 : 0, &e);
    if (r != 0)
        fail_msg("%s", e.text);
}

static void worker_ends(struct mounted *mounted)
{
    struct mount *mount = &mounted->mount;

    assert_true(pool_stop(mount->pool, 10000));
    assert_true(files_ahead_stop(mount->files_ahead, 10000));
    assert_true(readings_stop(mount->readings, 10000));
    assert_true(room_stop(mount->room, 10000));
    room_free(mount->room);
    blobs_free(mount->blobs);
    parked_free(mount->parked);
    lists_close(mount);
    repos_release(&mount->repos);
    checkout_release(mount);
    cache_close(mount->cache);
    nodes_unmap(mount->nodes);
    munmap(mount->state, sizeof *mount->state);
}

/* What is there before a worker begins. */
static void mounted_prepare(struct mounted *mounted, void **state)
{
    struct error e = {0};
    char cache[200];

    *mounted = (struct mounted){.box = *state};
    assert_int_equal(library_open(&e), 0);
    assert_int_equal(settings_init(&mounted->settings), 0);
    snprintf(cache, sizeof cache, "%s/cache", mounted->box->folder);
    assert_int_equal(settings_folder(&mounted->settings.cache, cache), 0);
}

/* Mounts a source (NULL: the sets); relative paths are relative to the sandbox. */
__attribute__((unused)) static void mounted_open(struct mounted *mounted, void **state,
                                                 const char *source)
{
    struct error e = {0};
    int nodes_fd, state_fd;

    mounted_prepare(mounted, state);
    nodes_fd = nodes_create(100000, 1, &e);
    state_fd = state_create(&e);
    assert_true(nodes_fd >= 0 && state_fd >= 0);
    worker_begins(mounted, nodes_fd, state_fd, source);
    lists_publish_first(&mounted->mount);
    close(nodes_fd);
    close(state_fd);
}

static void mounted_close(struct mounted *mounted)
{
    worker_ends(mounted);
    settings_release(&mounted->settings);
    library_close();
}

/* What it says from now on is in the file "said". The log, to be closed after it. */
__attribute__((unused)) static struct log *mounted_log(struct mounted *mounted,
                                                       enum log_level level)
{
    char path[100];

    snprintf(path, sizeof path, "%s/said", mounted->box->folder);
    assert_int_equal(log_open(&mounted->mount.log, level, path, true), 0);
    return mounted->mount.log;
}

/* In how many lines. */
__attribute__((unused)) static int said(void **state, const char *what)
{
    return atoi(output(*state, "grep -c '%s' said; true", what));
}

/* Waits until nothing is fetched or read. */
static void settle(struct mounted *mounted)
{
    pool_drain(mounted->mount.pool);
    readings_drain(mounted->mount.readings);
    pool_drain(mounted->mount.pool);
}

/* Waits for what a call that said -EAGAIN asked for, as a request does that is parked. */
static void wait_for_work(struct mounted *mounted, struct ask *ask)
{
    assert_non_null(ask->work);
    settle(mounted);
    assert_false(atomic_load(&ask->work->running));
}

/* Looks a name up as a reader does. 0 or a negative errno. */
__attribute__((unused)) static int look_up(struct mounted *mounted, uint32_t folder,
                                           const char *name, uint32_t *child)
{
    struct ask ask = {0};
    int r;

    while ((r = namespace_lookup(&mounted->mount, folder, name, &ask, child)) == -EAGAIN)
        wait_for_work(mounted, &ask);
    return r;
}

/* Opens a folder likewise. */
__attribute__((unused)) static int open_folder(struct mounted *mounted, uint32_t folder)
{
    struct ask ask = {0};
    int r;

    while ((r = namespace_open_folder(&mounted->mount, folder, &ask)) == -EAGAIN)
        wait_for_work(mounted, &ask);
    return r;
}

/* The node of a path below the root; the test fails if there is none. */
__attribute__((unused)) static uint32_t walk(struct mounted *mounted, const char *path)
{
    char copy[1000], *rest = copy, *name;
    uint32_t node = NODE_ROOT_INDEX;

    snprintf(copy, sizeof copy, "%s", path);
    while ((name = strsep(&rest, "/")))
        if (look_up(mounted, node, name, &node) != 0)
            fail_msg("%s: there is no %s", path, name);
    return node;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names that a folder lists, sorted, with a blank between. Valid until the next call. */
__attribute__((unused)) static const char *listed(struct mounted *mounted, uint32_t folder)
{
    static char text[10000];
    char *names[1000];
    struct namespace_entry child;
    uint64_t offset = 0;
    size_t count = 0;

    assert_int_equal(open_folder(mounted, folder), 0);
    while (count < 1000 && namespace_next(&mounted->mount, folder, &offset, &child) == 0)
        names[count++] = strdup(child.name);
    qsort(names, count, sizeof *names, compare_texts);
    *text = '\0';
    for (size_t i = 0; i < count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "", names[i]);
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    return text;
}

/* A repository with the tags 1, 2 and release/3 on the branch main, a file and a folder in each. */
__attribute__((unused)) static void make_repository(const struct sandbox *box)
{
    run_once(box,
             "git init -q repo; cd repo; mkdir folder; echo deep >folder/file; echo 1 >file;"
             "git add .; git commit -qm 1; git tag 1; echo 2 >file; git commit -qam 2; git tag 2;"
             "git tag release/3; git config uploadpack.allowAnySHA1InWant true");
}

/* All objects of all packs in the cache; their sizes and last bytes stay. */
__attribute__((unused)) static void damage_packs(const struct sandbox *box)
{
    run(box, "for p in $(find cache -name '*.pack'); do chmod u+w $p;"
             "head -c $(($(stat -c %%s $p) - 32)) /dev/zero | dd of=$p bs=1 seek=12 "
             "conv=notrunc status=none; done");
}

#endif
