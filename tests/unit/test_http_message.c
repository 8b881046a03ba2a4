/* What a response means that is not git's answer: each status has its errno and its sentence. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gitcache/net/http.h"
#include "gitcache/net/http_message.h"

#define WHO "https://h/x.git"

static const struct {
    struct http_response response;
    int errnum;
    const char *text;
} cases[] = {
    {{.status = 401},
     EACCES,
     WHO ": the server asks for a user name and password that it accepts; put them in ~/.netrc, "
         "or set up git's "
         "credential.helper"},
    {{.status = 403}, EACCES, WHO ": the server refuses access (403)"},
    {{.status = 403, .type = "text/plain", .text = "not for you\nat all"},
     EACCES,
     WHO ": the server refuses access (403): not for you"},
    {{.status = 403, .retry_after = 5},
     EBUSY,
     WHO ": too many requests (403); the server wants to be left alone for 5 seconds"},
    {{.status = 403, .type = "text/plain", .text = "API rate limit exceeded"},
     EBUSY,
     WHO ": too many requests (403); try again later"},
    {{.status = 404}, EHOSTUNREACH, WHO ": no repository there (404), or none that you may see"},
    {{.status = 410}, EHOSTUNREACH, WHO ": no repository there (410), or none that you may see"},
    {{.status = 407}, EACCES, WHO ": the proxy asks for a user name and password"},
    {{.status = 429}, EBUSY, WHO ": too many requests (429); try again later"},
    {{.status = 429, .retry_after = 7},
     EBUSY,
     WHO ": too many requests (429); the server wants to be left alone for 7 seconds"},
    {{.status = 500}, EIO, WHO ": the server failed (500); try again later"},
    {{.status = 500, .type = "text/plain", .text = "no disk"},
     EIO,
     WHO ": the server failed (500): no disk; try again later"},
    {{.status = 502}, EIO, WHO ": the server failed (502); try again later"},
    {{.status = 503}, EIO, WHO ": the server failed (503); try again later"},
    {{.status = 503, .retry_after = 9},
     EBUSY,
     WHO ": too many requests (503); the server wants to be left alone for 9 seconds"},
    {{.status = 301}, EIO, WHO ": the server redirects forever, or to nowhere (301)"},
    {{.status = 400}, EIO, WHO ": the server refuses git's request (400)"},
    {{.status = 400,
      .type = "text/html",
      .text = "<h1>The plain HTTP request was sent to HTTPS port"},
     EIO,
     WHO ": the server speaks https at that port; write https://"},
    {{.status = 200, .type = "text/plain"},
     EIO,
     WHO ": the web server hands out the repository's files, but git does not answer there (\"dumb "
         "http\"); it needs "
         "git-http-backend"},
    {{.status = 200, .type = "application/x-git-upload-pack-result"},
     EIO,
     WHO ": the server's answer is empty; try again"},
    {{.status = 200, .type = "image/png"},
     EIO,
     WHO ": the server answered with image/png, which is not git's protocol; is it the "
         "repository's URL?"},
    {{.status = 200, .type = "text/html", .text = "<TITLE>Just a moment...</TITLE>"},
     EACCES,
     WHO ": a page against bots (\"Just a moment...\") keeps git out; its host must let git "
         "through, or name another "
         "address of the repository"},
    {{.status = 200,
      .type = "text/html; charset=utf-8",
      .text = "<html><title lang=en>Sign in</title>"},
     EACCES,
     WHO ": a login page (\"Sign in\") came instead of git's answer; git needs a token, in "
         "~/.netrc or from "
         "credential.helper"},
};

static void test_each_status(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error e = {0};

        assert_int_equal(http_message_error(&e, WHO, &cases[i].response), -cases[i].errnum);
        assert_int_equal(e.errnum, cases[i].errnum);
        assert_string_equal(e.text, cases[i].text);
    }
}

/* Titles as they were seen. */
static void test_pages_that_keep_git_out(void **state)
{
    static const struct {
        const char *title, *says;
    } pages[] = {
        {"Just a moment...", "a page against bots"},
        {"Attention Required! | Cloudflare", "a page against bots"},
        {"Making sure you're not a bot!", "a page against bots"},
        {"Are you a human?", "a page against bots"},
        {"Protected by Anubis", "a page against bots"},
        {"Captcha", "a page against bots"},
        {"Checking your browser before accessing h", "a page against bots"},
        {"DDoS-Guard", "a page against bots"},
        {"Sign in \302\267 GitLab", "a login page"},
        {"SignIn", "a login page"},
        {"Log in to continue", "a login page"},
        {"Login", "a login page"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        struct http_response response = {.status = 200, .type = "text/html"};
        struct error e = {0};

        snprintf(response.text, sizeof response.text, "<title>%s</title>", pages[i].title);
        assert_int_equal(http_message_error(&e, WHO, &response), -EACCES);
        if (!strstr(e.text, pages[i].says) || !strstr(e.text, pages[i].title))
            fail_msg("%s: %s", pages[i].title, e.text);
    }
}

static void test_urls_of_browsers(void **state)
{
    static const char *const urls[] = {"https://h/x/tree/main",    "https://h/g/-/x",
                                       "https://h/x/blob/main/a",  "https://h/x/src/branch/a",
                                       "https://h/x/src/commit/1", "https://h/x/src/master",
                                       "https://h/x/src/main/a"};
    const struct http_response missing = {.status = 404}, page = {.status = 200,
                                                                  .type = "text/html",
                                                                  .text = "<title>x</title>"};
    struct error e = {0};

    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        assert_int_equal(http_message_error(&e, urls[i], &missing), -EHOSTUNREACH);
        assert_non_null(strstr(e.text, "a page for browsers, not a repository"));
        assert_int_equal(http_message_error(&e, urls[i], &page), -EIO);
        assert_non_null(strstr(e.text, "a page for browsers, not a repository"));
    }
    assert_int_equal(http_message_error(&e, "https://h/x", &missing), -EHOSTUNREACH);
    assert_non_null(strstr(e.text, "some servers want .git at the end of the name"));
}

