#include "fs/tree/repos.h"
#include "gitcache/store/repository_state.h"
#include "tests/unit/mounted.h"

/* One whose files are converted in a way whose cost their size does not tell: none is read where its request is. */
static void make_converted(const struct sandbox *box)
{
    run(box, "git init -q repo; cd repo; echo '* text eol=crlf ident' >.gitattributes;"
             "echo x >file; ln -s file link; git add .; git commit -qm 1; git tag 1");
}

/* As a request does: it waits as often as it is told to (a reading that nobody is seen to wait for
 * ends early). */
static int get_blob(struct mounted *mounted, uint32_t file, struct ask *ask, struct blob **blob)
{
    int r;

    while ((r = readings_get_blob(&mounted->mount, file, ask, blob)) == -EAGAIN)
        wait_for_work(mounted, ask);
    return r;
}

static void test_one_reading_for_all_who_wait(void **state)
{
    struct mounted mounted;
    struct ask ask[3] = {{0}};
    struct blob *blob;

    make_converted(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t file = walk(&mounted, "repo/1/file");
    struct repo *repo = repos_of_node(&mounted.mount.repos, file);
    /* On a busy machine it would be over before all three have asked. */
    pthread_rwlock_wrlock(&repo->repository->odb_lock);
    for (int i = 0; i < 3; i++)
        assert_int_equal(readings_get_blob(&mounted.mount, file, &ask[i], &blob), -EAGAIN);
    pthread_rwlock_unlock(&repo->repository->odb_lock);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(get_blob(&mounted, file, &ask[i], &blob), 0);
        assert_int_equal(blobs_content(blob)->size, 3);
        assert_memory_equal(blobs_content(blob)->data, "x\r\n", 3);
        blobs_put(mounted.mount.blobs, blob);
    }
    mounted_close(&mounted);
}

static void test_what_is_cheap_is_read_at_once(void **state)
{
    struct mounted mounted;
    struct ask ask = {0};
    struct blob *blob;

    make_repository(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t file = walk(&mounted, "repo/1/file"), deep = walk(&mounted, "repo/1/folder/file");
    assert_int_equal(readings_get_blob(&mounted.mount, file, &ask, &blob), 0);
    blobs_put(mounted.mount.blobs, blob);
    /* Once a file of it took long, none is. */
    atomic_store(&repos_at(&mounted.mount.repos, 0)->is_costly, true);
    assert_int_equal(readings_get_blob(&mounted.mount, file, &ask, &blob), 0); /* it is there */
    blobs_put(mounted.mount.blobs, blob);
    assert_int_equal(readings_get_blob(&mounted.mount, deep, &ask, &blob), -EAGAIN);
    assert_int_equal(get_blob(&mounted, deep, &ask, &blob), 0);
    blobs_put(mounted.mount.blobs, blob);
    mounted_close(&mounted);
}

static void test_a_failure_is_answered_again_until_it_is_forgotten(void **state)
{
    struct mounted mounted;
    struct ask ask = {0}, other = {0};
    struct blob *blob;

    make_converted(*state);
    mounted_open(&mounted, state, "./repo?tag=1");
    uint32_t file = walk(&mounted, "repo/1/file");
    mounted.settings.max_file = 0;
    assert_int_equal(readings_get_blob(&mounted.mount, file, &ask, &blob), -EAGAIN);
    assert_int_equal(get_blob(&mounted, file, &ask, &blob), -EFBIG);
    assert_int_equal(get_blob(&mounted, file, &other, &blob), -EFBIG);
    mounted.settings.max_file = 100;
    readings_forget_failure(&mounted.mount, file);
    assert_int_equal(readings_get_blob(&mounted.mount, file, &other, &blob), -EAGAIN);
    assert_int_equal(get_blob(&mounted, file, &other, &blob), 0);
    blobs_put(mounted.mount.blobs, blob);
    mounted_close(&mounted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_reading_for_all_who_wait, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_what_is_cheap_is_read_at_once, sandbox_open,
                                        sandbox_close),
        cmocka_unit_test_setup_teardown(test_a_failure_is_answered_again_until_it_is_forgotten,
                                        sandbox_open, sandbox_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
