/* The options that -o takes: each with its default and its bounds, and sentences that help; numbers, and the usual folders. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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
    assert_int_equal(setenv("GIT_HTTP_LOW_SPEED_TIME", "0", true), 0); /* for ever */
    net_settings_complete(&settings.remote, NULL);
    assert_int_equal(settings.remote.silence_timeout, 30);
    unsetenv("GIT_HTTP_LOW_SPEED_TIME");
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
    assert_int_equal(settings.cache_mode, CACHE_MODE_AS_IT_IS);
    assert_int_equal(settings.type, TYPE_NONE);
    assert_int_equal(settings.uid, geteuid());
    assert_int_equal(settings.gid, getegid());
    assert_null(settings.log_file);
    assert_null(settings.holder);
    assert_null(settings.user);
    assert_null(settings.fuse_options);
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
    assert_int_equal(take(&settings, "holder=sub/cache,cache_mode=0755,user=nobody:7", &e), 0);
    assert_string_equal(settings.holder, cache);
    assert_int_equal(settings.cache_mode, CACHE_MODE_ALL);
    assert_string_equal(settings.user, "nobody:7");
    settings_release(&settings);
}

/* The last one counts; a connection is not waited for longer than for anything else. */
static void test_given_again(void **state)
{
    struct settings settings, usual;
    struct error e;

    (void)state;
    assert_int_equal(settings_init(&usual), 0);
    assert_int_equal(take(&settings,
                          "cache=/a,cache=/b,holder=/c,holder=systemd,no_fetch_for=x,"
                          "no_fetch_for=y,timeout=3,timeout=100",
                          &e),
                     0);
    assert_string_equal(settings.cache, "/b");
    assert_string_equal(settings.holder, "systemd");
    assert_string_equal(settings.no_fetch_for, "y");
    assert_int_equal(setenv("GIT_HTTP_LOW_SPEED_TIME", "7", true), 0);
    net_settings_complete(&settings.remote, NULL);
    assert_int_equal(settings.remote.silence_timeout, 100);
    net_settings_complete(&usual.remote, NULL);
    assert_int_equal(usual.remote.silence_timeout, 7);
    usual.remote.silence_most = 5;
    net_settings_complete(&usual.remote, NULL);
    assert_int_equal(usual.remote.silence_timeout, 5);
    usual.remote.silence_timeout = 0;
    usual.remote.silence_most = 10;
    net_settings_complete(&usual.remote, NULL);
    assert_int_equal(usual.remote.silence_timeout, 7);
    unsetenv("GIT_HTTP_LOW_SPEED_TIME");
    assert_int_equal(settings.remote.connect_timeout, 3);
    settings_release(&settings);
    assert_int_equal(take(&settings, "timeout=100", &e), 0);
    assert_int_equal(settings.remote.connect_timeout, usual.remote.connect_timeout);
    settings_release(&settings);
    settings_release(&usual);
}

