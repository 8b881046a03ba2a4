#include "fs/tree/search_limits.h"

#include <string.h>
#include <strings.h>

#include "gitcache/base/clock.h"

static const struct {
    uint64_t bytes;  /* git's own history has 25 MiB without files, Linux' some 800 */
    unsigned burst;  /* searches in a row */
    unsigned refill; /* milliseconds until there may be one more */
} limits_of[SEARCH_WHOSE] = {
    [SEARCH_ANYBODYS] = {64ull << 20, 8, 10000},
    [SEARCH_NAMED] = {1ull << 30, 512, 2000},
};

void search_limits_init(struct search_limits *limits, enum search_whose whose)
{
    *limits = (struct search_limits){
        .whose = whose, .left = limits_of[whose].burst, .refilled_at = clock_now()};
}

uint64_t search_limits_bytes(enum search_whose whose)
{
    return limits_of[whose].bytes;
}

bool search_limits_take(struct search_limits *limits)
{
    unsigned burst = limits_of[limits->whose].burst, refill = limits_of[limits->whose].refill;
    int64_t now = clock_now();

    while (limits->left < burst && now - limits->refilled_at >= refill) {
        limits->left++;
        limits->refilled_at += refill;
    }
    if (limits->left == burst)
        limits->refilled_at = now;
    bool may = limits->left > 0;
    limits->left -= may;
    return may;
}

bool search_limits_is_missed(const struct search_limits *limits, const char *digits)
{
    for (size_t i = 0; i < SEARCH_MISSES; i++)
        if (strcasecmp(limits->missed[i], digits) == 0)
            return true;
    return false;
}

void search_limits_remember(struct search_limits *limits, const char *digits)
{
    if (search_limits_is_missed(limits, digits))
        return;
    strcpy(limits->missed[limits->next_miss], digits);
    limits->next_miss = (limits->next_miss + 1) % SEARCH_MISSES;
}

void search_limits_forget(struct search_limits *limits)
{
    memset(limits->missed, 0, sizeof limits->missed);
}
