/* git_daemon.h - connects to a git:// URL and says what git daemon must hear first. */
#ifndef GITCACHE_NET_GIT_DAEMON_H
#define GITCACHE_NET_GIT_DAEMON_H

#include "gitcache/base/watch.h"
#include "gitcache/net/gitconfig.h"
#include "gitcache/net/http.h"
#include "gitcache/net/settings.h"
#include "gitcache/net/stream.h"

/* `http` makes the connection: it has the deadlines, and libcurl knows how to find a host. */
int git_daemon_open(struct stream *out, struct http *http, const char *url, const char *who,
                    const struct net_settings *settings, const struct gitconfig *config,
                    const struct watch *watch, struct error *e);

#endif
