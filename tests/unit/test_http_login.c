/* test_http_login.c - what credential.helper is asked and told, by `git credential`. */
#include "gitcache/net/http_login.h"
#include "tests/unit/sandbox.h"

#define URL "https://h/x"

static const struct http_response refused = {.status = 401, .basic_offered = true};

/* A helper that gives what is in the file password, and writes down what it is asked. */
static void use_helper(const struct sandbox *box)
{
    run(box, "printf '%%s\n' '#!/bin/sh' \"cd $PWD\" 'echo $1 >>asked' '[ $1 != get ] || "
             "printf \"username=me\\npassword=%%s\\n\" $(cat password)' >helper; chmod +x helper;"
             "git config --global credential.helper $PWD/helper; touch asked");
}

static struct http_request prepared(struct http_login *login)
{
    struct http_request request = {.url = URL};

    http_login_prepare(login, URL, &request);
    return request;
}

static void a_host_is_asked_for_as_git_does(void **state)
{
    static const char *const rows[][3] = {{"https://h/x", "https", "h"},
                                          {"http://h:80/x", "http", "h:80"},
                                          {"https://[::1]/x", "https", "[::1]"},
                                          {"https://[::1]:8443/x", "https", "[::1]:8443"}};
    char expected[100];

    use_helper(*state);
    run(*state, "sed -i 's,^echo,cat >said; &,' helper; echo 0 >password");
    for (size_t i = 0; i < 4; i++) {
        struct http_login login = {0};
        struct http_request request = {.url = rows[i][0]};
        http_login_prepare(&login, rows[i][0], &request);
        assert_true(http_login_again(&login, &request, &refused, 60));
        snprintf(expected, sizeof expected, "protocol=%s host=%s ", rows[i][1], rows[i][2]);
        assert_string_equal(output(*state, "grep 'protocol\\|host' said | tr '\\n' ' '"), expected);
        http_login_release(&login);
    }
}

static void one_that_has_expired_is_asked_for_again(void **state)
{
    struct http_login login = {0};
    struct http_request request;

    use_helper(*state);
    for (int i = 0; i < 3; i++) {
        run(*state, "echo %d >password", i);
        request = prepared(&login);
        assert_true(http_login_again(&login, &request, &refused, 60));
        request = prepared(&login);
        assert_string_equal(request.user, "me");
        assert_int_equal(atoi(request.password), i);
        for (int j = 0; j < 2; j++) /* the helper is told once */
            http_login_worked(&login, &request, 60);
    }
    assert_string_equal(output(*state, "tr '\\n' ' ' <asked"),
                        "get store erase get store erase get store ");
    http_login_release(&login);
}

static void one_that_never_worked_is_not(void **state)
{
    struct http_login login = {0};
    struct http_request request;

    use_helper(*state);
    run(*state, "echo 0 >password");
    for (int i = 0; i < 2; i++) { /* whether or not another has worked before */
        request = prepared(&login);
        assert_true(http_login_again(&login, &request, &refused, 60));
        request = prepared(&login);
        if (i == 1)
            break;
        http_login_worked(&login, &request, 60);
    }
    assert_false(http_login_again(&login, &request, &refused, 60));
    assert_string_equal(output(*state, "tr '\\n' ' ' <asked"), "get store erase get erase ");
    assert_null(prepared(&login).password);
    http_login_release(&login);
}

/* A pipe gives what is there: the second line waits until the first one is taken. */
static void an_answer_in_pieces_is_whole(void **state)
{
    struct http_login login = {0};
    struct http_request request;
    char path[4096], *before = strdup(getenv("PATH"));

    assert_non_null(before);
    run(*state, "mkdir bin; cat >bin/git <<'END'\n"
                "#!/usr/bin/python3\n"
                "import array, fcntl, termios\n"
                "left = array.array('i', [1])\n"
                "for line in ('username=me', 'password=0'):\n"
                "    print(line, flush=True)\n"
                "    while fcntl.ioctl(1, termios.FIONREAD, left) or left[0]:\n"
                "        pass\n"
                "END\n"
                "chmod +x bin/git");
    snprintf(path, sizeof path, "%s/bin:%s", output(*state, "pwd"), before);
    setenv("PATH", path, 1);
    request = prepared(&login);
    bool again = http_login_again(&login, &request, &refused, 60);
    setenv("PATH", before, 1);
    free(before);
    assert_true(again);
    request = prepared(&login);
    assert_string_equal(request.user, "me");
    assert_string_equal(request.password, "0");
    http_login_release(&login);
}

