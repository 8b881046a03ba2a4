/* The options that -o takes: each with its default and its bounds, and sentences that help. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/options.h"

static int take(struct settings *settings, const char *options, struct error *e)
{
    *e = (struct error){0};
    assert_int_equal(settings_init(settings), 0);
    return options_take(settings, options, e);
}

static void test_defaults_are_those_of_the_readme(void **state)
{
    struct settings settings;
    struct error e;

    (void)state;
    assert_int_equal(take(&settings, "", &e), 0);
    assert_int_equal(settings.refs_ttl, 60);
    assert_int_equal(settings.timeout, 30);
    assert_int_equal(settings.remote.silence_timeout, 30);
    assert_int_equal(settings.jobs, 16);
    assert_int_equal(settings.remote.rate, 15);
    assert_true(settings.max_file == 1ull << 30);
    assert_true(settings.remote.max_pack == 2ull << 30);
    assert_true(settings.cache_max == 0);
    assert_int_equal(settings.max_nodes, 67108864);
    assert_int_equal(settings.browse, BROWSE_ALL);
    assert_int_equal(settings.readahead, READAHEAD_YES);
    assert_int_equal(settings.search, SEARCH_CHEAP);
    assert_int_equal(settings.log_level, LOG_LEVEL_INFO);
    assert_string_equal(settings.no_fetch_for,
                        "updatedb:updatedb.plocate:updatedb.mlocate:baloo_file:"
                        "tracker-miner-fs-3:localsearch-3");
    assert_false(settings.offline || settings.prefetch || settings.no_resend);
    settings_release(&settings);
}

static void test_each_is_taken(void **state)
{
    struct settings settings;
    struct error e;
    char here[1000], cache[1100];

    (void)state;
    assert_non_null(getcwd(here, sizeof here));
    snprintf(cache, sizeof cache, "%s/sub/cache", here);
    assert_int_equal(
        take(
            &settings,
            "cache=sub/cache,cache_max=3M,sets=/"
            "s,refs_ttl=0,timeout=5,jobs=2,rate=0,offline,prefetch,"
            "readahead=no,search=always,browse=named,no_fetch_for=,max_file=4k,max_pack=1G,"
            "max_nodes=1024,uid=7,gid=8,type=custom,log=debug,log_file=/l,holder=systemd,no_resend",
            &e),
        0);
    assert_string_equal(settings.cache, cache);
    assert_string_equal(settings.sets, "/s");
    assert_true(settings.cache_max == 3 << 20);
    assert_int_equal(settings.refs_ttl, 0);
    assert_int_equal(settings.timeout, 5);
    assert_int_equal(settings.remote.silence_timeout, 5);
    assert_int_equal(settings.remote.connect_timeout, 5);
    assert_int_equal(settings.jobs, 2);
    assert_int_equal(settings.remote.rate, 0);
    assert_true(settings.offline && settings.prefetch && settings.no_resend);
    assert_int_equal(settings.readahead, READAHEAD_NO);
    assert_int_equal(settings.search, SEARCH_ALWAYS);
    assert_int_equal(settings.browse, BROWSE_NAMED);
    assert_string_equal(settings.no_fetch_for, "");
    assert_true(settings.max_file == 4096);
    assert_true(settings.remote.max_pack == 1 << 30);
    assert_int_equal(settings.max_nodes, 1024);
    assert_int_equal(settings.uid, 7);
    assert_int_equal(settings.gid, 8);
    assert_int_equal(settings.type, TYPE_CUSTOM);
    assert_int_equal(settings.log_level, LOG_LEVEL_DEBUG);
    assert_string_equal(settings.log_file, "/l");
    assert_string_equal(settings.holder, "systemd");
    settings_release(&settings);
}

static void test_those_of_others(void **state)
{
    struct settings settings;
    struct error e;

    (void)state;
    assert_int_equal(take(&settings,
                          "ro,x-systemd.automount,X-mount.mkdir,_netdev,noauto,comment=x,helper=y",
                          &e),
                     0);
    assert_null(settings.fuse_options);
    settings_release(&settings);
    assert_int_equal(take(&settings, "allow_other,jobs=1,max_read=4096,nosuid", &e), 0);
    assert_string_equal(settings.fuse_options, "allow_other,max_read=4096,nosuid");
    settings_release(&settings);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *options, *says;
    } cases[] = {
        {"jobs=0", "option jobs=0: give a number from 1 to"},
        {"timeout=0", "option timeout=0: give a number from 1 to 86400"},
        {"timeout=86401", "give a number from 1 to 86400"},
        {"rate=1001", "give a number from 0 to 1000"},
        {"rate=-1", "give a number from 0 to 1000"},
        {"rate=1x", "give a number from 0 to 1000"},
        {"rate=", "option rate=: give a number"},
        {"rate", "option rate=: give a number"},
        {"max_nodes=1023", "give a number from 1024"},
        {"max_pack=0", "in bytes or with K, M or G"},
        {"cache_max=0", "in bytes or with K, M or G"},
        {"offline=yes", "option offline takes no value"},
        {"cache=", "option cache needs a value: cache=DIR"},
        {"no_fetch_for", "option no_fetch_for needs a value: no_fetch_for=NAMES"},
        {"browse=some", "option browse=some: give browse=all or browse=named"},
        {"refs_tll=1", "refs_ttl"},
        {"nonsense", "unknown mount option 'nonsense'"},
        {"remount", "there is nothing to remount"},
    };
    char socket[130] = "holder=/";
    struct settings settings;
    struct error e;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(take(&settings, cases[i].options, &e), -EINVAL);
        if (!strstr(e.text, cases[i].says))
            fail_msg("%s: says \"%s\", not \"%s\"", cases[i].options, e.text, cases[i].says);
        settings_release(&settings);
    }
    memset(socket + 8, 'x', 106); /* with the slash 107 bytes */
    assert_int_equal(take(&settings, socket, &e), 0);
    settings_release(&settings);
    strcat(socket, "x");
    assert_int_equal(take(&settings, socket, &e), -EINVAL);
    assert_non_null(strstr(e.text, "at most 107 bytes"));
    settings_release(&settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_are_those_of_the_readme),
        cmocka_unit_test(test_each_is_taken),
        cmocka_unit_test(test_those_of_others),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
