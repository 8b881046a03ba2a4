/* sigpipe.h - writing to a connection that its other end has closed shall be an error (EPIPE), not
 * a signal, in this thread, for the time between the two calls. */
#ifndef GITCACHE_NET_SIGPIPE_H
#define GITCACHE_NET_SIGPIPE_H

#include <signal.h>
#include <stdbool.h>

struct sigpipe {
    sigset_t mask;
    bool was_pending;
};

void sigpipe_hold(struct sigpipe *sigpipe);
void sigpipe_release(struct sigpipe *sigpipe);

#endif
