/* test_takeover.c - what of a mount that was left to others cannot be gone on with, and why. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/shared/fuse_message.h"
#include "fs/shared/last_reading.h"
#include "fs/shared/nodes.h"
#include "fs/supervisor/mount_table.h"
#include "fs/supervisor/takeover.h"
#include "tests/unit/apart.h"

/* What a supervisor has left, in good order but for the descriptor of /dev/fuse; and what is then spoilt. */
struct left {
    struct custody custody;
    struct state *state;
};

static void leave_at(struct left *left, const char *fuse, const char *place)
{
    static const struct notify nobody = {-1};
    struct error error;
    int *found = left->custody.found;

    custody_open(&left->custody, NULL, place, &nobody);
    found[HELD_FUSE] = open(fuse, O_RDWR | O_CLOEXEC);
    found[HELD_NODES] = nodes_create(1024, 0, &error);
    found[HELD_STATE] = state_create(&error);
    found[HELD_LISTS] = last_reading_create(&error);
    assert_int_equal(state_map(&left->state, found[HELD_STATE], &error), 0);
    left->state->init_size = sizeof(struct init_request);
    strcpy(left->state->mountpoint, place);
}

static void leave(struct left *left, const char *fuse)
{
    leave_at(left, fuse, "/mnt/start-points");
}

static void assert_refused(struct left *left, int expected, const char *said)
{
    struct error error = {0};

    assert_int_equal(takeover_check(&left->custody, "", &error), expected);
    assert_string_equal(error.text, said);
    for (int i = 0; i < HELD_COUNT; i++)
        assert_int_equal(left->custody.found[i], -1); /* closed */
    state_unmap(left->state);
    custody_close(&left->custody);
}

static void a_state_that_cannot_be(void **state)
{
    static const char said[] = "the held state is damaged";
    struct left left;

    (void)state;
    leave(&left, "/dev/null");
    left.state->init_size = sizeof(struct init_request) - 1;
    assert_refused(&left, -EPROTO, said);
    leave(&left, "/dev/null");
    left.state->init_size = sizeof left.state->init + 1;
    assert_refused(&left, -EPROTO, said);
    leave(&left, "/dev/null");
    memset(left.state->mountpoint, 'x', sizeof left.state->mountpoint);
    assert_refused(&left, -EPROTO, said);
    leave(&left, "/dev/null");
    memset(left.state->options, 'x', sizeof left.state->options);
    assert_refused(&left, -EPROTO, said);
}

static void a_mount_that_is_elsewhere_or_nowhere(void **state)
{
    struct left left;

    (void)state;
    leave(&left, "/dev/null");
    strcpy(left.state->mountpoint, "/mnt/start");
    assert_refused(&left, -EXDEV, "the held mount is on /mnt/start");
    leave(&left, "/dev/null");
    left.state->device = 1;
    assert_refused(&left, -EXDEV, "the held mount is no longer on /mnt/start-points");
    leave(&left, "/dev/null");
    assert_refused(&left, -EPROTO, "the held descriptor is not one of /dev/fuse");
    if (access("/dev/fuse", R_OK | W_OK) < 0)
        return;
    leave(&left, "/dev/fuse");
    left.state->init_size = sizeof left.state->init;
    assert_refused(&left, -ENOTCONN, "the held mount has been unmounted");
}

/* In a mount namespace of its own. */
static void mount_in_its_place(void *data)
{
    struct mount_row theirs, row;
    struct error error;
    struct left left;

    (void)data;
    CHECK(unshare(CLONE_NEWNS) == 0);
    CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    CHECK(mount("test", "/mnt", "tmpfs", 0, NULL) == 0);
    CHECK(mount_table_find("/mnt", &theirs) == 1);
    leave_at(&left, "/dev/null", "/mnt");
    left.state->device = theirs.device + 1;
    CHECK(takeover_check(&left.custody, "", &error) == -EXDEV);
    CHECK(mount_table_find("/mnt", &row) == 1 && row.device == theirs.device);
    /* One that is its own is taken away, if it cannot be gone on with. */
    leave_at(&left, "/dev/null", "/mnt");
    left.state->device = theirs.device;
    CHECK(takeover_check(&left.custody, "", &error) == -EPROTO);
    CHECK(mount_table_find("/mnt", &row) == 0 || row.device != theirs.device);
}

static void spoil_nothing(struct left *left)
{
    (void)left;
}

static void spoil_the_root(struct left *left)
{
    struct nodes *nodes;
    struct error error;

    CHECK(nodes_map(&nodes, left->custody.found[HELD_NODES], &error) == 0);
    ((struct node *)node_get(nodes, NODE_ROOT_INDEX))->kind = NODE_REPO;
    nodes_unmap(nodes);
}

static void spoil_the_name_of_the_root(struct left *left)
{
    struct nodes *nodes;
    struct error error;

    CHECK(nodes_map(&nodes, left->custody.found[HELD_NODES], &error) == 0);
    struct node *root = (struct node *)node_get(nodes, NODE_ROOT_INDEX);
    char *name = (char *)node_name(nodes, root);
    strcpy(name, "x");
    root->name_length = 1;
    nodes_unmap(nodes);
}

static void spoil_the_lists(struct left *left)
{
    CHECK(dup2(left->custody.found[HELD_FUSE], left->custody.found[HELD_LISTS]) >= 0);
}

static void spoil_the_options(struct left *left)
{
    strcpy(left->state->options, "ro");
}

/* A mount of FUSE that nobody answers yet, again and again, in a mount namespace of its own. */
static void go_on_with_it(void *data)
{
    static const struct {
        void (*spoil)(struct left *left);
        int expected;
        const char *said;
    } rows[] = {
        {spoil_nothing, 0, ""},
        {spoil_the_root, -EPROTO, "the held node table is damaged: it has no root"},
        {spoil_the_name_of_the_root, -EPROTO, "the held node table is damaged: it has no root"},
        {spoil_the_lists, -EPROTO, "the held lists are not in shared memory"},
        {spoil_the_options, -EINVAL, "it was mounted with other options (ro)"},
    };

    (void)data;
    CHECK(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct mount_row row;
        struct error error = {0};
        struct left left;
        char options[100];

        leave_at(&left, "/dev/fuse", "/mnt");
        snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0",
                 left.custody.found[HELD_FUSE]);
        CHECK(mount("test", "/mnt", "fuse", 0, options) == 0);
        CHECK(mount_table_find("/mnt", &row) == 1);
        left.state->device = row.device;
        rows[i].spoil(&left);
        CHECK(takeover_check(&left.custody, "", &error) == rows[i].expected);
        CHECK(strcmp(error.text, rows[i].said) == 0);
        bool is_left = left.custody.found[HELD_FUSE] >= 0;
        CHECK(is_left == (rows[i].expected == 0));
        CHECK(mount_table_find("/mnt", &row) == is_left); /* else it is taken away */
        custody_close(&left.custody);
        umount2("/mnt", MNT_DETACH);
    }
}

static void what_can_be_gone_on_with_and_what_cannot(void **state)
{
    (void)state;
    if (access("/dev/fuse", R_OK | W_OK) < 0)
        skip();
    run_apart(go_on_with_it, NULL);
}

static void what_somebody_else_has_mounted_there_stays(void **state)
{
    (void)state;
    run_apart(mount_in_its_place, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_that_cannot_be),
        cmocka_unit_test(a_mount_that_is_elsewhere_or_nowhere),
        cmocka_unit_test(what_can_be_gone_on_with_and_what_cannot),
        cmocka_unit_test(what_somebody_else_has_mounted_there_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
