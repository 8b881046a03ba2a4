/* http_login.h - which user name and password a request carries: the URL's own, else what
 * credential.helper gave for that host, else (libcurl does that) .netrc's. */
#ifndef GITCACHE_NET_HTTP_LOGIN_H
#define GITCACHE_NET_HTTP_LOGIN_H

#include "gitcache/net/credential.h"
#include "gitcache/net/http.h"

struct http_login {
    struct launcher *launcher; /* starts git credential; borrowed */
    char *origin;              /* "https://host:port" that `given` is for; NULL if there is none */
    char *url;                 /* the request's URL that the helper was asked for */
    struct credential given;   /* by the helper */
    bool told;                 /* the helper knows that it worked */
    char *any_origin;          /* the host that takes another method than Basic */
    struct credential own;     /* the URL's own, of the request under way */
};

void http_login_release(struct http_login *login);

/* Sets the request's user, password, any_auth and own_headers, which borrow from login. asked_url
 * is the repository's URL with its user information; that is used for its own host only. */
void http_login_prepare(struct http_login *login, const char *asked_url,
                        struct http_request *request);

/* After status 401: finds something else to try. False: there is nothing. */
bool http_login_again(struct http_login *login, const struct http_request *request,
                      const struct http_response *response, unsigned seconds);

/* The request succeeded: the helper may keep what it gave. */
void http_login_worked(struct http_login *login, const struct http_request *request,
                       unsigned seconds);

#endif
