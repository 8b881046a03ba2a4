/* places.h - which places of an array in shared memory are free. Private to fs/shared; for one thread at a time.
 *
 * The array grows to its end. What was given up is known only to a sweep, which looks at every place, and to the worker
 * that swept: it says which are taken, and from then on those that are not are used first. */
#ifndef FS_SHARED_PLACES_H
#define FS_SHARED_PLACES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct places {
    _Atomic uint32_t *used; /* in the shared memory: how many were ever taken */
    uint32_t max;
    uint64_t *taken;       /* a bit for each used place; NULL: not known */
    uint32_t free, cursor; /* bits that are not set, and where the last run was found */
    uint32_t no_run;       /* no run of so many is free; 0: not known */
};

/* What that memory says, within bounds. */
uint32_t places_used(const struct places *places);

/* So many side by side, of which nobody reads anything before the caller has written it. 0 or -ENOSPC. */
int places_take(struct places *places, size_t count, uint32_t *first);

/* None of the used places is taken but those that are kept after this. False: out of memory; then no place is used
 * again. */
bool places_look(struct places *places);
void places_keep(struct places *places, uint32_t index);

/* As long as nobody knows: as in a new worker. */
void places_forget(struct places *places);

#endif
