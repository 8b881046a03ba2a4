/* upload_pack.h - serves a repository on this machine's disk: starts `git upload-pack PATH`.
 *
 * git itself reads the repository, so whatever formats it knows can be read, and it checks who owns
 * the repository (safe.directory): a folder of another user cannot lend us its `.git` file to read
 * what only we may read. */
#ifndef GITCACHE_NET_UPLOAD_PACK_H
#define GITCACHE_NET_UPLOAD_PACK_H

#include "gitcache/net/gitconfig.h"
#include "gitcache/net/settings.h"
#include "gitcache/net/stream.h"

/* `url` is a URL_LOCAL. EIO, with a sentence that says so, where git is not installed. */
int upload_pack_open(struct stream *out, const char *url, const char *who,
                     const struct net_settings *settings, const struct gitconfig *config,
                     struct error *e);

/* The error for one that ended early, from what it said (else 0). Closes the stream. */
int upload_pack_failed(struct stream *stream, struct error *e);

#endif
