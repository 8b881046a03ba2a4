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

#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_that_has_expired_is_asked_for_again),
        TEST(one_that_never_worked_is_not),
        TEST(an_answer_in_pieces_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
