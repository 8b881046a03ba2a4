/* helper.h - the programs that do for us what we do not: ssh, git upload-pack, git credential.
 *
 * Who wants one says which, and for which URL. What then runs, with which arguments and environment,
 * is decided here, from git's configuration: there is no way to ask for any other program. */
#ifndef GITCACHE_NET_HELPER_H
#define GITCACHE_NET_HELPER_H

#include "gitcache/net/gitconfig.h"
#include "gitcache/net/process.h"

enum helper_kind { HELPER_SSH, HELPER_UPLOAD_PACK, HELPER_CREDENTIAL };

struct helper {
    enum helper_kind kind;
    const char *subject;      /* the URL; of git credential: fill, approve or reject */
    unsigned connect_timeout; /* seconds; of ssh */
};

/* Starts it as a child of ours. `config` may be NULL for git credential, which reads its own. The
 * sentence of an error does not say for which URL: EINVAL, ENOMEM, EIO (not installed), EACCES
 * (protocol.NAME.allow). */
int helper_start(struct process *out, const struct helper *helper, const struct gitconfig *config,
                 struct error *e);

#endif
