#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "gitcache/net/gitconfig.h"
#include "gitcache/net/protocol.h"
#include "gitcache/net/settings.h"

/* A file that stands for the user's configuration. */
static int make_file(void **state)
{
    char *path = strdup("/tmp/test-gitconfig-XXXXXX");
    int fd = mkstemp(path);

    if (fd < 0)
        return -1;
    close(fd);
    setenv("GIT_CONFIG_GLOBAL", path, 1);
    setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
    unsetenv("GIT_CONFIG_COUNT");
    *state = path;
    return 0;
}

static int remove_file(void **state)
{
    unlink(*state);
    free(*state);
    return 0;
}

static struct gitconfig *load(void **state, const char *text)
{
    struct gitconfig *config;
    struct error e = {0};
    FILE *file = fopen(*state, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    if (gitconfig_load(&config, &e) < 0)
        fail_msg("%s", e.text);
    return config;
}

static void test_get(void **state)
{
    struct gitconfig *config = load(state, "[core]\n sshCommand = one\n sshCommand = two words\n"
                                           "[http]\n sslVerify\n");

    assert_string_equal(gitconfig_get(config, "core.sshcommand"), "two words");
    assert_string_equal(gitconfig_get(config, "http.sslverify"), "true");
    assert_null(gitconfig_get(config, "http.proxy"));
    gitconfig_free(config);
}

/* As the launcher hands it to its worker. */
static void test_packed(void **state)
{
    struct gitconfig *config = load(state, "[http]\n proxy = one\n sslVerify\n extraHeader =\n");
    struct gitconfig *copy = NULL;
    char bytes[200];
    struct error e = {0};
    int fd = memfd_create("config", MFD_CLOEXEC);

    assert_int_equal(gitconfig_pack(config, fd), 0);
    gitconfig_free(config);
    ssize_t size = pread(fd, bytes, sizeof bytes, 0);
    assert_true(size > 0);
    assert_int_equal(gitconfig_unpack(&copy, bytes, (size_t)size, &e), 0);
    assert_string_equal(gitconfig_get(copy, "http.proxy"), "one");
    assert_string_equal(gitconfig_get(copy, "http.sslverify"), "true");
    assert_string_equal(gitconfig_get(copy, "http.extraheader"), "");
    gitconfig_free(copy);
    assert_int_equal(gitconfig_unpack(&copy, bytes, (size_t)size - 1, &e), -ENOMEM);
    assert_int_equal(gitconfig_unpack(&copy, "key", 4, &e), -ENOMEM);
    assert_int_equal(gitconfig_unpack(&copy, "", 0, &e), 0);
    gitconfig_free(copy);
    close(fd);
}

static void assert_rewrite(const struct gitconfig *config, const char *url, const char *expected)
{
    char *rewritten = gitconfig_rewrite(config, url);

    assert_string_equal(rewritten, expected);
    free(rewritten);
}

static void test_instead_of(void **state)
{
    struct gitconfig *config =
        load(state, "[url \"https://mirror.example/\"]\n insteadOf = https://github.com/\n"
                    "[url \"/srv/git/Team/\"]\n insteadOf = https://github.com/team/\n"
                    " insteadOf = team:\n"
                    "[url \"https://push/\"]\n pushInsteadOf = https://github.com/\n");

    assert_rewrite(config, "https://github.com/o/x", "https://mirror.example/o/x");
    assert_rewrite(config, "https://github.com/team/x", "/srv/git/Team/x");
    assert_rewrite(config, "team:x", "/srv/git/Team/x");
    assert_rewrite(config, "https://gitlab.com/x", "https://gitlab.com/x");
    gitconfig_free(config);
}

static void test_http_for_a_url(void **state)
{
    struct gitconfig *config = load(
        state, "[http \"https://hh.net/a\"]\n proxy = a\n[http]\n proxy = all\n"
               "[http \"https://hh.net\"]\n proxy = h\n[http \"https://*.net\"]\n proxy = any\n"
               "[http \"https://other.net\"]\n proxy = other\n");

    assert_string_equal(gitconfig_http(config, "https://hh.net/a/x", "proxy"), "a");
    assert_string_equal(gitconfig_http(config, "https://hh.net/b/x", "proxy"), "h");
    assert_string_equal(gitconfig_http(config, "https://i.net/x", "proxy"), "any");
    assert_string_equal(gitconfig_http(config, "http://hh.net/a/x", "proxy"), "all");
    assert_string_equal(gitconfig_http(config, "https://hh.net/ab/x", "proxy"), "h");
    assert_string_equal(gitconfig_http(config, "https://hh.net:444/a/x", "proxy"), "all");
    assert_string_equal(gitconfig_http(config, "https://hh.net:443/a", "proxy"), "a");
    assert_null(gitconfig_http(config, "https://hh.net/a/x", "sslcainfo"));
    gitconfig_free(config);
}

/* git-config(1), "http.<url>.*": host, then path, then user; of equals the last. */
static void test_which_url_fits_best(void **state)
{
    static const struct {
        const char *patterns[3], *url;
        int expected; /* the pattern that counts; -1: none */
    } cases[] = {
        {{"https://h/a", "https://h/a/b", "https://h"}, "https://h/a/b/c", 1},
        {{"https://h/a/", "https://h", "https://h/a/b"}, "https://h/a", 0},
        {{"https://h/a//", "https://h", "https://h/ab"}, "https://h/a/x", 0},
        {{"https://*.h.net/a/b", "https://aa.h.net", "https://*.h.net"}, "https://aa.h.net/a/b", 1},
        {{"https://*.net", "https://*.*.net", "https://*.h.net"}, "https://a.h.net/x", 2},
        {{"https://*.net", "https://h.*", "https://a*.h.net"}, "https://a.h.net/x", -1},
        {{"https://H.NET", "https://h", "https://h.net.org"}, "https://h.net/x", 0},
        {{"https://me@h", "https://h", "https://you@h"}, "https://me@h/x", 0},
        {{"https://me@h", "https://h", "https://you@h"}, "https://h/x", 1},
        {{"https://me@h", "https://h/a", "https://you@h"}, "https://me@h/a", 1},
        {{"https://h:443", "http://h", "https://h:444"}, "https://h/x", 0},
        {{"http://h:80", "http://h:443", "https://h"}, "http://h/x", 0},
        {{"https://h/a", "https://h/a", "https://h"}, "https://h/a/x", 1},
        {{"https://h/A", "ssh://h", "h"}, "https://h/a", -1},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[500] = "", expected[2] = {(char)('0' + cases[i].expected), '\0'};

        for (int j = 0; j < 3; j++)
            sprintf(text + strlen(text), "[http \"%s\"]\n proxy = %d\n", cases[i].patterns[j], j);
        struct gitconfig *config = load(state, text);
        const char *found = gitconfig_http(config, cases[i].url, "proxy");
        if (!found != (cases[i].expected < 0) || (found && strcmp(found, expected) != 0))
            fail_msg("%s: %s", cases[i].url, found);
        gitconfig_free(config);
    }
}

static int append(void *data, const char *value)
{
    strcat(data, value);
    strcat(data, ";");
    return 0;
}

static void test_several_values(void **state)
{
    struct gitconfig *config = load(state, "[http]\n extraHeader = A: 1\n extraHeader =\n"
                                           "[http \"https://hh.net\"]\n extraHeader = B: 2\n"
                                           "[http]\n extraHeader = C: 3\n");
    char text[100] = "";

    gitconfig_http_all(config, "https://hh.net/x", "extraheader", append, text);
    assert_string_equal(text, "A: 1;;B: 2;");
    *text = '\0';
    gitconfig_http_all(config, "https://i.net/x", "extraheader", append, text);
    assert_string_equal(text, "A: 1;;C: 3;");
    gitconfig_free(config);
}

static void test_environment(void **state)
{
    struct gitconfig *config;

    setenv("GIT_CONFIG_COUNT", "2", 1);
    setenv("GIT_CONFIG_KEY_0", "HTTP.https://HH.net/A.Proxy", 1);
    setenv("GIT_CONFIG_VALUE_0", "p", 1);
    setenv("GIT_CONFIG_KEY_1", "core.sshCommand", 1);
    setenv("GIT_CONFIG_VALUE_1", "env", 1);
    config = load(state, "[core]\n sshCommand = file\n");
    assert_string_equal(gitconfig_http(config, "https://hh.net/A/x", "proxy"), "p");
    assert_string_equal(gitconfig_get(config, "core.sshcommand"), "env");
    gitconfig_free(config);
}

static int append_entry(void *data, const char *key, const char *value)
{
    strcat(strcat(strcat(strcat(data, key), "="), value), ";");
    return strcmp(value, "last") == 0 ? -ECANCELED : 0;
}

static void test_what_is_kept(void **state)
{
    struct gitconfig *config = load(
        state,
        "[user]\n name = x\n[core]\n askPass = a\n editor = e\n sshCommand = s\n"
        "[versionsort]\n suffix = -b\n suffix = -rc\n prereleaseSuffix = -c\n[ssh]\n variant = v\n"
        "[protocol \"file\"]\n allow = always\n[remote \"o\"]\n url = u\n"
        "[credential]\n helper = h\n[url \"A/\"]\n insteadOf = last\n[http]\n proxy = p\n");
    char text[300] = "";
    size_t count;

    assert_int_equal(gitconfig_each(config, append_entry, text), -ECANCELED);
    assert_string_equal(
        text, "core.askpass=a;core.sshcommand=s;versionsort.suffix=-b;versionsort.suffix=-rc;"
              "ssh.variant=v;protocol.file.allow=always;url.A/.insteadof=last;");
    const char **values = gitconfig_get_all(config, "versionsort.suffix", &count);
    assert_int_equal(count, 2);
    assert_string_equal(values[0], "-b");
    assert_string_equal(values[1], "-rc");
    free(values);
    gitconfig_free(config);
}

/* The system's comes before the user's, and may be left out. */
static void test_the_system_s_file(void **state)
{
    struct gitconfig *config;
    char path[100];

    snprintf(path, sizeof path, "%s-system", (const char *)*state);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("[http]\n proxy = system\n userAgent = system\n", file);
    fclose(file);
    setenv("GIT_CONFIG_SYSTEM", path, 1);
    for (int with = 0; with < 2; with++) {
        setenv("GIT_CONFIG_NOSYSTEM", with ? "0" : "1", 1);
        config = load(state, "[http]\n proxy = user\n");
        assert_string_equal(gitconfig_get(config, "http.proxy"), "user");
        assert_true(!gitconfig_get(config, "http.useragent") == !with);
        gitconfig_free(config);
    }
    unsetenv("GIT_CONFIG_SYSTEM");
    unlink(path);
}

static void test_damage(void **state)
{
    struct gitconfig *config;
    struct error e = {0};
    FILE *file = fopen(*state, "w");

    assert_non_null(file);
    fputs("[http\nnonsense", file);
    fclose(file);
    assert_int_equal(gitconfig_load(&config, &e), -EINVAL);
    assert_int_equal(e.errnum, EINVAL);
    unlink(*state);
    assert_int_equal(gitconfig_load(&config, &e), 0);
    gitconfig_free(config);
}

static void test_booleans(void **state)
{
    (void)state;
    assert_true(gitconfig_bool("true", false) && gitconfig_bool("Yes", false) &&
                gitconfig_bool("on", false) && gitconfig_bool("1", false));
    assert_false(gitconfig_bool("false", true) || gitconfig_bool("no", true) ||
                 gitconfig_bool("OFF", true) || gitconfig_bool("0", true) ||
                 gitconfig_bool("", true));
    assert_true(gitconfig_bool(NULL, true) && gitconfig_bool("maybe", true));
}

/* git's 0 is for ever, which nothing here may take. */
static void test_how_long_silence_may_last(void **state)
{
    static const struct {
        const char *lines, *variable;
        unsigned given, most, expected;
    } cases[] = {
        {"", NULL, 0, 0, 30},
        {"lowSpeedTime = 7\n", NULL, 0, 0, 7},
        {"lowSpeedTime = 1\n", NULL, 0, 0, 1},
        {"lowSpeedTime = 0\n", NULL, 0, 0, 30},
        {"lowSpeedTime = -1\n", NULL, 0, 0, 30},
        {"lowSpeedTime = 7\n", "5", 0, 0, 5},
        {"lowSpeedTime = 7\n", NULL, 9, 0, 9},
        {"lowSpeedTime = 7\n", NULL, 0, 1, 1},
        {"lowSpeedTime = 7\n", NULL, 0, 8, 7},
        {"lowSpeedTime = 7\n", NULL, 9, 8, 8},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct net_settings settings;
        char text[100];

        snprintf(text, sizeof text, "[http]\n%s", cases[i].lines);
        struct gitconfig *config = load(state, text);
        if (cases[i].variable)
            setenv("GIT_HTTP_LOW_SPEED_TIME", cases[i].variable, 1);
        net_settings_init(&settings);
        settings.silence_timeout = cases[i].given;
        settings.silence_most = cases[i].most;
        net_settings_complete(&settings, config);
        unsetenv("GIT_HTTP_LOW_SPEED_TIME");
        assert_int_equal(settings.silence_timeout, cases[i].expected);
        gitconfig_free(config);
    }
}

static void test_what_the_network_may_do_where_nothing_is_said(void **state)
{
    struct net_settings settings;

    (void)state;
    net_settings_init(&settings);
    assert_int_equal(settings.connect_timeout, 10);
    assert_int_equal(settings.silence_timeout, 0);
    assert_int_equal(settings.silence_most, 0);
    assert_int_equal(settings.rate, 15);
    assert_true(settings.max_pack == UINT64_C(2) << 30);
    assert_true(settings.max_listing == UINT64_C(64) << 20);
}

/* git-config(1), "protocol.allow"; git(1), GIT_ALLOW_PROTOCOL and GIT_PROTOCOL_FROM_USER. */
static void test_which_protocols_are_allowed(void **state)
{
    static const char by_list[] = "it: GIT_ALLOW_PROTOCOL forbids the protocol ",
                      by_all[] = "it: git's protocol.allow forbids the protocol ";
    static const struct {
        const char *text, *list, *from_user;
        enum url_scheme scheme;
        const char *sentence; /* NULL: it is allowed */
    } cases[] = {
        {"", NULL, NULL, URL_HTTP, NULL},
        {"", NULL, NULL, URL_LOCAL, NULL},
        {"", NULL, "0", URL_SSH, NULL},
        {"", NULL, "0", URL_LOCAL, by_all},
        {"", NULL, "1", URL_LOCAL, NULL},
        {"[protocol]\nallow = never\n", NULL, NULL, URL_GIT, by_all},
        {"[protocol]\nallow = NEVER\n", NULL, NULL, URL_LOCAL, by_all},
        {"[protocol]\nallow = User\n", NULL, "false", URL_HTTPS, by_all},
        {"[protocol]\nallow = user\n", NULL, "true", URL_HTTPS, NULL},
        {"[protocol]\nallow = never\n[protocol \"ssh\"]\nallow = always\n", NULL, NULL, URL_SSH,
         NULL},
        {"[protocol]\nallow = never\n[protocol \"ssh\"]\nallow = always\n", NULL, NULL, URL_HTTPS,
         by_all},
        {"[protocol \"https\"]\nallow = never\n", NULL, NULL, URL_HTTP, NULL},
        {"[protocol \"https\"]\nallow = never\n", NULL, NULL, URL_HTTPS,
         "it: git's protocol.https.allow forbids the protocol "},
        {"[protocol \"file\"]\nallow = always\n", NULL, "0", URL_LOCAL, NULL},
        {"", "http:https", NULL, URL_HTTPS, NULL},
        {"", "https:ssh", NULL, URL_HTTP, by_list},
        {"", "http", NULL, URL_HTTPS, by_list},
        {"", "ssh:git:file", "0", URL_LOCAL, NULL},
        {"", "", NULL, URL_GIT, by_list},
        {"[protocol]\nallow = never\n", "git", NULL, URL_GIT, NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gitconfig *config = load(state, cases[i].text);
        struct error e = {0};

        if (cases[i].list)
            setenv("GIT_ALLOW_PROTOCOL", cases[i].list, 1);
        if (cases[i].from_user)
            setenv("GIT_PROTOCOL_FROM_USER", cases[i].from_user, 1);
        int r = protocol_check(config, cases[i].scheme, "it", &e);
        unsetenv("GIT_ALLOW_PROTOCOL");
        unsetenv("GIT_PROTOCOL_FROM_USER");
        if (cases[i].sentence ? r != -EACCES || strstr(e.text, cases[i].sentence) != e.text
                              : r != 0)
            fail_msg("case %zu: %d, %s", i, r, e.text);
        gitconfig_free(config);
    }
}

static void test_which_version_is_spoken(void **state)
{
    static const struct {
        const char *text, *variable;
        int version;
    } cases[] = {
        {"", "GIT_PROTOCOL=version=2", 2},
        {"[protocol]\nversion = 2\n", "GIT_PROTOCOL=version=2", 2},
        {"[protocol]\nversion = 1\n", "GIT_PROTOCOL=version=1", 1},
        {"[protocol]\nversion = 0\n", "GIT_PROTOCOL", 0},
        {"[protocol]\nversion = 3\n", "GIT_PROTOCOL=version=2", 2},
        {"[protocol]\nversion = 10\n", "GIT_PROTOCOL=version=2", 2},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gitconfig *config = load(state, cases[i].text);

        assert_int_equal(protocol_version(config), cases[i].version);
        assert_string_equal(protocol_variable(config), cases[i].variable);
        gitconfig_free(config);
    }
}

#define WITH_FILE(test) cmocka_unit_test_setup_teardown(test, make_file, remove_file)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FILE(test_get),
        WITH_FILE(test_instead_of),
        WITH_FILE(test_http_for_a_url),
        WITH_FILE(test_which_url_fits_best),
        WITH_FILE(test_several_values),
        WITH_FILE(test_environment),
        WITH_FILE(test_what_is_kept),
        WITH_FILE(test_the_system_s_file),
        WITH_FILE(test_damage),
        WITH_FILE(test_packed),
        WITH_FILE(test_how_long_silence_may_last),
        WITH_FILE(test_which_protocols_are_allowed),
        WITH_FILE(test_which_version_is_spoken),
        cmocka_unit_test(test_what_the_network_may_do_where_nothing_is_said),
        cmocka_unit_test(test_booleans),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
