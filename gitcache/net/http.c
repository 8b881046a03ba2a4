#include "gitcache/net/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gitcache/base/clock.h"
#include "gitcache/net/http_options.h"
#include "gitcache/net/pace.h"

/* A page that came instead of an answer is read to its end, so that the connection can be used
 * again, but not if it is longer than this. */
#define MAX_PAGE 65536

struct http {
    CURL *curl; /* keeps the connections from one request to the next */
    const struct net_settings *settings;
    const struct gitconfig *config;
};

/* One request under way. */
struct http_transfer {
    const struct http *http;
    const struct http_request *request;
    struct http_response *response;
    struct curl_slist *headers;
    char message[CURL_ERROR_SIZE];
    struct error *error;
    int failure; /* a negative errno that a callback ended the transfer with */
    size_t page; /* bytes of a page that is no answer */
    bool page_too_long;
    curl_off_t moved; /* bytes of both directions when last looked */
    int64_t moved_at; /* when there last were more; milliseconds */
    struct pace pace;
};

int http_new(struct http **out, const struct net_settings *settings, const struct gitconfig *config,
             struct error *e)
{
    struct http *http = calloc(1, sizeof *http);

    if (!http || curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
        free(http);
        return error_set(e, ENOMEM, "libcurl cannot be started: out of memory");
    }
    http->settings = settings;
    http->config = config;
    *out = http;
    return 0;
}

void http_rest(struct http *http)
{
    if (http)
        curl_easy_cleanup(http->curl);
    if (http)
        http->curl = NULL;
}

void http_free(struct http *http)
{
    if (!http)
        return;
    http_rest(http);
    curl_global_cleanup();
    free(http);
}

/* libcurl's own sockets would be inherited by an ssh that another thread starts. */
static curl_socket_t open_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)data;
    (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static int silent(struct http_transfer *t, unsigned seconds)
{
    t->failure = error_set(t->error, ETIMEDOUT, "%s: the server sent nothing for %u seconds",
                           t->request->who, seconds);
    return 1;
}

/* libcurl calls this at least once a second, bytes or not. */
static int look_around(void *data, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    struct http_transfer *t = data;
    const struct http_request *request = t->request;
    const struct watch *watch = request->watch;

    (void)down_total;
    (void)up_total;
    if (watch_is_cancelled(watch)) {
        t->failure = error_set(t->error, ECANCELED, "%s: cancelled", request->who);
        return 1;
    }
    if (down + up != t->moved) {
        t->moved = down + up;
        t->moved_at = clock_now();
    } else if (clock_now() - t->moved_at >= t->http->settings->silence_timeout * INT64_C(1000)) {
        return silent(t, t->http->settings->silence_timeout);
    }
    if (request->answer)
        pace_note(&t->pace, request->answer->useful(request->answer->parser));
    if (clock_now() >= pace_deadline(&t->pace)) {
        t->failure = answer_too_slow(t->error, request->who, t->pace.seconds);
        return 1;
    }
    return 0;
}

static bool is_type(const char *given, const char *wanted)
{
    size_t n = strlen(wanted);

    return given && strncasecmp(given, wanted, n) == 0 && strchr("; \t", given[n]);
}

static void keep_text(struct http_transfer *t, const char *type, const char *bytes, size_t size)
{
    struct http_response *response = t->response;
    size_t used = strlen(response->text), room = sizeof response->text - 1 - used;

    if (!is_type(type, "text/plain") && !is_type(type, "text/html") &&
        !is_type(type, "application/xhtml+xml"))
        return;
    size = strnlen(bytes, size < room ? size : room);
    memcpy(response->text + used, bytes, size);
    response->text[used + size] = '\0';
}

static size_t take_bytes(char *bytes, size_t one, size_t size, void *data)
{
    struct http_transfer *t = data;
    long status = 0;
    char *type = NULL;
    int r;

    (void)one;
    curl_easy_getinfo(t->http->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(t->http->curl, CURLINFO_CONTENT_TYPE, &type);
    if (status == 200 && is_type(type, t->request->type)) {
        t->response->fed = true;
        r = t->request->answer->feed(t->request->answer->parser, bytes, size, t->error);
        if (r < 0)
            t->failure = r;
        return r < 0 ? CURL_WRITEFUNC_ERROR : size;
    }
    keep_text(t, type, bytes, size);
    t->page += size;
    t->page_too_long = t->page > MAX_PAGE;
    return t->page_too_long ? CURL_WRITEFUNC_ERROR : size;
}

/* What every transfer needs, whatever git's configuration says. */
static void set_callbacks(CURL *curl, struct http_transfer *t)
{
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look_around);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, t);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, t->message);
    curl_easy_setopt(curl, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)t->http->settings->connect_timeout);
}

static int set_up(CURL *curl, struct http_transfer *t)
{
    const struct http_request *request = t->request;

    curl_easy_reset(curl);
    if (curl_easy_setopt(curl, CURLOPT_URL, request->url) != CURLE_OK)
        return -ENOMEM;
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_MAXAGE_CONN, 60L);
    if (request->body) {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)request->body_length);
    }
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
    set_callbacks(curl, t);
    return http_options_set(curl, t->http->config, t->http->settings, request, &t->headers);
}

static int errno_of_curl(CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
        return EHOSTUNREACH;
    case CURLE_OPERATION_TIMEDOUT:
        return ETIMEDOUT;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_LOGIN_DENIED:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
        return EACCES;
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        return ECONNRESET;
    case CURLE_OUT_OF_MEMORY:
        return ENOMEM;
    default:
        return EIO;
    }
}

