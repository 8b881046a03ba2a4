#include "fs/tree/parked.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "gitcache/base/clock.h"
#include "gitcache/base/thread.h"

struct parked_lot {
    int64_t timeout;
    pthread_t thread;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t wakeup;
    struct parked *first;
    size_t count;
    bool stopping;
};

/* Takes those out for which pick() is true; returns them as a list, to be ended without the lock.
 */
static struct parked *take(struct parked_lot *lot, bool (*pick)(struct parked *, void *),
                           void *data)
{
    struct parked *taken = NULL, **last = &taken, **link = &lot->first;

    while (*link) {
        struct parked *parked = *link;
        if (!pick(parked, data)) {
            link = &parked->next;
            continue;
        }
        *link = parked->next;
        parked->next = NULL;
        *last = parked;
        last = &parked->next;
        lot->count--;
        atomic_fetch_sub(&parked->work->waiting, 1);
    }
    return taken;
}

static void end_all(struct parked *list, enum parked_end how)
{
    while (list) {
        struct parked *next = list->next;
        list->end(list, how);
        list = next;
    }
}

/* When a request times out if the work shows no further sign of life. Work that is still queued
 * (behind others of a slow host) is measured from when the request came. */
static int64_t hard_deadline(const struct parked *parked, int64_t timeout)
{
    int64_t progress_at = atomic_load(&parked->work->progress_at);
    return (progress_at ? progress_at : parked->since) + timeout;
}

struct deadline {
    int64_t now, timeout;
};

static bool is_timed_out(struct parked *parked, void *data)
{
    const struct deadline *deadline = data;
    return deadline->now >= hard_deadline(parked, deadline->timeout);
}

static bool is_impatient(struct parked *parked, void *data)
{
    const struct deadline *deadline = data;
    return parked->patience && deadline->now >= parked->patience;
}

static int64_t next_deadline(const struct parked_lot *lot)
{
    int64_t next = INT64_MAX;

    for (const struct parked *parked = lot->first; parked; parked = parked->next) {
        int64_t at = hard_deadline(parked, lot->timeout);
        if (parked->patience && parked->patience < at)
            at = parked->patience;
        if (at < next)
            next = at;
    }
    return next;
}

static void *watch_deadlines(void *arg)
{
    struct parked_lot *lot = arg;

    pthread_mutex_lock(&lot->lock);
    while (!lot->stopping) {
        struct deadline deadline = {clock_now(), lot->timeout};
        struct parked *impatient = take(lot, is_impatient, &deadline);
        struct parked *timed_out = take(lot, is_timed_out, &deadline);
        if (impatient || timed_out) {
            pthread_mutex_unlock(&lot->lock);
            end_all(impatient, PARKED_REPLAY);
            end_all(timed_out, PARKED_TIMED_OUT);
            pthread_mutex_lock(&lot->lock);
            continue;
        }
        int64_t at = next_deadline(lot);
        if (at == INT64_MAX)
            pthread_cond_wait(&lot->wakeup, &lot->lock);
        else
            thread_wait_until(&lot->wakeup, &lot->lock, at);
    }
    pthread_mutex_unlock(&lot->lock);
    return NULL;
}

struct parked_lot *parked_new(int64_t timeout)
{
    struct parked_lot *lot = calloc(1, sizeof *lot);

    if (!lot)
        return NULL;
    lot->timeout = timeout;
    pthread_mutex_init(&lot->lock, NULL);
    thread_condition_init(&lot->wakeup);
    if (pthread_create(&lot->thread, NULL, watch_deadlines, lot) != 0) {
        free(lot);
        return NULL;
    }
    return lot;
}

static bool any(struct parked *parked, void *data)
{
    (void)parked;
    (void)data;
    return true;
}

void parked_free(struct parked_lot *lot)
{
    if (!lot)
        return;
    pthread_mutex_lock(&lot->lock);
    lot->stopping = true;
    struct parked *left = take(lot, any, NULL);
    pthread_cond_signal(&lot->wakeup);
    pthread_mutex_unlock(&lot->lock);
    end_all(left, PARKED_TIMED_OUT);
    pthread_join(lot->thread, NULL);
    pthread_cond_destroy(&lot->wakeup);
    pthread_mutex_destroy(&lot->lock);
    free(lot);
}

int parked_wait(struct parked_lot *lot, struct parked *parked, struct work *work,
                int (*is_interrupted)(void *data), void *data)
{
    int r = 0;

    parked->work = work;
    parked->since = clock_now();
    pthread_mutex_lock(&lot->lock);
    if (is_interrupted(data)) {
        r = -EINTR;
    } else if (!atomic_load(&work->running)) {
        r = -EAGAIN;
    } else {
        parked->next = lot->first;
        lot->first = parked;
        lot->count++;
        atomic_fetch_add(&work->waiting, 1);
        pthread_cond_signal(&lot->wakeup);
    }
    pthread_mutex_unlock(&lot->lock);
    return r;
}

static bool waits_for(struct parked *parked, void *work)
{
    return parked->work == work;
}

void parked_wake(struct parked_lot *lot, struct work *work)
{
    pthread_mutex_lock(&lot->lock);
    struct parked *woken = take(lot, waits_for, work);
    pthread_mutex_unlock(&lot->lock);
    end_all(woken, PARKED_REPLAY);
}

struct matcher {
    int (*match)(struct parked *, void *);
    void *data;
};

static bool matches(struct parked *parked, void *data)
{
    const struct matcher *matcher = data;
    return matcher->match(parked, matcher->data) != 0;
}

void parked_interrupt(struct parked_lot *lot, int (*match)(struct parked *, void *), void *data)
{
    struct matcher matcher = {match, data};

    pthread_mutex_lock(&lot->lock);
    struct parked *interrupted = take(lot, matches, &matcher);
    pthread_mutex_unlock(&lot->lock);
    end_all(interrupted, PARKED_INTERRUPTED);
}

size_t parked_count(struct parked_lot *lot)
{
    pthread_mutex_lock(&lot->lock);
    size_t count = lot->count;
    pthread_mutex_unlock(&lot->lock);
    return count;
}
