#include "fs/service/mount_probe.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gitcache/base/clock.h"
#include "gitcache/base/thread.h"

struct mount_probe {
    struct mount_probe_options options;
    pthread_t thread;
    pthread_cond_t wanted;
    pthread_mutex_t lock; /* guards all that follows */
    bool stopping;
    struct mount_probe_waiter *waiters;
    char *text;          /* of the last answer, if it was good */
    struct error error;  /* of the last answer, if it was not */
    int64_t answered_at; /* clock_now; 0: never */
};

static bool is_fresh(const struct mount_probe *probe, int64_t now)
{
    return probe->answered_at && now - probe->answered_at < MOUNT_PROBE_FRESH;
}

static void resume_all(struct mount_probe *probe)
{
    struct mount_probe_waiter *waiter = probe->waiters;

    probe->waiters = NULL;
    while (waiter) {
        struct mount_probe_waiter *next = waiter->next; /* it may go as soon as it is resumed */
        probe->options.resume(waiter->waiter);
        waiter = next;
    }
}

static void *run(void *data)
{
    struct mount_probe *probe = data;

    pthread_mutex_lock(&probe->lock);
    while (!probe->stopping) {
        if (!probe->waiters) {
            pthread_cond_wait(&probe->wanted, &probe->lock);
            continue;
        }
        pthread_mutex_unlock(&probe->lock);
        struct error error = {0};
        char *text = NULL;
        int r = probe->options.ask(probe->options.data, &text, &error);
        pthread_mutex_lock(&probe->lock);
        free(probe->text);
        probe->text = r < 0 ? NULL : text;
        probe->error = error;
        probe->answered_at = clock_now();
        resume_all(probe);
    }
    pthread_mutex_unlock(&probe->lock);
    return NULL;
}

int mount_probe_open(struct mount_probe **out, const struct mount_probe_options *options,
                     struct error *e)
{
    struct mount_probe *probe = calloc(1, sizeof *probe);

    if (!probe)
        return error_no_memory(e);
    probe->options = *options;
    pthread_mutex_init(&probe->lock, NULL);
    pthread_cond_init(&probe->wanted, NULL);
    int r = pthread_create(&probe->thread, NULL, run, probe);
    if (r != 0) {
        free(probe);
        return error_set(e, r, "cannot start a thread: %s", strerror(r));
    }
    *out = probe;
    return 0;
}

void mount_probe_stop(struct mount_probe *probe)
{
    if (!probe)
        return;
    pthread_mutex_lock(&probe->lock);
    probe->stopping = true;
    resume_all(probe);
    pthread_cond_signal(&probe->wanted);
    pthread_mutex_unlock(&probe->lock);
}

bool mount_probe_close(struct mount_probe *probe)
{
    if (!probe)
        return true;
    if (thread_join(probe->thread, 1000) != 0)
        return false;
    pthread_mutex_destroy(&probe->lock);
    pthread_cond_destroy(&probe->wanted);
    free(probe->text);
    free(probe);
    return true;
}

bool mount_probe_wait(struct mount_probe *probe, struct mount_probe_waiter *waiter, void *data)
{
    int64_t now = clock_now();

    pthread_mutex_lock(&probe->lock);
    bool waits = !probe->stopping && !is_fresh(probe, now);
    if (waits) {
        *waiter = (struct mount_probe_waiter){probe->waiters, data, now + MOUNT_PROBE_PATIENCE};
        probe->waiters = waiter;
        probe->options.suspend(data);
        pthread_cond_signal(&probe->wanted);
    }
    pthread_mutex_unlock(&probe->lock);
    return waits;
}

int mount_probe_report(struct mount_probe *probe, char **text, struct error *e)
{
    int64_t now = clock_now();
    int r = 0;

    pthread_mutex_lock(&probe->lock);
    if (!probe->answered_at || now - probe->answered_at > MOUNT_PROBE_FRESH + MOUNT_PROBE_PATIENCE)
        r = error_set(e, ETIMEDOUT, "the mount does not answer");
    else if (!probe->text)
        r = error_set(e, probe->error.errnum, "%s", probe->error.text);
    else if (text && !(*text = strdup(probe->text)))
        r = error_no_memory(e);
    pthread_mutex_unlock(&probe->lock);
    return r;
}

void mount_probe_expire(struct mount_probe *probe, int64_t now)
{
    pthread_mutex_lock(&probe->lock);
    for (struct mount_probe_waiter **link = &probe->waiters; *link;) {
        struct mount_probe_waiter *waiter = *link;
        if (now < waiter->until) {
            link = &waiter->next;
            continue;
        }
        *link = waiter->next;
        probe->options.resume(waiter->waiter);
    }
    pthread_mutex_unlock(&probe->lock);
}