/* ECONNRESET: the server may have dropped it because it has too many. */
static int errno_of_transfer(CURL *curl, CURLcode code)
{
    long errnum = 0;

    curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &errnum);
    if (errnum == ECONNRESET && (code == CURLE_COULDNT_CONNECT || code == CURLE_SSL_CONNECT_ERROR))
        return ECONNRESET;
    return errno_of_curl(code);
}

/* What is wrong with a certificate decides who can mend it. */
static const char *cure_of_certificate(const char *message)
{
    if (strstr(message, "expired"))
        return "; the server's owner must renew it, unless this machine's clock is wrong";
    if (strstr(message, "not yet valid"))
        return "; is this machine's clock right?";
    if (strstr(message, "subject name") || strstr(message, "does not match"))
        return "; the URL must name the host as its certificate does";
    return "; git's http.sslCAInfo names the certificates to trust";
}

static const char *cure(CURLcode code, const char *message)
{
    switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
        return cure_of_certificate(message);
    case CURLE_SSL_CACERT_BADFILE:
        return "; git's http.sslCAInfo names the certificates to trust";
    case CURLE_SSL_CONNECT_ERROR:
        return "; is it a port for http?";
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
        return "; is it a port for https?";
    case CURLE_COULDNT_RESOLVE_PROXY:
        return "; git's http.proxy or https_proxy names it";
    default:
        return "";
    }
}

static int curl_error(const struct http_transfer *t, CURL *curl, CURLcode code)
{
    curl_off_t asked = 0;
    const char *message = *t->message ? t->message : curl_easy_strerror(code);

    if (t->failure < 0)
        return t->failure;
    curl_easy_getinfo(curl, CURLINFO_PRETRANSFER_TIME_T, &asked);
    if (code == CURLE_OUT_OF_MEMORY && asked > 0) /* libcurl's word for it, too */
        return error_set(t->error, EIO, "%s: the server's header is too long", t->request->who);
    return error_set(t->error, errno_of_transfer(curl, code), "%s: %s%s", t->request->who, message,
                     cure(code, message));
}

static int take_response(CURL *curl, struct http_response *response)
{
    char *type = NULL, *redirect = NULL;
    curl_off_t retry_after = 0;

    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &response->status);
    curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
    curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &redirect);
    curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &retry_after);
    curl_easy_getinfo(curl, CURLINFO_HTTPAUTH_AVAIL, &response->auth_offered);
    response->basic_offered = response->auth_offered & CURLAUTH_BASIC;
    response->retry_after = retry_after > 0 ? (long)retry_after : 0;
    snprintf(response->type, sizeof response->type, "%s", type ? type : "");
    if (redirect && response->status >= 300 && response->status < 400) {
        response->redirect = strdup(redirect);
        if (!response->redirect)
            return -ENOMEM;
    }
    return 0;
}

int http_request(struct http *http, const struct http_request *request,
                 struct http_response *response, struct error *e)
{
    struct http_transfer t = {http,
                              request,
                              response,
                              .error = e,
                              .moved_at = clock_now(),
                              .pace = pace_begin(http->settings->silence_timeout)};
    CURLcode code = CURLE_OK;
    int r = 0;

    memset(response, 0, sizeof *response);
    if (!http->curl)
        http->curl = curl_easy_init();
    if (!http->curl || set_up(http->curl, &t) < 0)
        r = error_set(e, ENOMEM, "%s: out of memory", request->who);
    if (r == 0)
        code = curl_easy_perform(http->curl);
    if (code != CURLE_OK && !t.page_too_long)
        r = curl_error(&t, http->curl, code);
    else if (r == 0 && take_response(http->curl, response) < 0)
        r = error_set(e, ENOMEM, "%s: out of memory", request->who);
    if (http->curl) { /* what it points to ends here; libcurl 7.88 forgets to free the names of cookie files */
        curl_easy_setopt(http->curl, CURLOPT_COOKIEFILE, NULL);
        curl_easy_reset(http->curl);
    }
    curl_slist_free_all(t.headers);
    return r;
}

const char *http_library(char *buffer, size_t size)
{
    snprintf(buffer, size, "libcurl %s", curl_version_info(CURLVERSION_NOW)->version);
    return buffer;
}

void http_response_release(struct http_response *response)
{
    free(response->redirect);
    response->redirect = NULL;
}

int http_connect(struct http *http, const char *host, const char *port, const char *who,
                 const struct watch *watch, int *out, struct error *e)
{
    struct http_request request = {.who = who, .watch = watch};
    struct http_transfer t = {http, &request, .error = e, .moved_at = clock_now(),
                              .pace = pace_begin(http->settings->silence_timeout)};
    CURL *curl = curl_easy_init();
    curl_socket_t fd = CURL_SOCKET_BAD;
    CURLcode code;
    char *url = NULL;
    int r = 0;

    if (!curl ||
        asprintf(&url, strchr(host, ':') ? "http://[%s]:%s/" : "http://%s:%s/", host, port) < 0) {
        curl_easy_cleanup(curl);
        return error_set(e, ENOMEM, "%s: out of memory", who);
    }
    request.url = url;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L);
    set_callbacks(curl, &t);
    code = curl_easy_perform(curl);
    if (code != CURLE_OK)
        r = curl_error(&t, curl, code);
    else if (curl_easy_getinfo(curl, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK ||
             (*out = fcntl(fd, F_DUPFD_CLOEXEC, 0)) < 0)
        r = error_set(e, EIO, "%s: the connection was lost", who);
    curl_easy_cleanup(curl);
    free(url);
    return r;
}
