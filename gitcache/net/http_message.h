/* http_message.h - what a response means that is not git's answer: a status such as 404, a page.
 * Pure. */
#ifndef GITCACHE_NET_HTTP_MESSAGE_H
#define GITCACHE_NET_HTTP_MESSAGE_H

#include <stdbool.h>

#include "gitcache/base/error.h"
#include "gitcache/net/http.h"

/* Sets the errno and the sentence for it; `who` is the repository's URL as shown. */
int http_message_error(struct error *e, const char *who, const struct http_response *response);

/* True for what a web server answers that just hands out a repository's files. */
bool http_message_is_dumb(const struct http_response *response);

/* True for a page as browsers show it. */
bool http_message_is_page(const struct http_response *response);

/* For how many seconds the host wants to be left alone; 0: it does not. */
long http_message_pause(const struct http_response *response);

/* True if a server that answers a POST so may only want to be greeted with the GET first; or the
 * GET tells what is wrong: that it is no repository, or does not speak version 2 (git then says
 * nothing at all). */
bool http_message_wants_discovery(const struct http_response *response);

#endif
