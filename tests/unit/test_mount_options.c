/* test_mount_options.c - what libfuse is told, and so what findmnt(8) shows as the source. */
#include "sandbox.h"

#include "fs/cli/mount_options.h"
#include "fs/options.h"

/* For these -o and operands; with the error's text where it fails. The caller's. */
static char *make(const char *given, const char *const *operands, size_t count)
{
    struct source_list sources = {0};
    struct settings settings;
    struct error error = {0};
    char *made = NULL;

    assert_int_equal(settings_init(&settings), 0);
    assert_int_equal(options_take(&settings, given, &error), 0);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(source_list_add(&sources, operands[i], &error), 0);
    int r = mount_options_make(&made, &settings, (char *const *)operands, count, &sources, &error);
    assert_int_equal(r, -error.errnum);
    if (r < 0)
        made = strdup(error.text);
    source_list_release(&sources);
    settings_release(&settings);
    return made;
}

static void check(const char *given, const char *const *operands, size_t count,
                  const char *expected)
{
    char *made = make(given, operands, count);

    assert_string_equal(made, expected);
    free(made);
}

#define SHOWN(source, more) "ro,default_permissions,fsname=" source ",subtype=startpointfs" more

static void one_source_is_shown(void **state)
{
    struct sandbox *box = *state;
    static const char *const urls[] = {"https://me:hush@h/x?tag=1", "https://h/y"},
                             *const odd[] = {"a,b\\c"}, *const link[] = {"link"};
    char expected[300], path[100];
    const char *const absolute[] = {path};

    check("", NULL, 0, SHOWN("startpointfs", ""));
    check("", urls, 2, SHOWN("startpointfs", ""));
    check("", urls, 1, SHOWN("https://h/x", ""));
    check("nosuid,jobs=1,max_read=4096", urls, 1, SHOWN("https://h/x", ",nosuid,max_read=4096"));
    /* Two bytes mean something to fuse_opt(3). A path is shown whole. */
    run(box, "echo https://h/x >'a,b\\c'; ln -s 'a,b\\c' link");
    assert_int_equal(chdir(box->folder), 0);
    snprintf(expected, sizeof expected, SHOWN("%s/a\\,b\\\\c", ""), box->folder);
    check("", odd, 1, expected);
    check("", link, 1, expected);
    snprintf(path, sizeof path, "%s/link", box->folder);
    snprintf(expected, sizeof expected, SHOWN("%s", ""), path);
    check("", absolute, 1, expected);
    assert_int_equal(chdir("/"), 0);
}

static void who_outlives_does_not_end(void **state)
{
    static const char refusal[] = "options holder and auto_unmount exclude each other: a mount "
                                  "either outlives its supervisor or "
                                  "ends with it";

    (void)state;
    check("holder=systemd,auto_unmount", NULL, 0, refusal);
    check("nosuid,auto_unmount,nodev,holder=/s", NULL, 0, refusal);
    check("auto_unmount", NULL, 0, SHOWN("startpointfs", ",auto_unmount"));
    check("holder=/s,subtype=auto_unmount,nodev", NULL, 0,
          SHOWN("startpointfs", ",subtype=auto_unmount,nodev"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_source_is_shown, sandbox_open, sandbox_close),
        cmocka_unit_test(who_outlives_does_not_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
