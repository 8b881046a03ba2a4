#include "gitcache/net/http_message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* What a server's "text/plain" says, for the end of a sentence. */
static const char *said(const struct http_response *response, char out[320])
{
    size_t length = strcspn(response->text, "\r\n");

    *out = '\0';
    if (length)
        snprintf(out, 320, ": %.*s", (int)length, response->text);
    return out;
}

static int too_many_requests(struct error *e, const char *who, const struct http_response *response)
{
    if (response->retry_after)
        return error_set(e, ETIMEDOUT,
                         "%s: the server is asked too often; it wants to be left alone for %ld "
                         "seconds",
                         who, response->retry_after);
    return error_set(e, ETIMEDOUT, "%s: the server is asked too often; try again later", who);
}

int http_message_error(struct error *e, const char *who, const struct http_response *response)
{
    long status = response->status;
    char text[320];

    said(response, text);
    if (status == 401)
        return error_set(e, EACCES,
                         "%s: the server asks for a user name and password that it accepts; put "
                         "them into ~/.netrc or set up git's credential.helper",
                         who);
    if (status == 403)
        return error_set(e, EACCES, "%s: the server refuses access (403)%s", who, text);
    if (status == 407)
        return error_set(e, EACCES, "%s: the proxy asks for a user name and password", who);
    if (status == 404 || status == 410)
        return error_set(e, ENOENT, "%s: no repository there (%ld), or none that may be seen%s",
                         who, status, text);
    if (status == 429)
        return too_many_requests(e, who, response);
    if (status >= 500)
        return error_set(e, EIO, "%s: the server failed (%ld)%s; try again later", who, status,
                         text);
    if (status >= 300 && status < 400)
        return error_set(e, EIO, "%s: the server redirects for ever, or to nowhere (%ld)", who,
                         status);
    if (status == 200 && strncasecmp(response->type, "application/x-git-", 18) == 0)
        return error_set(e, EIO, "%s: the server's answer is empty; try again", who);
    if (http_message_is_dumb(response))
        return error_set(e, EIO,
                         "%s: the web server hands out the repository's files, but git does not "
                         "answer there (\"dumb http\"); it needs git-http-backend",
                         who);
    if (status == 200)
        return error_set(e, EIO,
                         "%s: the server answered with %s, which is not git's protocol; is it the "
                         "repository's URL?",
                         who, *response->type ? response->type : "something untyped");
    return error_set(e, EIO, "%s: the server refuses git's request (%ld)%s", who, status, text);
}

bool http_message_is_dumb(const struct http_response *response)
{
    return response->status == 200 && strncasecmp(response->type, "text/plain", 10) == 0;
}

bool http_message_wants_discovery(const struct http_response *response)
{
    long status = response->status;

    return status != 401 && status != 407 && status != 429 && (status <= 500 || status == 501);
}
