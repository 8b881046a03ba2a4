#include "gitcache/net/http_message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define UNSAID 60 /* seconds that a host is left alone that does not say for how long */

/* What a server's "text/plain" says, for the end of a sentence. */
static void said(const struct http_response *response, char out[320])
{
    size_t length = strcspn(response->text, "\r\n");

    *out = '\0';
    if (length && !http_message_is_page(response))
        snprintf(out, 320, ": %.*s", (int)length, response->text);
}

static bool is_type(const struct http_response *response, const char *type)
{
    return strncasecmp(response->type, type, strlen(type)) == 0;
}

bool http_message_is_page(const struct http_response *response)
{
    return is_type(response, "text/html") || is_type(response, "application/xhtml");
}

bool http_message_is_dumb(const struct http_response *response)
{
    return response->status == 200 && is_type(response, "text/plain");
}

bool http_message_wants_discovery(const struct http_response *response)
{
    long status = response->status;

    return status != 401 && status != 407 && http_message_pause(response) == 0 &&
           (status <= 500 || status == 501);
}

long http_message_pause(const struct http_response *response)
{
    long status = response->status;

    if (status != 429 && status != 503 && status != 403)
        return 0;
    if (response->retry_after)
        return response->retry_after;
    /* GitHub's words, which come with 403. */
    return status == 429 || strcasestr(response->text, "rate limit") ? UNSAID : 0;
}

static int too_many_requests(struct error *e, const char *who, const struct http_response *response)
{
    if (response->retry_after)
        return error_set(
            e, EBUSY,
            "%s: too many requests (%ld); the server wants to be left alone for %ld seconds", who,
            response->status, response->retry_after);
    return error_set(e, EBUSY, "%s: too many requests (%ld); try again later", who,
                     response->status);
}

/* What stands between <title> and </title>; "" if nothing does. */
static void find_title(const struct http_response *response, char out[100])
{
    const char *start = strcasestr(response->text, "<title"), *end;

    *out = '\0';
    start = start ? strchr(start, '>') : NULL;
    end = start ? strcasestr(start, "</title") : NULL;
    if (end)
        snprintf(out, 100, "%.*s", (int)(end - start - 1), start + 1);
}

static bool has_one_of(const char *text, const char *const words[])
{
    for (; *words; words++)
        if (strcasestr(text, *words))
            return true;
    return false;
}

/* How forges show a folder, a file or a commit to a browser. */
static bool is_for_browsers(const char *url)
{
    static const char *const parts[] = {"/tree/",       "/-/",         "/blob/",    "/src/branch/",
                                        "/src/commit/", "/src/master", "/src/main", NULL};
    return has_one_of(url, parts);
}

static int browser_url(struct error *e, int errnum, const char *who)
{
    return error_set(e, errnum,
                     "%s: a page for browsers, not a repository; write the URL up to the "
                     "repository's name, and the version as ?tag=NAME",
                     who);
}

/* A page in place of git's answer. */
static int page(struct error *e, const char *who, const struct http_response *response)
{
    static const char *const walls[] = {"just a moment",
                                        "attention required",
                                        "not a bot",
                                        "are you a human",
                                        "anubis",
                                        "captcha",
                                        "checking your browser",
                                        "ddos",
                                        NULL};
    static const char *const logins[] = {"sign in", "signin", "log in", "login", NULL};
    char title[100];

    find_title(response, title);
    if (has_one_of(title, walls))
        return error_set(e, EACCES,
                         "%s: a page against bots (\"%s\") keeps git out; its host must let git "
                         "through, or name another address of the repository",
                         who, title);
    if (has_one_of(title, logins))
        return error_set(e, EACCES,
                         "%s: a login page (\"%s\") came instead of git's answer; git needs a "
                         "token, in ~/.netrc or from credential.helper",
                         who, title);
    if (is_for_browsers(who))
        return browser_url(e, EIO, who);
    return error_set(
        e, EIO,
        "%s: the server answered with %s%s%s%s, which is not git's protocol; is it the "
        "repository's URL?",
        who, response->type, *title ? " (\"" : "", title, *title ? "\")" : "");
}

static int not_found(struct error *e, const char *who, const struct http_response *response,
                     const char *text)
{
    size_t length = strlen(who);
    bool suffix = length > 4 && strcmp(who + length - 4, ".git") == 0;

    if (is_for_browsers(who))
        return browser_url(e, EHOSTUNREACH, who);
    return error_set(e, EHOSTUNREACH, "%s: no repository there (%ld), or none that you may see%s%s",
                     who, response->status, text,
                     suffix ? "" : "; some servers want .git at the end of the name");
}

static int wrong_scheme(struct error *e, const char *who)
{
    return error_set(e, EIO, "%s: the server speaks https at that port; write https://", who);
}

static int refused(struct error *e, const char *who, const struct http_response *response,
                   const char *text)
{
    char title[100];

    find_title(response, title);
    if (http_message_is_page(response) && *title)
        return page(e, who, response);
    return error_set(e, EACCES, "%s: the server refuses access (403)%s", who, text);
}

/* Status 200, and still not git's answer. */
static int odd_answer(struct error *e, const char *who, const struct http_response *response)
{
    if (is_type(response, "application/x-git-"))
        return error_set(e, EIO, "%s: the server's answer is empty; try again", who);
    if (http_message_is_dumb(response))
        return error_set(e, EIO,
                         "%s: the web server hands out the repository's files, but git does not "
                         "answer there (\"dumb http\"); it needs git-http-backend",
                         who);
    if (http_message_is_page(response))
        return page(e, who, response);
    return error_set(e, EIO,
                     "%s: the server answered with %s, which is not git's protocol; is it the "
                     "repository's URL?",
                     who, *response->type ? response->type : "something untyped");
}

int http_message_error(struct error *e, const char *who, const struct http_response *response)
{
    static const char *const plain[] = {"plain HTTP request", "HTTP request to an HTTPS",
                                        "speaking plain HTTP", NULL};
    long status = response->status;
    char text[320];

    said(response, text);
    if (status == 200)
        return odd_answer(e, who, response);
    if (http_message_pause(response))
        return too_many_requests(e, who, response);
    if (status == 401)
        return error_set(e, EACCES,
                         "%s: the server asks for a user name and password that it accepts; put "
                         "them in ~/.netrc, or set up git's credential.helper",
                         who);
    if (status == 403)
        return refused(e, who, response, text);
    if (status == 407)
        return error_set(e, EACCES, "%s: the proxy asks for a user name and password", who);
    if (status == 404 || status == 410)
        return not_found(e, who, response, text);
    if (status == 400 && has_one_of(response->text, plain))
        return wrong_scheme(e, who);
    if (status >= 500)
        return error_set(e, EIO, "%s: the server failed (%ld)%s; try again later", who, status,
                         text);
    if (status >= 300 && status < 400)
        return error_set(e, EIO, "%s: the server redirects forever, or to nowhere (%ld)", who,
                         status);
    return error_set(e, EIO, "%s: the server refuses git's request (%ld)%s", who, status, text);
}