static void each_is_told_only_what_is_for_it(void **state)
{
    static const struct {
        const char *asked, *url, *user, *password;
        bool own_headers, any_auth;
    } cases[] = {
        {"https://me:mine@h/x", "https://h/y", "me", "mine", true, true},
        {"https://me:mine@h/x", "https://H:443/x", "me", "mine", true, true},
        {"https://me:mine@h:443/x", "https://h/x", "me", "mine", true, true},
        {"http://me:mine@h/x", "http://h:80/x", "me", "mine", true, false},
        {"https://me:mine@h/x", "http://h/x", NULL, NULL, false, false},
        {"https://me:mine@h/x", "https://h:444/x", NULL, NULL, false, false},
        {"https://me:mine@h/x", "https://other/x", NULL, NULL, false, false},
        {"https://me@h/x", "https://h/x", NULL, NULL, true, true},
        {"https://me:mine@other/x", "https://h/x", NULL, NULL, false, true},
        /* What the helper gave is for its host, whoever redirects there; but for nobody else. */
        {"https://helped/x", "https://helped/y", "me", "0", true, false},
        {"https://me@helped/x", "https://helped/y", "me", "0", true, false},
        {"https://other/x", "https://helped/y", "me", "0", false, false},
        {"https://you@helped/x", "https://helped/y", NULL, NULL, true, false},
        {"https://you:yours@helped/x", "https://helped/y", "you", "yours", true, false},
        {"https://helped/x", "https://h/x", NULL, NULL, false, true},
    };
    const struct http_response digest = {.status = 401, .auth_offered = 2};
    struct http_login login = {0};
    struct http_request request = {.url = "https://helped/x"};

    use_helper(*state);
    run(*state, "echo 0 >password");
    http_login_prepare(&login, request.url, &request);
    assert_true(http_login_again(&login, &request, &refused, 60));
    request.url = "https://h/x";
    http_login_prepare(&login, "https://me:mine@h/x", &request);
    assert_true(
        http_login_again(&login, &request, &digest, 60)); /* by another method, from now on */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        request = (struct http_request){.url = cases[i].url};
        http_login_prepare(&login, cases[i].asked, &request);
        if (!request.user != !cases[i].user ||
            (request.user && (strcmp(request.user, cases[i].user) != 0 ||
                              strcmp(request.password, cases[i].password) != 0)) ||
            request.own_headers != cases[i].own_headers || request.any_auth != cases[i].any_auth)
            fail_msg("%s, asked for %s: %s %s", cases[i].url, cases[i].asked, request.user,
                     request.password);
    }
    http_login_release(&login);
}

/* A password that is refused in the way that is offered is asked for in no other; without one nothing is tried. */
static void another_method_is_tried_once(void **state)
{
    static const struct {
        const char *asked;
        long offered;
        bool basic, again;
    } cases[] = {
        {"https://me:mine@h/x", 2, false, true},
        {"https://me:mine@h/x", 2, false, false}, /* once more */
        {"https://me:mine@i/x", 3, true, false},
        {"https://me:mine@i/x", 0, false, false},
        {"https://i/x", 2, false, false},
    };
    struct http_login login = {0};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct http_response response = {
            .status = 401, .auth_offered = cases[i].offered, .basic_offered = cases[i].basic};
        struct http_request request = {.url = cases[i].asked};
        http_login_prepare(&login, cases[i].asked, &request);
        if (http_login_again(&login, &request, &response, 60) != cases[i].again)
            fail_msg("case %zu", i);
    }
    http_login_release(&login);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_host_is_asked_for_as_git_does),  TEST(one_that_has_expired_is_asked_for_again),
        TEST(one_that_never_worked_is_not),     TEST(an_answer_in_pieces_is_whole),
        TEST(each_is_told_only_what_is_for_it), TEST(another_method_is_tried_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
