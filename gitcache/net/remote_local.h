/* remote_local.h - remote_list and remote_fetch for a repository on this machine's disk: a path or
 * a file:// URL, read with libgit2 (no process, no copy of history). Parameters and errors as in
 * remote.h. */
#ifndef GITCACHE_NET_REMOTE_LOCAL_H
#define GITCACHE_NET_REMOTE_LOCAL_H

#include "gitcache/net/remote.h"

int remote_local_list(const char *url, const char *const *branches, size_t count,
                      const struct net_settings *settings, struct listing *out, struct error *e);
int remote_local_fetch(const char *url, const struct fetch_command_request *request,
                       const struct net_settings *settings, fetch_command_sink sink,
                       void *sink_data, const struct watch *watch, struct error *e);

#endif
