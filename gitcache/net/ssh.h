/* ssh.h - starts ssh with git-upload-pack at its other end. */
#ifndef GITCACHE_NET_SSH_H
#define GITCACHE_NET_SSH_H

#include "gitcache/net/gitconfig.h"
#include "gitcache/net/settings.h"
#include "gitcache/net/stream.h"

/* The program is GIT_SSH_COMMAND's, core.sshCommand's or GIT_SSH's, else ssh. It never asks. */
int ssh_open(struct stream *out, const char *url, const char *who,
             const struct net_settings *settings, const struct gitconfig *config, struct error *e);

/* The error for an ssh that ended early, from what it said, if anything (else 0). Closes the
 * stream. */
int ssh_failed(struct stream *stream, struct error *e);

#endif
