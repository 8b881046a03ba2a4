#include "gitcache/net/politeness.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gitcache/base/clock.h"
#include "gitcache/base/url.h"

#define PER_SECOND  15
#define BURST       200  /* a list of 90, listed and fetched */
#define LONGEST     3600 /* seconds: a server that says more is asked once an hour */
#define HOST_LENGTH 300

struct polite_host {
    struct polite_host *next;
    int64_t paused_until; /* clock_now; 0: it is not */
    int64_t free_at;      /* when the requests so far are worked off, at PER_SECOND */
    char name[];
};

struct politeness {
    pthread_mutex_t lock; /* guards all below */
    struct polite_host *hosts;
};

struct politeness *politeness_new(void)
{
    struct politeness *politeness = calloc(1, sizeof *politeness);

    if (politeness)
        pthread_mutex_init(&politeness->lock, NULL);
    return politeness;
}

void politeness_free(struct politeness *politeness)
{
    struct polite_host *next;

    if (!politeness)
        return;
    for (struct polite_host *host = politeness->hosts; host; host = next) {
        next = host->next;
        free(host);
    }
    pthread_mutex_destroy(&politeness->lock);
    free(politeness);
}

/* With the lock. NULL: out of memory. */
static struct polite_host *find(struct politeness *politeness, const char *url)
{
    char name[HOST_LENGTH];
    struct polite_host *host;

    url_host(url, name, sizeof name);
    for (host = politeness->hosts; host; host = host->next)
        if (strcmp(host->name, name) == 0)
            return host;
    host = calloc(1, sizeof *host + strlen(name) + 1);
    if (host) {
        strcpy(host->name, name);
        host->next = politeness->hosts;
        politeness->hosts = host;
    }
    return host;
}

void politeness_pause(struct politeness *politeness, const char *url, long seconds)
{
    struct polite_host *host;

    if (seconds > LONGEST)
        seconds = LONGEST;
    pthread_mutex_lock(&politeness->lock);
    host = find(politeness, url);
    if (host && clock_now() + seconds * INT64_C(1000) > host->paused_until)
        host->paused_until = clock_now() + seconds * INT64_C(1000);
    pthread_mutex_unlock(&politeness->lock);
}

/* Takes a place in the row: when it is to be asked, or how long it is paused (milliseconds). */
static void take_place(struct politeness *politeness, const char *url, int64_t *at, int64_t *paused)
{
    int64_t now = clock_now(), step = 1000 / PER_SECOND;
    struct polite_host *host;

    *at = now;
    *paused = 0;
    pthread_mutex_lock(&politeness->lock);
    host = find(politeness, url);
    if (host && host->paused_until > now) {
        *paused = host->paused_until - now;
    } else if (host) {
        if (host->free_at < now)
            host->free_at = now;
        host->free_at += step;
        *at = host->free_at - BURST * step;
    }
    pthread_mutex_unlock(&politeness->lock);
}

static int left_alone(const char *who, int64_t milliseconds, struct error *e)
{
    time_t until = time(NULL) + (time_t)(milliseconds / 1000) + 1;
    char text[32];
    struct tm tm;

    strftime(text, sizeof text, "%H:%M:%S", localtime_r(&until, &tm));
    return error_set(e, EBUSY,
                     "%s: the host wants to be left alone until %s; what is in the cache is served",
                     who, text);
}

int politeness_wait(struct politeness *politeness, const char *url, const char *who,
                    const struct watch *watch, struct error *e)
{
    const struct timespec pause = {.tv_nsec = 20000000};
    int64_t at, paused;

    take_place(politeness, url, &at, &paused);
    if (paused)
        return left_alone(who, paused, e);
    while (clock_now() < at) {
        if (watch_is_cancelled(watch))
            return error_set(e, ECANCELED, "%s: cancelled", who);
        nanosleep(&pause, NULL);
    }
    return 0;
}
