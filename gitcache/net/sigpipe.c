#include "gitcache/net/sigpipe.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

static bool is_pending(void)
{
    sigset_t pending;

    return sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

static void only_sigpipe(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGPIPE);
}

void sigpipe_hold(struct sigpipe *sigpipe)
{
    sigset_t set;

    only_sigpipe(&set);
    sigpipe->was_pending = is_pending();
    pthread_sigmask(SIG_BLOCK, &set, &sigpipe->mask);
}

void sigpipe_release(struct sigpipe *sigpipe)
{
    static const struct timespec at_once;
    sigset_t set;

    only_sigpipe(&set);
    if (!sigpipe->was_pending && is_pending())
        while (sigtimedwait(&set, NULL, &at_once) < 0 && errno == EINTR)
            ;
    pthread_sigmask(SIG_SETMASK, &sigpipe->mask, NULL);
}
