/* protocol.h - which ways to a repository git's configuration allows, and which version of the
 * protocol it asks for: protocol.allow, protocol.NAME.allow, GIT_ALLOW_PROTOCOL, protocol.version
 * of git-config(1). */
#ifndef GITCACHE_NET_PROTOCOL_H
#define GITCACHE_NET_PROTOCOL_H

#include "gitcache/base/error.h"
#include "gitcache/base/url.h"
#include "gitcache/net/gitconfig.h"

/* 0, or EACCES with a sentence that says what forbids it. */
int protocol_check(const struct gitconfig *config, enum url_scheme scheme, const char *who,
                   struct error *e);

/* 0, 1 or 2; 2 unless git is told otherwise. */
int protocol_version(const struct gitconfig *config);

/* GIT_PROTOCOL=version=N, for a child or a server; "GIT_PROTOCOL" alone for version 0. */
const char *protocol_variable(const struct gitconfig *config);

#endif
