/* smart_http.h - git's protocol version 2 over http(s).
 *
 * A command is one POST straight to URL/git-upload-pack. Where a server refuses that, or its
 * capabilities must be known, the GET of URL/info/refs is made first, once per URL, as git makes
 * it. Redirects are followed by both, and remembered; credentials and http.extraHeader never go to
 * another host. */
#ifndef GITCACHE_NET_SMART_HTTP_H
#define GITCACHE_NET_SMART_HTTP_H

#include "gitcache/base/watch.h"
#include "gitcache/net/command.h"
#include "gitcache/net/gitconfig.h"
#include "gitcache/net/settings.h"
#include "gitcache/net/site.h"

struct smart_http;

/* settings and config are borrowed. */
int smart_http_new(struct smart_http **out, const struct net_settings *settings,
                   const struct gitconfig *config, struct error *e);
void smart_http_free(struct smart_http *smart);
/* Closes the connections that are kept. */
void smart_http_rest(struct smart_http *smart);
/* What it connects with, for git://. */
struct http *smart_http_get_http(struct smart_http *smart);

/* Errors as in remote.h. `who` is the URL as shown. */
int smart_http_run(struct smart_http *smart, struct site *site, const char *who,
                   const struct command *command, const struct watch *watch, struct error *e);

#endif
