/* launcher.h - a small process that starts programs for a worker that may not.
 *
 * A worker parses what strangers send. It forks this process first, and gives up the right to start
 * anything itself. The launcher knows three programs (helper.h), finds out from git's configuration
 * how each is called, and hands the ends of their pipes back. It also reads that configuration for
 * the worker, which then needs to see none of its files. It ends, with all that it has started, when
 * the worker does: it sees the end of their socket, also after a kill -9. */
#ifndef GITCACHE_NET_LAUNCHER_H
#define GITCACHE_NET_LAUNCHER_H

#include "gitcache/net/helper.h"

struct launcher;

struct launcher_hooks {
    /* In the new process, before anything is asked of it: gives up what it need not have. */
    int (*prepare)(void *data, struct error *e);
    /* In the worker, on any thread, at most once: there is no launcher any more. */
    void (*lost)(void *data);
    void *data;
};

/* Call before there is any thread. 0 or a negative errno. */
int launcher_open(struct launcher **out, const struct launcher_hooks *hooks, struct error *e);
/* Ends it, and what it has started. */
void launcher_close(struct launcher *launcher);

/* As helper_start, by the launcher; if there is none (NULL), here. Safe from any thread. Needs SIGPIPE to be blocked or ignored. */
int launcher_start(struct launcher *launcher, struct process *out, const struct helper *helper,
                   const struct gitconfig *config, struct error *e);

/* As gitconfig_load, by the launcher; if there is none (NULL), here. */
int launcher_config(struct launcher *launcher, struct gitconfig **out, struct error *e);

#endif
