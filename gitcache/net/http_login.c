#include "gitcache/net/http_login.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/url.h"

static void forget_given(struct http_login *login)
{
    free(login->origin);
    free(login->url);
    credential_release(&login->given);
    login->origin = login->url = NULL;
    login->told = false;
}

void http_login_release(struct http_login *login)
{
    forget_given(login);
    free(login->any_origin);
    login->any_origin = NULL;
    credential_release(&login->own);
}

/* Scheme, host and port, with the port always said. Owned; NULL if it has none. */
static char *origin_of(const char *url)
{
    bool tls = url_scheme(url) == URL_HTTPS;
    struct url_parts parts;
    char *origin = NULL;

    if (url_split(&parts, url) < 0)
        return NULL;
    if (asprintf(&origin, "%s://%s:%s", tls ? "https" : "http", parts.host,
                 parts.port ? parts.port
                 : tls      ? "443"
                            : "80") < 0)
        origin = NULL;
    for (char *c = origin; c && *c; c++)
        *c = (char)tolower((unsigned char)*c);
    url_parts_release(&parts);
    return origin;
}

static bool same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

static void take_own(struct http_login *login, const char *asked_url)
{
    struct url_parts parts;

    credential_release(&login->own);
    if (url_split(&parts, asked_url) < 0)
        return;
    login->own = (struct credential){parts.user, parts.password};
    parts.user = parts.password = NULL;
    url_parts_release(&parts);
}

void http_login_prepare(struct http_login *login, const char *asked_url,
                        struct http_request *request)
{
    char *origin = origin_of(request->url), *asked = origin_of(asked_url);

    request->user = request->password = NULL;
    request->own_headers = same(origin, asked);
    request->any_auth = same(origin, login->any_origin);
    take_own(login, asked_url);
    if (same(origin, login->origin) &&
        (!login->own.user || strcmp(login->own.user, login->given.user) == 0)) {
        request->user = login->given.user;
        request->password = login->given.password;
    } else if (same(origin, asked) && login->own.password) {
        request->user = login->own.user;
        request->password = login->own.password;
    }
    free(origin);
    free(asked);
}

/* The host takes no Basic: the next try lets libcurl choose among what it offers. */
static bool try_another_method(struct http_login *login, const struct http_request *request,
                               const struct http_response *response, char **origin)
{
    if (!request->password || request->any_auth || response->basic_offered ||
        !response->auth_offered)
        return false;
    free(login->any_origin);
    login->any_origin = *origin;
    *origin = NULL;
    return true;
}

bool http_login_again(struct http_login *login, const struct http_request *request,
                      const struct http_response *response, unsigned seconds)
{
    char *origin = origin_of(request->url);
    char *user = request->own_headers && login->own.user ? strdup(login->own.user) : NULL;
    bool again = false;

    if (!origin)
        goto out;
    if (try_another_method(login, request, response, &origin)) {
        again = true;
        goto out;
    }
    if (same(origin, login->origin) && request->password &&
        request->password == login->given.password) {
        bool worked = login->told;
        credential_tell(&login->given, login->launcher, login->url, false, seconds);
        forget_given(login);
        /* What has worked has expired: the helper may have a newer one. */
        if (!worked)
            goto out;
    }
    forget_given(login);
    if (!credential_fill(&login->given, login->launcher, request->url, user, seconds))
        goto out;
    login->url = strdup(request->url);
    login->origin = origin;
    origin = NULL;
    again = login->url != NULL;
    if (!again)
        forget_given(login);
out:
    free(user);
    free(origin);
    return again;
}

void http_login_worked(struct http_login *login, const struct http_request *request,
                       unsigned seconds)
{
    if (login->told || !request->user || request->user != login->given.user)
        return;
    credential_tell(&login->given, login->launcher, login->url, true, seconds);
    login->told = true;
}
