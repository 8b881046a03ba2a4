/* ssh_start.h - starts the ssh that git would, with git-upload-pack at its other end. */
#ifndef GITCACHE_NET_SSH_START_H
#define GITCACHE_NET_SSH_START_H

#include "gitcache/net/gitconfig.h"
#include "gitcache/net/process.h"

/* The sentence of an error does not say for which URL: EINVAL (no URL of ssh, or one with a port
 * where none can be given), ENOMEM, EIO (there is no such program). Seconds. */
int ssh_start(struct process *out, const char *url, unsigned connect_timeout,
              const struct gitconfig *config, struct error *e);

#endif