/* All of mount(8)'s mean nothing here; all of fuse(8)'s are handed on, in their order. */
static void test_those_of_others(void **state)
{
    static const char mounts[] =
        "ro,rw,defaults,auto,noauto,_netdev,nofail,user,nouser,users,owner,group,silent,loud,mand,"
        "nomand,iversion,noiversion,lazytime,nolazytime,x-systemd.automount,X-mount.mkdir,"
        "comment=x,helper=y,uhelper=z,,";
    static const char fuses[] =
        "allow_other,allow_root,auto_unmount,default_permissions,dev,nodev,suid,nosuid,exec,noexec,"
        "atime,noatime,nodiratime,relatime,strictatime,norelatime,sync,async,dirsync,fsname=a,"
        "subtype=b,context=c,fscontext=d,defcontext=e,rootcontext=f,max_read=4096";
    char mixed[1000];
    struct settings settings;
    struct error e;

    (void)state;
    assert_int_equal(take(&settings, mounts, &e), 0);
    assert_null(settings.fuse_options);
    settings_release(&settings);
    snprintf(mixed, sizeof mixed, "jobs=1,%s,jobs=2", fuses);
    assert_int_equal(take(&settings, mixed, &e), 0);
    assert_string_equal(settings.fuse_options, fuses);
    assert_int_equal(settings.jobs, 2);
    settings_release(&settings);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *options, *says;
    } cases[] = {
        {"jobs=0", "option jobs=0: give a number from 1 to 256"},
        {"jobs=257", "option jobs=257: give a number from 1 to 256"},
        {"timeout=0", "option timeout=0: give a number from 1 to 86400"},
        {"timeout=86401", "give a number from 1 to 86400"},
        {"refs_ttl=1073741825", "give a number from 0 to 1073741824"},
        {"rate=1001", "give a number from 0 to 1000"},
        {"rate=-1", "give a number from 0 to 1000"},
        {"rate=1x", "give a number from 0 to 1000"},
        {"rate=", "option rate=: give a number"},
        {"rate", "option rate=: give a number"},
        {"max_nodes=1023", "give a number from 1024 to 2147483647"},
        {"max_nodes=2147483648", "give a number from 1024 to 2147483647"},
        {"uid=4294967295", "give a number from 0 to 4294967294"},
        {"gid=4294967295", "give a number from 0 to 4294967294"},
        {"max_file=1025G", "give a number from 0 to 1099511627776, in bytes or with K, M or G"},
        {"max_pack=1025G", "give a number from 1 to 1099511627776, in bytes or with K, M or G"},
        {"cache_max=1025G", "give a number from 1 to 1099511627776, in bytes or with K, M or G"},
        {"max_pack=0", "in bytes or with K, M or G"},
        {"cache_max=0", "in bytes or with K, M or G"},
        {"offline=yes", "option offline takes no value"},
        {"cache=", "option cache needs a value: cache=DIR"},
        {"no_fetch_for", "option no_fetch_for needs a value: no_fetch_for=NAMES"},
        {"cache", "option cache needs a value: cache=DIR"},
        {"holder=", "option holder needs a value: holder=SOCKET|systemd"},
        {"holder", "option holder needs a value: holder=SOCKET|systemd"},
        {"browse=some", "option browse=some: give browse=all or browse=named"},
        {"browse", "option browse=: give browse=all or browse=named"},
        {"type=none", "give type=languages or type=exercises or type=custom"},
        {"log=loud", "give log=error or log=warning or log=info or log=debug"},
        {"cache_mode=0777", "give cache_mode=0700 or cache_mode=0755"},
        {"jobs=1,rate=x,jobs=y", "option rate=x: "},
        {"comment", "unknown mount option 'comment'"},
        {"max_read", "unknown mount option 'max_read'"},
        {"xino", "unknown mount option 'xino'"},
        {"refs_tll=1", "refs_ttl"},
        {"nonsense", "unknown mount option 'nonsense'"},
        {"remount", "there is nothing to remount: lists and sets are read again when they change, "
                    "and 'startpointfs reload MOUNTPOINT' switches to a new program; to change "
                    "options, unmount ('startpointfs umount MOUNTPOINT') and mount again"},
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

/* Some lines of the help: words to choose from, defaults, sizes. */
static void test_the_help(void **state)
{
    static const char *const lines[] = {
        "  cache=DIR                        where fetched versions are kept\n",
        "  cache_mode=0700|0755             who can read the cache: its owner alone, or everybody "
        "(a new cache: 0700)\n",
        "  refs_ttl=SECONDS                 how long a remote's listing stays valid (60)\n",
        "  offline                          use what the cache has, never the network\n",
        "  browse=all|named                 what 'ls REPOSITORY' shows: all versions, or those "
        "that sources name (all)\n",
        "  max_file=SIZE                    larger files cannot be read (1G)\n",
        "  max_pack=SIZE                    larger packs are refused (2G)\n",
        "  uid=N                            the owner of all files\n",
        "  type=languages|exercises|custom  the same as --languages and so on\n",
        "  log=error|warning|info|debug     what is written to the log (info)\n",
    };
    FILE *out = tmpfile();
    char text[8000] = "\n";

    (void)state;
    unsetenv("COLUMNS");
    assert_int_equal(options_print(out), 0);
    fflush(out);
    assert_true(pread(fileno(out), text + 1, sizeof text - 2, 0) > 0);
    fclose(out);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const char *found = strstr(text, lines[i]);
        if (!found || found[-1] != '\n')
            fail_msg("no '%s' in %s", lines[i], text);
    }
    assert_null(strstr(text, "no_resend"));
}

