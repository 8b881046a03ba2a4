/* test_fuse_mount.c - what a supervisor notes of a mount that it has made, or taken over from another. The mount is somebody else's
 * that hands over its descriptor: here a pipe, with what the kernel says first in it. */
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/exit.h"
#include "fs/supervisor/fuse_mount.h"
#include "fs/supervisor/mount_table.h"
#include "fs/supervisor/spawn.h"
#include "fs/supervisor/unmount.h"

#define FIRST "the kernel's first request"

static const struct notify nobody = {-1};

/* Of a mount that lies somewhere: */
static struct {
    bool is_there;
    uint64_t device;
    unsigned by_libfuse, by_us; /* how often it was unmounted */
    bool is_lazy;
} seen;

void __real_fuse_session_unmount(struct fuse_session *session);
void __wrap_fuse_session_unmount(struct fuse_session *session);
int __wrap_unmount_at(const char *mountpoint, bool lazy);
int __wrap_mount_table_find(const char *mountpoint, struct mount_row *row);

void __wrap_fuse_session_unmount(struct fuse_session *session)
{
    seen.by_libfuse++;
    __real_fuse_session_unmount(session);
}

int __wrap_unmount_at(const char *mountpoint, bool lazy)
{
    assert_string_equal(mountpoint, "/mnt/somewhere");
    seen.by_us++;
    seen.is_lazy = lazy;
    return 0;
}

int __wrap_mount_table_find(const char *mountpoint, struct mount_row *row)
{
    (void)mountpoint;
    row->device = seen.device;
    return seen.is_there;
}

/* A mount, as it was made for what has that hash. */
static void make(struct fuse_mount *mount, struct custody *custody, uint64_t operands)
{
    static char place[30];
    const struct settings settings = {.max_nodes = 1024};
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], FIRST, sizeof FIRST), sizeof FIRST);
    snprintf(place, sizeof place, "/dev/fd/%d", ends[0]);
    custody_open(custody, NULL, place, &nobody);
    assert_int_equal(fuse_mount_open(mount, &settings, "ro", custody, operands), EXIT_OK);
    /* Workers get a descriptor of their own. */
    assert_int_equal(fcntl(ends[0], F_GETFD), FD_CLOEXEC);
    close(ends[1]);
}

static void let_go(struct fuse_mount *mount)
{
    for (int i = 0; i < HELD_COUNT; i++)
        close(mount->fds[i]);
    state_unmap(mount->state);
    if (mount->session)
        fuse_session_destroy(mount->session); /* with the descriptor that it was given */
}

/* The next supervisor's. */
static void take_over(struct fuse_mount *next, const struct fuse_mount *mount,
                      struct custody *custody, uint64_t operands)
{
    const struct settings settings = {0};

    for (int i = 0; i < HELD_COUNT; i++)
        custody->found[i] = fcntl(mount->fds[i], F_DUPFD_CLOEXEC, SPAWN_FDS);
    assert_int_equal(fuse_mount_open(next, &settings, "ro", custody, operands), EXIT_OK);
    assert_true(fuse_mount_is_taken(next));
}

static off_t size_of(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 ? st.st_size : -1;
}

static void what_is_made_is_noted(void **state)
{
    struct fuse_mount mount;
    struct custody custody;

    (void)state;
    make(&mount, &custody, 7);
    assert_false(fuse_mount_is_taken(&mount));
    assert_true(fuse_mount_is_there(&mount));
    assert_int_equal(mount.state->init_size, sizeof FIRST);
    assert_string_equal(mount.state->init, FIRST);
    assert_string_equal(mount.state->mountpoint, custody.mountpoint);
    assert_int_equal(mount.state->device, 0);
    assert_int_equal(mount.state->operands, 7);
    for (int i = 0; i < HELD_COUNT; i++) {
        assert_true(mount.fds[i] >= SPAWN_FDS);
        assert_int_equal(fcntl(mount.fds[i], F_GETFD), FD_CLOEXEC);
    }
    let_go(&mount);
    custody_close(&custody);
}

