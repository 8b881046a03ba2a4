/* test_library.c - what libgit2 is told of this program's cache. */
#include "gitcache/base/library.h"
#include "tests/unit/sandbox.h"

static ssize_t kept(void)
{
    ssize_t bytes, most;

    assert_int_equal(git_libgit2_opts(GIT_OPT_GET_CACHED_MEMORY, &bytes, &most), 0);
    return bytes;
}

/* A tree is read once, when its folder is opened. */
static void trees_are_not_kept_in_memory(void **state)
{
    const struct sandbox *box = *state;
    git_repository *repository;
    git_tree *tree;
    git_oid id;
    struct error e;
    char path[200];

    run(box, "git init -q repo; cd repo; echo 1 >file; git add .; git commit -qm 1");
    snprintf(path, sizeof path, "%s/repo", box->folder);
    assert_int_equal(git_oid_fromstr(&id, output(box, "git -C repo rev-parse HEAD^{tree}")), 0);
    assert_int_equal(library_open(&e), 0);
    assert_int_equal(git_repository_open(&repository, path), 0);
    ssize_t before = kept();
    assert_int_equal(git_tree_lookup(&tree, repository, &id), 0);
    git_tree_free(tree);
    assert_int_equal(kept(), before);
    git_repository_free(repository);
    library_close();
}

/* libgit2 tells the system's errors by their words alone, and "damaged" is another thing. */
static void the_system_s_errors_keep_their_errno(void **state)
{
    static const int errnums[] = {ENOSPC, EDQUOT, EROFS, EACCES, EMFILE, ENFILE, ENOMEM};
    struct error e;
    char text[200];

    (void)state;
    assert_int_equal(library_start(&e), 0);
    for (size_t i = 0; i < sizeof errnums / sizeof *errnums; i++) {
        snprintf(text, sizeof text, "cannot write x: %s", strerror(errnums[i]));
        git_error_set_str(GIT_ERROR_OS, text);
        assert_int_equal(library_error(&e, GIT_ERROR, "no pack"), -errnums[i]);
        assert_int_equal(library_read_error(&e, GIT_ERROR, "it"), -errnums[i]);
        assert_non_null(strstr(e.text, "it cannot be read: cannot write x: "));
        /* No object has them. */
        git_error_set_str(GIT_ERROR_ODB, text);
        assert_int_equal(library_read_error(&e, GIT_ERROR, "it"), -EIO);
        assert_non_null(strstr(e.text, "it is damaged: "));
    }
    library_close();
}

/* Each time that it is set up it parses all of the system's certificates. */
static void it_is_set_up_once(void **state)
{
    struct error e;

    (void)state;
    assert_int_equal(library_start(&e), 0);
    library_close();
    assert_int_equal(git_libgit2_init(), 2);
    git_libgit2_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_set_up_once),
        cmocka_unit_test(the_system_s_errors_keep_their_errno),
        cmocka_unit_test_setup_teardown(trees_are_not_kept_in_memory, sandbox_open, sandbox_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
