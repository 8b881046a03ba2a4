/* What is said when there is no memory: each allocation made to fail once. */
#include <errno.h>
#include <git2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gitcache/base/library.h"
#include "gitcache/base/url.h"
#include "gitcache/store/incoming.h"

/* How many allocations succeed before one fails; -1: all do. */
static int left = -1;

static bool fails_now(void)
{
    return left >= 0 && left-- == 0;
}

static unsigned large; /* blocks of the size that is laid by */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
    large += size == (256 << 10);
    return fails_now() ? NULL : __real_malloc(size);
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
    return fails_now() ? NULL : __real_calloc(count, size);
}

void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size)
{
    return fails_now() ? NULL : __real_realloc(old, size);
}

/* True if it has come to the one that failed. */
static bool has_failed(void)
{
    bool failed = left < 0;

    left = -1;
    return failed;
}

static void a_url_is_whole_or_none(void **state)
{
    int failures = 0;

    (void)state;
    for (int at = 0; at < 10; at++) {
        struct url_parts parts;

        left = at;
        int r = url_split(&parts, "ssh://user:password@host:22/path");
        bool failed = has_failed();
        assert_int_equal(r, failed ? -ENOMEM : 0);
        failures += failed;
        url_parts_release(&parts);
    }
    assert_in_range(failures, 2, 9);
}

static void a_pack_is_not_begun(void **state)
{
    struct incoming incoming = {.folder = strdup("/nowhere")};
    struct error e = {0};

    (void)state;
    left = 0;
    int r = incoming_begin(&incoming, &e);
    assert_true(has_failed());
    assert_int_equal(r, -ENOMEM);
    assert_int_equal(e.errnum, ENOMEM);
    incoming_close(&incoming);
}

/* libgit2 would end the process, or worse. It gets what was laid by. */
static void libgit2_is_helped_out(void **state)
{
    struct error e = {0};
    git_odb *odb;

    (void)state;
    assert_int_equal(library_open(&e), 0);
    for (int at = 0; at < 3; at++) {
        left = at;
        assert_int_equal(git_odb_new(&odb), 0);
        assert_true(has_failed());
        git_odb_free(odb);
    }
    /* It is laid by once more, after a while. */
    large = 0;
    for (int i = 0; i < 300; i++) {
        assert_int_equal(git_odb_new(&odb), 0);
        git_odb_free(odb);
    }
    assert_int_equal(large, 1);
    library_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_is_whole_or_none),
        cmocka_unit_test(a_pack_is_not_begun),
        cmocka_unit_test(libgit2_is_helped_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
