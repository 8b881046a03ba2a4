/* session.h - a conversation over a connection that lasts: ssh, git:// and the pipe to a local git
 * upload-pack, in any version of the protocol.
 *
 * Where the server is known (or likely) to speak version 2, the first request is sent before its
 * capabilities are read, so that a list costs one round trip. One session is kept for the next
 * command to the same URL, for at most five idle seconds; one that turns out to be closed is opened
 * once more. A listing never comes second: git's server would answer with the refs as they were at
 * the first one. In version 0 a fetch is the last thing, and may come right after the listing. */
#ifndef GITCACHE_NET_SESSION_H
#define GITCACHE_NET_SESSION_H

#include "gitcache/base/watch.h"
#include "gitcache/net/command.h"
#include "gitcache/net/gitconfig.h"
#include "gitcache/net/http.h"
#include "gitcache/net/settings.h"
#include "gitcache/net/site.h"

struct session;

/* settings and config are borrowed. */
int session_new(struct session **out, const struct net_settings *settings,
                const struct gitconfig *config, struct error *e);
void session_free(struct session *session);
/* Closes the connection that is kept. */
void session_rest(struct session *session);

/* Errors as in remote.h. `http` connects a git:// URL; `who` is the URL as shown. What is learnt of
 * the server is noted in `site`, whose URL it is. Needs SIGPIPE to be blocked or ignored. */
int session_run(struct session *session, struct http *http, struct site *site, const char *who,
                const struct command *command, const struct watch *watch, struct error *e);

#endif
