/* What is said when there is no memory: each allocation made to fail once. */
#include <errno.h>
#include <git2.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gitcache/base/disk.h"
#include "gitcache/base/library.h"
#include "gitcache/base/url.h"
#include "gitcache/store/incoming.h"
#include "manifest/document.h"

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

/* Of this one nobody knows the size before, so its room grows. */
static void a_file_is_read_whole_or_not(void **state)
{
    int failures = 0;

    (void)state;
    for (int at = 0; at < 20; at++) {
        struct error e = {0};
        char *text = NULL;
        size_t size;

        left = at;
        int r = disk_read("/proc/self/smaps", 1 << 20, &text, &size, &e);
        bool failed = has_failed();
        assert_int_equal(r, failed ? -ENOMEM : 0);
        assert_int_equal(e.errnum, -r);
        failures += failed;
        free(text);
    }
    assert_in_range(failures, 2, 19);
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

/* jansson does not always say that it was the memory: then it is a finding. */
static void a_manifest_is_read_whole_or_not(void **state)
{
    static const char text[] = "{\"a\": [1, 2, 3], \"b\": {\"c\": \"d\"}, \"e\": true}";
    const struct where where = {.source = "it", .file = "manifest.json"};
    int failures = 0;

    (void)state;
    json_set_alloc_funcs(__wrap_malloc, free);
    for (int at = 0; at < 200; at++) {
        struct findings findings = {0};
        struct document document;

        left = at;
        bool good = document_load(&document, text, strlen(text), &where, &findings);
        bool failed = has_failed();
        assert_int_equal(good, !failed);
        assert_int_equal(findings.error == -ENOMEM || findings.count > 0, failed);
        failures += failed;
        document_release(&document);
        findings_release(&findings);
    }
    json_set_alloc_funcs(malloc, free);
    assert_in_range(failures, 20, 199);
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
        cmocka_unit_test(a_url_is_whole_or_none), cmocka_unit_test(a_file_is_read_whole_or_not),
        cmocka_unit_test(a_pack_is_not_begun),    cmocka_unit_test(a_manifest_is_read_whole_or_not),
        cmocka_unit_test(libgit2_is_helped_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
