/* pace.h - whether an answer gets on: a server that keeps a connection alive with messages, or lets
 * bytes trickle, is left after the same time as one that is silent.
 *
 * Getting on means at least PACE_LEAST useful bytes a second, on the average over the time that a
 * server may be silent. What comes at that speed may take as long as it is long. */
#ifndef GITCACHE_NET_PACE_H
#define GITCACHE_NET_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "gitcache/base/clock.h"

#define PACE_LEAST 16

struct pace {
    unsigned seconds;
    uint64_t useful; /* bytes when it last got on */
    int64_t since;   /* milliseconds: when that was */
};

static inline struct pace pace_begin(unsigned seconds)
{
    return (struct pace){.seconds = seconds, .since = clock_now()};
}

/* Takes the useful bytes so far. */
static inline void pace_note(struct pace *pace, uint64_t useful)
{
    if (useful - pace->useful < (uint64_t)PACE_LEAST * pace->seconds)
        return;
    pace->useful = useful;
    pace->since = clock_now();
}

static inline int64_t pace_deadline(const struct pace *pace)
{
    return pace->since + pace->seconds * INT64_C(1000);
}

#endif