static void test_numbers(void **state)
{
    static const struct {
        const char *text;
        uint64_t most;
        int64_t number; /* -1: refused */
    } rows[] = {
        {"0", 0, 0},
        {"9", 8, -1},
        {"9", 9, 9},
        {"12k", 1 << 20, 12288},
        {"1K", 1024, 1024},
        {"1K", 1023, -1},
        {"2k", 2047, -1},
        {"2m", 1 << 30, 2 << 20},
        {"3M", 1 << 30, 3 << 20},
        {"1g", 1 << 30, 1 << 30},
        {"1G", 1 << 30, 1 << 30},
        {"1T", 1 << 30, -1},
        {"1kB", 1 << 30, -1},
        {"1Mk", 1 << 30, -1},
        {"", 9, -1},
        {"k", 9, -1},
        {"-1", 9, -1},
        {"+1", 9, -1},
        {" 1", 9, -1},
        {"1 ", 9, -1},
        {"18446744073709551615", UINT64_MAX, -2},
        {"18446744073709551616", UINT64_MAX, -1},
        {":", 99, -1},
        {"/", 99, -1},
        /* Which would be 1, were they cut to 64 bits. */
        {"17179869185G", 1 << 30, -1},
        {"17592186044417M", 1 << 30, -1},
        {"18014398509481985K", 1 << 30, -1},
        {"18446744073709551616K", UINT64_MAX, -1},
    };
    uint64_t number;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int r = settings_number(rows[i].text, rows[i].most, &number);
        assert_int_equal(r, rows[i].number == -1 ? -EINVAL : 0);
        if (r == 0)
            assert_true(number == (rows[i].number == -2 ? UINT64_MAX : (uint64_t)rows[i].number));
    }
    assert_int_equal(settings_size("1024G", &number), 0);
    assert_true(number == 1ull << 40);
    assert_int_equal(settings_size("1025G", &number), -EINVAL);
}

/* NULL: it is not set. */
static void set(const char *name, const char *value)
{
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

/* As the cache's variable, with another value: a path below /b. */
static void set_other(const char *name, const char *value)
{
    char below[100];

    snprintf(below, sizeof below, "/b%s", value ? value : "");
    set(name, value && *value == '/' ? below : value);
}

/* The first of these that is set; what is no absolute path counts only in our own variable. */
static void test_the_usual_folders(void **state)
{
    static const struct {
        bool as_root;
        const char *ours, *systemd, *xdg, *home, *cache, *sets;
    } rows[] = {
        {true, "/o", "/s", "/x", "/h", "/o", "/b/o"},
        {true, "/", "/s", "/x", "/h", "/", "/b/"},
        {true, "", "/s:/t", "/x", "/h", "/s", "/b/s/sets"},
        {true, "", "s", "/x", "/h", "/var/cache/startpointfs", "/var/lib/startpointfs/sets"},
        {false, "", "", "/x", "/h", "/x/startpointfs", "/b/x/startpointfs/sets"},
        {false, "", "", "x", "/h", "/h/.cache/startpointfs", "/h/.local/state/startpointfs/sets"},
        {false, "", "", "", "", "/tmp/.cache/startpointfs", "/tmp/.local/state/startpointfs/sets"},
        {false, NULL, NULL, NULL, NULL, "/tmp/.cache/startpointfs",
         "/tmp/.local/state/startpointfs/sets"},
    };
    char here[1000], below[1100];
    struct settings settings;
    bool is_root = geteuid() == 0;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].as_root && !is_root)
            continue;
        set("STARTPOINTFS_CACHE", rows[i].ours);
        set_other("STARTPOINTFS_SETS", rows[i].ours);
        set("CACHE_DIRECTORY", rows[i].systemd);
        set_other("STATE_DIRECTORY", rows[i].systemd);
        set("XDG_CACHE_HOME", rows[i].xdg);
        set_other("XDG_STATE_HOME", rows[i].xdg);
        set("HOME", rows[i].home);
        assert_true(rows[i].as_root || !is_root || seteuid(65534) == 0);
        int r = settings_init(&settings);
        assert_true(!is_root || seteuid(0) == 0);
        assert_int_equal(r, 0);
        assert_string_equal(settings.cache, rows[i].cache);
        assert_string_equal(settings.sets, rows[i].sets);
        settings_release(&settings);
    }
    setenv("STARTPOINTFS_CACHE", "below", 1);
    assert_int_equal(settings_init(&settings), 0);
    assert_non_null(getcwd(here, sizeof here));
    snprintf(below, sizeof below, "%s/below", here);
    assert_string_equal(settings.cache, below);
    settings_release(&settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_are_those_of_the_readme),
        cmocka_unit_test(test_each_is_taken),
        cmocka_unit_test(test_given_again),
        cmocka_unit_test(test_those_of_others),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_the_help),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_the_usual_folders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
