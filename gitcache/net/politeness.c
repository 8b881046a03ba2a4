#include "gitcache/net/politeness.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gitcache/base/clock.h"
#include "gitcache/base/url.h"

#define BURST       200  /* a list of 90, listed and fetched */
#define CALM        16   /* commands without a drop, for each at once, until one more may be */
#define ANY_NUMBER  64   /* at once: more than a host ever gets */
#define LONGEST     3600 /* seconds: a server that says more is asked once an hour */
#define HOST_LENGTH 300

struct polite_host {
    struct polite_host *next;
    int64_t paused_until; /* clock_now; 0: it is not */
    int64_t free_at;      /* when the requests so far are worked off, at the rate */
    unsigned under_way;   /* commands */
    unsigned at_once;     /* how many may be under way; 0: any number */
    unsigned calm;        /* how many have ended well since that changed */
    char name[];
};

struct politeness {
    unsigned rate;        /* requests a second; 0: any number */
    pthread_mutex_t lock; /* guards all below */
    struct polite_host *hosts;
};

struct politeness *politeness_new(unsigned rate)
{
    struct politeness *politeness = calloc(1, sizeof *politeness);

    if (!politeness)
        return NULL;
    politeness->rate = rate;
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
    int64_t now = clock_now(), step = politeness->rate ? 1000 / politeness->rate : 0;
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

/* A moment; true when the caller wants no more. */
static bool rest(const struct watch *watch)
{
    const struct timespec pause = {.tv_nsec = 20000000};

    if (watch_is_cancelled(watch))
        return true;
    nanosleep(&pause, NULL);
    return false;
}

static int cancelled(const char *who, struct error *e)
{
    return error_set(e, ECANCELED, "%s: cancelled", who);
}

bool politeness_may_enter(struct politeness *politeness, const char *url)
{
    struct polite_host *host;
    bool may;

    pthread_mutex_lock(&politeness->lock);
    host = find(politeness, url);
    may = !host || !host->at_once || host->under_way < host->at_once;
    if (host && may)
        host->under_way++;
    pthread_mutex_unlock(&politeness->lock);
    return may;
}

int politeness_enter(struct politeness *politeness, const char *url, const char *who,
                     const struct watch *watch, struct error *e)
{
    while (!politeness_may_enter(politeness, url))
        if (rest(watch))
            return cancelled(who, e);
    return 0;
}

/* One that was dropped was one too many of those that were under way, itself among them. */
static bool take_drop(struct polite_host *host)
{
    bool had_company = host->under_way > 1;

    if (had_company && (!host->at_once || host->under_way <= host->at_once))
        host->at_once = (host->under_way + 1) / 2;
    host->calm = 0;
    return had_company || host->at_once;
}

static void take_success(struct polite_host *host)
{
    if (!host->at_once || ++host->calm < CALM * host->at_once)
        return;
    host->calm = 0;
    if (++host->at_once > ANY_NUMBER)
        host->at_once = 0;
}

bool politeness_leave(struct politeness *politeness, const char *url, bool was_dropped)
{
    struct polite_host *host;
    bool again = false;

    pthread_mutex_lock(&politeness->lock);
    host = find(politeness, url);
    if (host && was_dropped)
        again = take_drop(host);
    else if (host)
        take_success(host);
    if (host && host->under_way > 0) /* 0: there was no memory to count it */
        host->under_way--;
    pthread_mutex_unlock(&politeness->lock);
    return again;
}

bool politeness_is_crowded(struct politeness *politeness, const char *url)
{
    struct polite_host *host;
    bool crowded;

    pthread_mutex_lock(&politeness->lock);
    host = find(politeness, url);
    crowded = host && host->at_once;
    pthread_mutex_unlock(&politeness->lock);
    return crowded;
}

int politeness_wait(struct politeness *politeness, const char *url, const char *who,
                    const struct watch *watch, struct error *e)
{
    int64_t at, paused;

    take_place(politeness, url, &at, &paused);
    if (paused)
        return left_alone(who, paused, e);
    while (clock_now() < at)
        if (rest(watch))
            return cancelled(who, e);
    return 0;
}
