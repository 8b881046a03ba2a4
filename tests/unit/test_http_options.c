/* test_http_options.c - the header of a request, as git's configuration and the environment want it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <curl/curl.h>
#undef curl_easy_setopt

#include "gitcache/net/http_files.h"
#include "gitcache/net/remote.h"
#include "tests/unit/sandbox.h"
#include "tests/unit/web_server.h"

#define MISSING "404 Not Found\r\n\r\n"
#define LISTING "200 OK\r\nContent-Type: application/x-git-upload-pack-result\r\n\r\n0000"

/* In what follows PORT stands for the server's port. */
struct wish {
    const char *config, *variable, *url;
    const char *line; /* of the header; NULL: see without */
    const char *without;
};

static int list(const char *url, struct error *e)
{
    struct listing listing = {0};
    struct net_settings settings;
    struct remote *remote;
    int r;

    net_settings_init(&settings);
    settings.silence_timeout = 60;
    assert_int_equal(remote_new(&remote, &settings, e), 0);
    r = remote_list(remote, url, NULL, 0, NULL, &listing, e);
    if (r == 0)
        listing_release(&listing);
    remote_free(remote);
    return r;
}

static void with_port(char out[400], const char *text, unsigned port)
{
    const char *place = text ? strstr(text, "PORT") : NULL;

    if (place)
        snprintf(out, 400, "%.*s%u%s", (int)(place - text), text, port, place + 4);
    else
        snprintf(out, 400, "%s", text ? text : "");
}

