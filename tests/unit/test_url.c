#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gitcache/base/url.h"
#include "gitcache/net/urlmatch.h"

static void test_schemes(void **state)
{
    static const struct {
        const char *url;
        enum url_scheme scheme;
    } cases[] = {
        {"http://h/x", URL_HTTP},
        {"HTTPS://h/x", URL_HTTPS},
        {"https://u:p@h:8443/x", URL_HTTPS},
        {"ssh://git@h:22/x", URL_SSH},
        {"git@h:o/x.git", URL_SSH},
        {"h:x", URL_SSH},
        {"[::1]:x", URL_SSH},
        {"u@[::1]:x", URL_SSH},
        {"git://h/x", URL_GIT},
        {"/srv/x", URL_LOCAL},
        {"/srv/a:b", URL_LOCAL},
        {"file:///srv/x", URL_LOCAL},
        {"file://localhost/srv/x", URL_LOCAL},
        {"file://elsewhere/srv/x", URL_REFUSED},
        {"file://", URL_REFUSED},
        {"ext::sh -c id", URL_REFUSED},
        {"ftp://h/x", URL_REFUSED},
        {"-oProxyCommand=id:x", URL_REFUSED},
        {"ssh://-oProxyCommand=id/x", URL_REFUSED},
        {"u@-oProxyCommand=id:x", URL_REFUSED},
        {"relative/x", URL_REFUSED},
        {"relative/x:y", URL_REFUSED},
        {"https:///x", URL_REFUSED},
        {"https://u@/x", URL_REFUSED},
        {":x", URL_REFUSED},
        {"[::1", URL_REFUSED},
        {"[::1]x:y", URL_REFUSED},
        {"u@[::1]", URL_REFUSED},
        {"u@h/x:y", URL_REFUSED},
        {"u@:x", URL_REFUSED},
        {"ftp:/h/x", URL_SSH},
        {"-x@h:y", URL_REFUSED},
        {"/x@h:y", URL_LOCAL},
        {"https://-h/x", URL_REFUSED},
        {"file://LocalHost/x", URL_LOCAL},
        {"file://localhosts/x", URL_REFUSED},
        {"file://local/x", URL_REFUSED},
        {"", URL_REFUSED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (url_scheme(cases[i].url) != cases[i].scheme)
            fail_msg("%s: %d", cases[i].url, url_scheme(cases[i].url));
}

static void test_display_hides_credentials(void **state)
{
    static const struct {
        const char *url, *shown;
    } cases[] = {
        {"https://user:secret@h:8443/x", "https://h:8443/x"},
        {"https://user:se@cret@h/x@y", "https://h/x@y"},
        {"https://h/x", "https://h/x"},
        {"ssh://git@h/x", "ssh://h/x"},
        {"git@h:o/x", "h:o/x"},
        {"ftp://user:secret@h/x", "ftp://h/x"},
        {"ftp://h/a@b", "ftp://h/a@b"},
        {"ftp://user:secret@h?a@b", "ftp://h?a@b"},
        {"h:o/x@y", "h:o/x@y"},
        {"/srv/a@b", "/srv/a@b"},
        {"-x@y", "-x@y"},
        {"https://user:secret@h?x@y", "https://h?x@y"},
        {"https://user:secret@h#x@y", "https://h#x@y"},
        {"https://h/\033[2J\n", "https://h/?[2J?"},
        {"https://user:secret@h", "https://h"},
        {"/srv/a b\037\177~\303\244", "/srv/a b??~\303\244"},
    };
    char out[100], small[12];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(url_display(cases[i].url, out, sizeof out), cases[i].shown);
    assert_string_equal(url_display("https://u:p@host/x", small, sizeof small), "https://hos");
    assert_string_equal(url_display("https://u:p@host/x", small, 1), "");
}

static void test_host(void **state)
{
    char out[40];

    (void)state;
    assert_string_equal(url_host("https://u:p@H.Example:8443/x", out, sizeof out),
                        "h.example:8443");
    assert_string_equal(url_host("git@h:o/x", out, sizeof out), "h");
    assert_string_equal(url_host("ssh://[::1]:22/x", out, sizeof out), "[::1]:22");
    assert_string_equal(url_host("/srv/x", out, sizeof out), "");
    assert_string_equal(url_host("file:///srv/x", out, sizeof out), "");
    assert_string_equal(url_host("file://localhost/srv/x", out, sizeof out), "");
    assert_string_equal(url_host("no URL", out, sizeof out), "");
    assert_string_equal(url_host("https://Example/x", out, 4), "exa");
}

static void test_local_path(void **state)
{
    static const struct {
        const char *url, *path;
    } cases[] = {
        {"/srv/a%20b", "/srv/a%20b"},
        {"file:///srv/a%20b%2fc", "/srv/a b/c"},
        {"file://localhost/srv", "/srv"},
        {"file:///a%00b%zz%", "/a%00b%zz%"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *path = url_local_path(cases[i].url);
        assert_string_equal(path, cases[i].path);
        free(path);
    }
}

static void assert_text(const char *found, const char *expected)
{
    if (!expected)
        assert_null(found);
    else
        assert_string_equal(found, expected);
}

static void test_split(void **state)
{
    static const struct {
        const char *url, *user, *password, *host, *port, *path;
    } cases[] = {
        {"ssh://git@h:2222/o/x.git", "git", NULL, "h", "2222", "/o/x.git"},
        {"ssh://h/~anna/x", NULL, NULL, "h", NULL, "~anna/x"},
        {"ssh://h:/x", NULL, NULL, "h", NULL, "/x"},
        {"ssh://[::1]:/x", NULL, NULL, "::1", NULL, "/x"},
        {"ssh://[::1]/x", NULL, NULL, "::1", NULL, "/x"},
        {"ssh://h:65535/x", NULL, NULL, "h", "65535", "/x"},
        {"https://@h/~x", "", NULL, "h", NULL, "/~x"},
        {"git@h:o/x.git", "git", NULL, "h", NULL, "o/x.git"},
        {"git@h:~/x%20y", "git", NULL, "h", NULL, "~/x%20y"},
        {"git@[fe80::1]:x", "git", NULL, "fe80::1", NULL, "x"},
        {"ssh://[::1]:22/x", NULL, NULL, "::1", "22", "/x"},
        {"git://h/a%20b", NULL, NULL, "h", NULL, "/a b"},
        {"https://us%40er:pa%3Ass@h/x%20y", "us@er", "pa:ss", "h", NULL, "/x%20y"},
        {"https://token:@h/x", "token", "", "h", NULL, "/x"},
        {"https://h", NULL, NULL, "h", NULL, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct url_parts parts;
        assert_int_equal(url_split(&parts, cases[i].url), 0);
        assert_text(parts.user, cases[i].user);
        assert_text(parts.password, cases[i].password);
        assert_text(parts.host, cases[i].host);
        assert_text(parts.port, cases[i].port);
        assert_text(parts.path, cases[i].path);
        url_parts_release(&parts);
    }
}

static void test_split_refusals(void **state)
{
    static const char *const refused[] = {
        "ssh://h%2d/-x/../%0a",
        "ssh://%2doProxyCommand=id/x",
        "ssh://-u@h/x",
        "h:-x",
        "ssh://h:22x/x",
        "ssh://h:99999/x",
        "git://h/a%0ab",
        "git://h",
        "ssh://[::1]x/x",
        "/srv/x",
        "ssh://u%0a@h/x",
        "git://h%0a/x",
        "https:///x",
        "https://u@/x",
        "ssh://[::1]xy/x",
        "ssh://h:65536/x",
        "ssh://h:000022/x",
        "https://u:%0a@h/x",
        "https://u:%7f@h/x",
        "ssh://h",
        "h:",
        "no URL",
        "file://localhost/x",
        "file:///x",
    };
    struct url_parts parts;

    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        if (url_split(&parts, refused[i]) != -EINVAL)
            fail_msg("%s is accepted", refused[i]);
        assert_null(parts.host);
    }
}

static void test_match(void **state)
{
    static const struct {
        const char *pattern, *url;
        bool matches;
    } cases[] = {
        {"https://example.com", "https://example.com/x", true},
        {"https://example.com/", "https://EXAMPLE.com:443/x", true},
        {"https://example.com/a", "https://example.com/a/b", true},
        {"https://example.com/a/", "https://example.com/a/b", true},
        {"https://example.com/a", "https://example.com/ab", false},
        {"https://*.example.com", "https://git.example.com/x", true},
        {"https://*.example.com", "https://a.git.example.com/x", false},
        {"https://*.example.com", "https://example.com/x", false},
        {"https://example.com", "http://example.com/x", false},
        {"https://example.com:8443", "https://example.com/x", false},
        {"https://u@example.com", "https://u@example.com/x", true},
        {"https://u@example.com", "https://example.com/x", false},
        {"https://example.com", "https://example.com.evil.net/x", false},
        {"not a url", "https://example.com/x", false},
        {"", "https://example.com/x", false},
    };
    struct urlmatch how, closer;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (urlmatch_fits(cases[i].pattern, cases[i].url, &how) != cases[i].matches)
            fail_msg("%s for %s", cases[i].pattern, cases[i].url);
    assert_true(urlmatch_fits("https://h.net/a", "https://h.net/a/b", &how));
    assert_true(urlmatch_fits("https://h.net/a/b", "https://h.net/a/b", &closer));
    assert_true(urlmatch_compare(&how, &closer) < 0);
    assert_true(urlmatch_compare(&closer, &how) > 0);
    assert_int_equal(urlmatch_compare(&how, &how), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schemes), cmocka_unit_test(test_display_hides_credentials),
        cmocka_unit_test(test_host),    cmocka_unit_test(test_local_path),
        cmocka_unit_test(test_split),   cmocka_unit_test(test_split_refusals),
        cmocka_unit_test(test_match),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
