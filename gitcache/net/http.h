/* http.h - one request over libcurl at a time, with git's settings and this project's deadlines.
 *
 * Here a status such as 404 is no error but a result; what it means is known in http_message.c.
 * Redirects are results too: following them is the caller's, who knows which credentials may go
 * where. Connections stay open for the next request. */
#ifndef GITCACHE_NET_HTTP_H
#define GITCACHE_NET_HTTP_H

#include <stdint.h>

#include "gitcache/base/watch.h"
#include "gitcache/net/answer.h"
#include "gitcache/net/gitconfig.h"
#include "gitcache/net/settings.h"

struct http;

/* settings and config are borrowed for http's life. */
int http_new(struct http **out, const struct net_settings *settings, const struct gitconfig *config,
             struct error *e);
void http_free(struct http *http);
/* Closes the connections that are kept. */
void http_rest(struct http *http);

/* "libcurl 7.88.1", as it is at run time; returns buffer. */
const char *http_library(char *buffer, size_t size);

struct http_request {
    const char *url;  /* without user information */
    const char *who;  /* for error sentences: the repository's URL as shown */
    const char *body; /* a POST's; NULL: GET */
    size_t body_length;
    const char *body_type; /* of the body; NULL with GET */
    const char *type;      /* of the answer; another one is not fed to it */
    struct answer *answer; /* gets the bytes of an answer with status 200 and that type */
    const struct watch *watch;
    const char *user, *password; /* NULL: none, or .netrc's */
    bool any_auth;               /* let libcurl choose another method than Basic */
    bool own_headers;            /* http.extraHeader: only for the host that was asked for */
};

struct http_response {
    long status;
    bool fed;           /* the answer got bytes */
    char type[100];     /* its media type, "" if it said none */
    char text[2000];    /* the start of the text or page that came in place of an answer */
    char *redirect;     /* where status 3xx points to, absolute; owned; else NULL */
    long retry_after;   /* seconds; 0 if not said */
    long auth_offered;  /* with 401: CURLAUTH_ bits */
    bool basic_offered; /* with 401 */
};

/* Makes the request. 0 where a whole response came, whatever its status; else an errno as in
 * remote.h, or what the answer's feed returned. The caller releases the response in any case. */
int http_request(struct http *http, const struct http_request *request,
                 struct http_response *response, struct error *e);
void http_response_release(struct http_response *response);

/* A bare TCP connection: a close-on-exec, non-blocking descriptor that the caller closes. */
int http_connect(struct http *http, const char *host, const char *port, const char *who,
                 const struct watch *watch, int *out, struct error *e);

#endif