static void configure(const struct sandbox *box, const char *text)
{
    char path[100];
    FILE *file;

    snprintf(path, sizeof path, "%s/config", box->folder);
    setenv("GIT_CONFIG_GLOBAL", path, 1);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* Lists that URL; the header of the last request, and what has become of it. */
static int ask_for(const struct sandbox *box, struct web_server *server, const char *config,
                   const char *url, const char *const *says, struct error *e)
{
    char text[400];
    int r;

    web_open(server);
    with_port(text, config, server->port);
    configure(box, text);
    with_port(text, url, server->port);
    web_begin(server, says);
    r = list(text, e);
    web_end(server);
    return r;
}

static void ask(const struct sandbox *box, struct web_server *server, const char *config,
                const char *url, const char *const *says)
{
    struct error e = {0};

    ask_for(box, server, config, url, says, &e);
}

static bool has_line(const struct web_server *server, const char *line)
{
    char text[400];

    snprintf(text, sizeof text, "\r\n%s\r\n", line);
    return strstr(server->head, text) != NULL;
}

/* What libcurl is told of an option: text, or a number. */
static struct {
    CURLoption option;
    char text[100];
    long number;
} told;

CURLcode __real_curl_easy_setopt(CURL *curl, CURLoption option, ...);
CURLcode __wrap_curl_easy_setopt(CURL *curl, CURLoption option, ...);
CURLcode __wrap_curl_easy_setopt(CURL *curl, CURLoption option, ...)
{
    va_list args;

    va_start(args, option);
    void *value = va_arg(args, void *); /* all that is passed is as large */
    va_end(args);
    if (option == told.option && option >= CURLOPTTYPE_OBJECTPOINT)
        snprintf(told.text, sizeof told.text, "%s", (const char *)value);
    else if (option == told.option)
        told.number = (long)value;
    return __real_curl_easy_setopt(curl, option, value);
}

/* What no header shows. */
static void libcurl_is_told(void **state)
{
    static const char *const says[] = {LISTING, NULL};
    static const struct {
        const char *config, *variable;
        CURLoption option;
        const char *text;
        long number;
    } rows[] = {
        {"[http]\nsslCert = /c\nsslKey = /k\n", NULL, CURLOPT_SSLCERT, "/c", 0},
        {"[http]\nsslCert = /c\nsslKey = /k\n", NULL, CURLOPT_SSLKEY, "/k", 0},
        {"[http]\nsslCert = /c\n", NULL, CURLOPT_SSLKEY, "", 0},
        {"[http]\nsslCert = /c\n", "GIT_SSL_CERT=/d", CURLOPT_SSLCERT, "/d", 0},
        {"[http]\nsslKey = /k\n", "GIT_SSL_KEY=/l", CURLOPT_SSLKEY, "/l", 0},
        {"[http]\nsslCAPath = /p\n", NULL, CURLOPT_CAPATH, "/p", 0},
        {NULL, "GIT_SSL_CAPATH=/q", CURLOPT_CAPATH, "/q", 0},
        {"[http]\nsslCAInfo = /i\n", "GIT_SSL_CAINFO=/j", CURLOPT_CAINFO, "/j", 0},
        {NULL, NULL, CURLOPT_HTTP_VERSION, "", CURL_HTTP_VERSION_2TLS},
        {"[http]\nversion = HTTP/2\n", NULL, CURLOPT_HTTP_VERSION, "", CURL_HTTP_VERSION_2TLS},
        {"[http]\nversion = HTTP/1.1\n", NULL, CURLOPT_HTTP_VERSION, "", CURL_HTTP_VERSION_1_1},
        {NULL, NULL, CURLOPT_LOW_SPEED_LIMIT, "", 0},
        {"[http]\nlowSpeedLimit = 7\n", NULL, CURLOPT_LOW_SPEED_LIMIT, "", 7},
        {"[http]\nlowSpeedLimit = 7\n", NULL, CURLOPT_LOW_SPEED_TIME, "", 60},
        {"[http]\nlowSpeedLimit = 7\n", "GIT_HTTP_LOW_SPEED_LIMIT=8", CURLOPT_LOW_SPEED_LIMIT, "",
         8},
        {NULL, NULL, CURLOPT_SSL_VERIFYPEER, "", 1},
        {NULL, NULL, CURLOPT_SSL_VERIFYHOST, "", 2},
        {"[http]\nsslVerify = false\n", NULL, CURLOPT_SSL_VERIFYHOST, "", 0},
        {NULL, "GIT_SSL_NO_VERIFY=1", CURLOPT_SSL_VERIFYPEER, "", 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct web_server server;
        char *variable = rows[i].variable ? strdup(rows[i].variable) : NULL;

        memset(&told, 0, sizeof told);
        told.option = rows[i].option;
        if (variable)
            putenv(variable);
        ask(*state, &server, rows[i].config ? rows[i].config : "", "http://127.0.0.1:PORT/x", says);
        if (variable) {
            *strchr(variable, '=') = '\0';
            unsetenv(variable);
        }
        free(variable);
        if (strcmp(told.text, rows[i].text) != 0 || told.number != rows[i].number)
            fail_msg("%s, %s: %s, %ld", rows[i].config ? rows[i].config : "",
                     rows[i].variable ? rows[i].variable : "", told.text, told.number);
    }
}

static void each_is_followed(void **state)
{
    static const char *const says[] = {LISTING, NULL};
    static const struct wish wishes[] = {
        {NULL, NULL, NULL, "User-Agent: git/2.40 (startpointfs)", "Expect:"},
        {NULL, NULL, NULL, "Accept-Encoding: gzip, deflate", "Authorization:"},
        {NULL, NULL, NULL, "Accept: application/x-git-upload-pack-result", NULL},
        {NULL, NULL, NULL, "Content-Type: application/x-git-upload-pack-request", NULL},
        {NULL, NULL, NULL, "Git-Protocol: version=2", NULL},
        {"[http]\nuserAgent = me\n", NULL, NULL, "User-Agent: me", NULL},
        {"[http]\nuserAgent = me\n", "GIT_HTTP_USER_AGENT=you", NULL, "User-Agent: you", NULL},
        {"[http]\nextraHeader = A: 1\nextraHeader = B: 2\n", NULL, NULL, "A: 1", NULL},
        {"[http]\nextraHeader = A: 1\nextraHeader = B: 2\n", NULL, NULL, "B: 2", NULL},
        {"[http]\nextraHeader = A: 1\nextraHeader =\nextraHeader = B: 2\n", NULL, NULL, "B: 2",
         "A: 1"},
        {"[http \"http://elsewhere\"]\nextraHeader = A: 1\n", NULL, NULL, NULL, "A: 1"},
        {NULL, NULL, "http://me:secret@127.0.0.1:PORT/x", "Authorization: Basic bWU6c2VjcmV0",
         NULL},
        {"[http]\ncookieFile = ~/cookies\n", NULL, NULL, "Cookie: a=b", NULL},
        {"[http]\nproxy = http://127.0.0.1:PORT\n", NULL, "http://h/x", "Host: h",
         "Proxy-Authorization:"},
        {"[http]\nproxy = http://me:secret@127.0.0.1:PORT\nproxyAuthMethod = basic\n", NULL,
         "http://h/x", "Proxy-Authorization: Basic bWU6c2VjcmV0", NULL},
        {"[http]\nproxy = http://me:secret@127.0.0.1:PORT\nproxyAuthMethod = digest\n", NULL,
         "http://h/x", NULL, "Proxy-Authorization: Basic"},
        {"[http]\nproxy = http://me:secret@127.0.0.1:PORT\nproxyAuthMethod = basic\n",
         "GIT_HTTP_PROXY_AUTHMETHOD=digest", "http://h/x", NULL, "Proxy-Authorization: Basic"},
    };
    const struct sandbox *box = *state;

    run(box, "printf '127.0.0.1\\tFALSE\\t/\\tFALSE\\t0\\ta\\tb\\n' >cookies");
    for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++) {
        const struct wish *wish = &wishes[i];
        struct web_server server;
        char *variable = wish->variable ? strdup(wish->variable) : NULL;

        if (variable)
            putenv(variable);
        ask(box, &server, wish->config, wish->url ? wish->url : "http://127.0.0.1:PORT/x", says);
        if (variable) {
            *strchr(variable, '=') = '\0';
            unsetenv(variable);
        }
        free(variable);
        if (!*server.head || (wish->line && !has_line(&server, wish->line)) ||
            (wish->without && strstr(server.head, wish->without)))
            fail_msg("%s %s: %s", wish->config, wish->line ? wish->line : wish->without,
                     server.head);
    }
}

static void a_get_has_no_body(void **state)
{
    static const char *const says[] = {MISSING, NULL};
    struct web_server server;

    ask(*state, &server, NULL, "http://127.0.0.1:PORT/x", says);
    assert_string_equal(server.asked, "|P/x G/x");
    assert_true(has_line(&server, "Accept: application/x-git-upload-pack-advertisement"));
    assert_null(strstr(server.head, "Content-"));
    assert_string_equal(server.body, "");
}

static void what_is_for_one_host_goes_to_no_other(void **state)
{
    static const char *const here[] = {"302 Found\r\nLocation: http://h/y/git-upload-pack\r\n\r\n",
                                       LISTING, NULL};
    static const char *const there[] = {
        "302 Found\r\nLocation: http://other/y/git-upload-pack\r\n\r\n", LISTING, NULL};
    static const char config[] = "[http]\nproxy = http://127.0.0.1:PORT\nextraHeader = A: 1\n";
    struct web_server server;

    ask(*state, &server, config, "http://me:secret@h/x", here);
    assert_string_equal(server.asked, "|Phttp://h/x Phttp://h/y");
    assert_true(has_line(&server, "A: 1"));
    assert_true(has_line(&server, "Authorization: Basic bWU6c2VjcmV0"));
    ask(*state, &server, config, "http://me:secret@h/x", there);
    assert_string_equal(server.asked, "|Phttp://h/x Phttp://other/y");
    assert_false(has_line(&server, "A: 1"));
    assert_null(strstr(server.head, "Authorization"));
}

/* A host that takes no Basic is asked in the way that it offers; libcurl knows how. */
static void another_method_is_used_where_basic_is_not_offered(void **state)
{
    static const char *const says[] = {
        "401 No\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n\r\n",
        "401 No\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n\r\n",
        LISTING, NULL};
    struct web_server server;

    ask(*state, &server, NULL, "http://me:secret@127.0.0.1:PORT/x", says);
    assert_string_equal(server.asked, "|P/x P/x P/x");
    assert_non_null(strstr(server.head, "\r\nAuthorization: Digest username=\"me\""));
}

/* Whether a certificate is looked at shows in whether those to trust are. */
static void certificates_are_checked_unless_that_is_forbidden(void **state)
{
    static const char *const says[] = {RAW "HTTP/1.1 400 No\r\n\r\n", NULL};
    static const char trust[] = "; git's http.sslCAInfo names the certificates to trust",
                      talk[] = "; is it a port for http?";
    static const struct {
        const char *config, *variable;
        int errnum;
        const char *sentence;
    } cases[] = {
        {"[http]\nsslCAInfo = /nowhere\n", NULL, EACCES, trust},
        {NULL, "GIT_SSL_CAINFO", EACCES, trust},
        {"[http]\nsslCAInfo = /nowhere\nsslVerify = false\n", NULL, EIO, talk},
        {"[http]\nsslCAInfo = /nowhere\n[http \"https://127.0.0.1:PORT\"]\nsslVerify = false\n",
         NULL, EIO, talk},
        {"[http]\nsslCAInfo = /nowhere\n[http \"https://elsewhere\"]\nsslVerify = false\n", NULL,
         EACCES, trust},
        {"[http]\nsslCAInfo = /nowhere\n", "GIT_SSL_NO_VERIFY", EIO, talk},
        {"[http]\nsslCAInfo =\n", NULL, EIO, talk},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct web_server server;
        struct error e = {0};

        unsetenv("GIT_SSL_CAINFO"); /* the machine's */
        if (cases[i].variable)
            setenv(cases[i].variable, "/nowhere", 1);
        int r = ask_for(*state, &server, cases[i].config, "https://127.0.0.1:PORT/x", says, &e);
        if (cases[i].variable)
            unsetenv(cases[i].variable);
        if (r != -cases[i].errnum || !strstr(e.text, cases[i].sentence))
            fail_msg("%s: %d, %s", cases[i].config, r, e.text);
    }
}

struct visit {
    char paths[500];
    unsigned left; /* until it wants no more */
};

static int note_path(void *data, const char *path)
{
    struct visit *visit = data;

    snprintf(visit->paths + strlen(visit->paths), sizeof visit->paths - strlen(visit->paths), "%s ",
             path);
    return --visit->left == 0 ? -ECANCELED : 0;
}

/* A worker is let see these, and no others. */
static void the_files_that_may_be_read_are_named(void **state)
{
    static const char config[] = "[http]\nsslCAInfo = ~/ca\nsslCAPath = /cas\nproxy = /no\n"
                                 "[http \"https://h\"]\nsslCert = /cert\nsslKey =\n"
                                 "cookieFile = /cookies\n"
                                 "[url \"x\"]\nsslKey = /no\n";
    static const char expected[] =
        "/home/.netrc /1 /2 /3 /4 /5 /6 /home/7 /home/ca /cas /cert /cookies ";
    struct visit all = {.left = 100}, some = {.left = 5};
    const struct sandbox *box = *state;
    struct gitconfig *loaded;
    struct error e = {0};

    configure(box, config);
    setenv("HOME", "/home", 1);
    for (unsigned i = 0; i < 7; i++) {
        static const char *const names[] = {"GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_SSL_CERT",
                                            "GIT_SSL_KEY",    "SSL_CERT_FILE",  "SSL_CERT_DIR",
                                            "NETRC"};
        char path[10];

        snprintf(path, sizeof path, i < 6 ? "/%u" : "~/%u", i + 1);
        setenv(names[i], path, 1);
    }
    assert_int_equal(gitconfig_load(&loaded, &e), 0);
    assert_int_equal(http_files_each(loaded, note_path, &all), 0);
    assert_string_equal(all.paths, expected);
    assert_int_equal(http_files_each(loaded, note_path, &some), -ECANCELED);
    assert_string_equal(some.paths, "/home/.netrc /1 /2 /3 /4 ");
    gitconfig_free(loaded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_followed),
        cmocka_unit_test(libcurl_is_told),
        cmocka_unit_test(a_get_has_no_body),
        cmocka_unit_test(another_method_is_used_where_basic_is_not_offered),
        cmocka_unit_test(what_is_for_one_host_goes_to_no_other),
        cmocka_unit_test(certificates_are_checked_unless_that_is_forbidden),
        cmocka_unit_test(
            the_files_that_may_be_read_are_named), /* last, since it sets what the others would read */
    };
    return cmocka_run_group_tests(tests, sandbox_open, sandbox_close);
}
