/* remote.h - the two things that are asked of a remote: its refs, and a pack with the versions
 * wanted.
 *
 * This is the narrow interface between the cache and the network. It speaks git's protocol
 * version 2 (gitprotocol-v2(5)), two commands: ls-refs and fetch; for a local path to a
 * `git upload-pack` that it starts.
 *
 * A `struct remote` holds one thread's connections, to any number of servers, and keeps them open
 * for the next call. Only one thread at a time may use it. Every wait has a deadline: no call
 * outlasts `silence_timeout` without a byte arriving.
 *
 * Errors, beside what the sentence says: ENOENT (no such repository or object), EACCES (credentials
 * are asked for or refused), EHOSTUNREACH (name not found, no route, refused), ETIMEDOUT (silence, or no progress), EBUSY (the host wants to be left alone),
 * EIO (an answer that breaks the protocol or a bound), ECANCELED (`cancelled` said so), ENOSPC and
 * whatever a sink returns.
 */
#ifndef GITCACHE_NET_REMOTE_H
#define GITCACHE_NET_REMOTE_H

#include <stddef.h>

#include "gitcache/base/error.h"
#include "gitcache/base/listing.h"
#include "gitcache/base/watch.h"
#include "gitcache/net/fetch_command.h"
#include "gitcache/net/settings.h"

struct remote;

/* ENOMEM. Git's configuration is read by the first call below; a fault in it is that call's. */
int remote_new(struct remote **out, const struct net_settings *settings, struct error *e);
void remote_free(struct remote *remote);
/* Closes the connections that are kept open (an ssh process among them): for a thread that has had
 * nothing to do for some seconds. */
void remote_rest(struct remote *remote);

/* Says what an earlier listing learnt of the URL's server (listing.server; NULL: nothing), so that
 * it need not be learnt again. What no longer holds does no harm. */
void remote_remember(struct remote *remote, const char *url, const char *server);

/* Lists HEAD, all tags, refs/heads/master, refs/heads/main and the named branches (without
 * refs/heads/) into *out, which the caller owns on success. Branches that do not exist are just
 * absent. One round trip on a connection that stands. */
int remote_list(struct remote *remote, const char *url, const char *const *branches, size_t count,
                const struct watch *watch, struct listing *out, struct error *e);

/* Streams one pack with all the wants into the sink. Memory used does not grow with the pack.
 * An id that the server does not have or does not serve: ENOENT. */
int remote_fetch(struct remote *remote, const char *url,
                 const struct fetch_command_request *request, fetch_command_sink sink,
                 void *sink_data, const struct watch *watch, struct error *e);

#endif
