/* budget.h - counts work whose amount a repository decides, and looks up from it now and then.
 * Private to gitcache/checkout. */
#ifndef GITCACHE_CHECKOUT_BUDGET_H
#define GITCACHE_CHECKOUT_BUDGET_H

#include <stdint.h>

#include "gitcache/base/watch.h"

/* A step is what takes about a nanosecond: a byte converted, a character compared. After so many the
 * watch is asked, some milliseconds later at most. */
#define BUDGET_STEPS ((uint64_t)1 << 20)

struct budget {
    const struct watch *watch; /* may be NULL */
    uint64_t spent;            /* since the last look */
    bool cancelled;            /* stays so */
};

/* True once the caller wants no more. */
static inline bool budget_spend(struct budget *budget, uint64_t steps)
{
    budget->spent += steps;
    if (budget->spent >= BUDGET_STEPS) {
        budget->spent = 0;
        budget->cancelled = budget->cancelled || watch_is_cancelled(budget->watch);
    }
    return budget->cancelled;
}

#endif