/* What its worker was working on has not killed it. */
static void the_worker_of_one_that_is_taken_over_was_killed(void **state)
{
    struct fuse_mount mount, next;
    struct custody custody;

    (void)state;
    make(&mount, &custody, 7);
    assert_false(mount.state->was_killed);
    take_over(&next, &mount, &custody, 7);
    assert_true(next.state->was_killed);
    assert_int_equal(next.state->takeovers, 1);
    let_go(&next);
    let_go(&mount);
    custody_close(&custody);
}

static void what_the_lists_said_stays_for_the_same_lists(void **state)
{
    struct fuse_mount mount, next;
    struct custody custody;

    (void)state;
    make(&mount, &custody, 7);
    assert_int_equal(ftruncate(mount.fds[HELD_LISTS], 100), 0);
    take_over(&next, &mount, &custody, 7);
    assert_int_equal(size_of(mount.fds[HELD_LISTS]), 100);
    let_go(&next);
    take_over(&next, &mount, &custody, 8);
    assert_int_equal(size_of(mount.fds[HELD_LISTS]), 0);
    assert_int_equal(mount.state->operands, 8);
    let_go(&next);
    let_go(&mount);
    custody_close(&custody);
}

/* Once; and one that is inherited is somebody else's to unmount. */
static void what_was_made_is_unmounted(void **state)
{
    struct fuse_mount mount;
    struct custody custody;

    (void)state;
    memset(&seen, 0, sizeof seen);
    make(&mount, &custody, 7);
    fuse_mount_unmount(&mount);
    assert_int_equal(seen.by_libfuse, 1);
    assert_int_equal(seen.by_us, 0);
    for (int i = 0; i < HELD_COUNT; i++)
        close(mount.fds[i]);
    state_unmap(mount.state);
    fuse_mount_close(&mount);
    custody_close(&custody);
}

static void what_somebody_has_unmounted_is_let_be(void **state)
{
    struct fuse_mount mount;
    struct custody custody;

    (void)state;
    memset(&seen, 0, sizeof seen);
    make(&mount, &custody, 7);
    mount.mountpoint = "/mnt/somewhere";
    mount.state->device = 9;
    assert_false(fuse_mount_is_there(&mount));
    fuse_mount_unmount(&mount);
    assert_int_equal(seen.by_libfuse + seen.by_us, 0);
    let_go(&mount);
    custody_close(&custody);
}

/* libfuse knows nothing of it. Lazily: whoever is inside gets an error, and everybody else sees the folder below. */
static void what_was_taken_over_is_unmounted(void **state)
{
    static const struct {
        bool is_there;
        uint64_t device, known;
        const char *mountpoint;
        unsigned expected;
    } cases[] = {{true, 9, 9, "/mnt/somewhere", 1},
                 {true, 8, 9, "/mnt/somewhere", 0}, /* another one lies there */
                 {true, 9, 0, "/mnt/somewhere", 0}, /* perhaps */
                 {false, 9, 9, "/mnt/somewhere", 0},
                 {true, 9, 9, "/dev/fd/7", 0}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fuse_mount mount, next;
        struct custody custody;
        make(&mount, &custody, 7);
        mount.state->device = cases[i].known;
        take_over(&next, &mount, &custody, 7);
        next.mountpoint = cases[i].mountpoint;
        memset(&seen, 0, sizeof seen);
        seen.is_there = cases[i].is_there;
        seen.device = cases[i].device;
        fuse_mount_unmount(&next);
        assert_int_equal(seen.by_libfuse, 0);
        assert_int_equal(seen.by_us, cases[i].expected);
        assert_true(seen.is_lazy == (cases[i].expected == 1));
        let_go(&next);
        let_go(&mount);
        custody_close(&custody);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_made_is_noted),
        cmocka_unit_test(the_worker_of_one_that_is_taken_over_was_killed),
        cmocka_unit_test(what_the_lists_said_stays_for_the_same_lists),
        cmocka_unit_test(what_was_made_is_unmounted),
        cmocka_unit_test(what_somebody_has_unmounted_is_let_be),
        cmocka_unit_test(what_was_taken_over_is_unmounted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