static void test_when_a_host_wants_to_be_left_alone(void **state)
{
    (void)state;
    assert_int_equal(http_message_pause(&(struct http_response){.status = 429}), 60);
    assert_int_equal(http_message_pause(&(struct http_response){.status = 429, .retry_after = 3}),
                     3);
    assert_int_equal(http_message_pause(&(struct http_response){.status = 503}), 0);
    assert_int_equal(http_message_pause(&(struct http_response){.status = 503, .retry_after = 3}),
                     3);
    assert_int_equal(http_message_pause(&(struct http_response){.status = 403}), 0);
    assert_int_equal(http_message_pause(&(struct http_response){.status = 403, .retry_after = 3}),
                     3);
    assert_int_equal(
        http_message_pause(&(struct http_response){.status = 403, .text = "Rate limit"}), 60);
    assert_int_equal(http_message_pause(&(struct http_response){.status = 500, .retry_after = 3}),
                     0);
    assert_int_equal(http_message_pause(&(struct http_response){.status = 200, .retry_after = 3}),
                     0);
}

/* Whether the GET that git begins with may help, where a POST did not. */
static void test_what_the_get_may_help(void **state)
{
    static const long may[] = {400, 403, 404, 405, 410, 500, 501},
                      not [] = {401, 407, 429, 502, 503};

    (void)state;
    for (size_t i = 0; i < sizeof may / sizeof *may; i++)
        assert_true(http_message_wants_discovery(&(struct http_response){.status = may[i]}));
    for (size_t i = 0; i < sizeof not / sizeof *not ; i++)
        assert_false(http_message_wants_discovery(&(struct http_response){.status = not [i]}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_status),
        cmocka_unit_test(test_pages_that_keep_git_out),
        cmocka_unit_test(test_urls_of_browsers),
        cmocka_unit_test(test_when_a_host_wants_to_be_left_alone),
        cmocka_unit_test(test_what_the_get_may_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
