#include "fs/tree/turns.h"

#include <unistd.h>

#include "gitcache/base/clock.h"
#include "gitcache/base/thread.h"

#define PAUSE 10 /* milliseconds after which it is asked whether to go on */

void turns_init(struct turns *turns, unsigned most)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    *turns = (struct turns){.most = most ? most : processors < 4 ? 1 : (unsigned)processors / 2};
    pthread_mutex_init(&turns->lock, NULL);
    thread_condition_init(&turns->changed);
}

void turns_release(struct turns *turns)
{
    pthread_cond_destroy(&turns->changed);
    pthread_mutex_destroy(&turns->lock);
}

static void wait_a_moment(struct turns *turns)
{
    thread_wait_until(&turns->changed, &turns->lock, clock_now() + PAUSE);
}

/* One that gives up lets the next one through when its number comes: it waits for that, which is no longer
 * than a few turns. */
bool turns_take(struct turns *turns, bool (*cancelled)(void *data), void *data)
{
    bool go_on = true;

    pthread_mutex_lock(&turns->lock);
    uint64_t mine = turns->next++;
    while (turns->first != mine || (go_on && turns->taken >= turns->most)) {
        wait_a_moment(turns);
        pthread_mutex_unlock(&turns->lock);
        go_on = go_on && !cancelled(data);
        pthread_mutex_lock(&turns->lock);
    }
    turns->first++;
    turns->taken += go_on;
    pthread_cond_broadcast(&turns->changed);
    pthread_mutex_unlock(&turns->lock);
    return go_on;
}

void turns_give_back(struct turns *turns)
{
    pthread_mutex_lock(&turns->lock);
    turns->taken--;
    pthread_cond_broadcast(&turns->changed);
    pthread_mutex_unlock(&turns->lock);
}

bool turns_are_wanted(struct turns *turns)
{
    pthread_mutex_lock(&turns->lock);
    bool wanted = turns->first != turns->next;
    pthread_mutex_unlock(&turns->lock);
    return wanted;
}
