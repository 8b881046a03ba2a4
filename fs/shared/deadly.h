/* deadly.h - what has killed workers and would again, in memory that outlives them.
 *
 * Who waits for a fetch has its request sent again to the next worker, which fetches again: a pack
 * or a listing that kills the worker would take all others down for as long as somebody waits for
 * it. So a fetch of which three workers have died in a row is given up for a minute: who wants it
 * gets EIO.
 *
 * As with requests (inflight.h), other fetches that are under way must not be blamed: one that was
 * there at two deaths has its third chance on trial, alone. And a death counts only while what was
 * received is read: nobody dies of waiting, nor of writing it.
 *
 * A request that was given up is here, too: the next one for the same thing is not tried. */
#ifndef FS_SHARED_DEADLY_H
#define FS_SHARED_DEADLY_H

#include <stdatomic.h>
#include <stdint.h>

#define DEADLY_SLOTS  256
#define DEADLY_DEATHS 3
#define DEADLY_PAUSE  60000 /* milliseconds for which it is given up */

struct deadly_slot {
    _Atomic uint64_t key; /* 0: free */
    _Atomic uint32_t working;
    _Atomic uint32_t deaths;
    _Atomic int64_t died_at; /* clock_now() */
};

struct deadly {
    atomic_bool used; /* else nobody need look */
    struct deadly_slot slots[DEADLY_SLOTS];
};

enum deadly_verdict {
    DEADLY_NOT,
    DEADLY_TRIAL, /* fetch it alone, and no two of those at a time */
    DEADLY_GIVEN_UP,
};

/* What a slot is found by. version NULL: the default branch; "" : the listing. */
uint64_t deadly_key(const char *url, const char *version);
/* Likewise, of a request: what it does, to what, by what name (it may have none). */
uint64_t deadly_key_of_request(uint32_t operation, uint64_t inode, const char *name);

/* It has killed enough already. */
void deadly_condemn(struct deadly *deadly, uint64_t key);

enum deadly_verdict deadly_judge(struct deadly *deadly, uint64_t key);

/* It is being received: if the worker dies from now on, this may be why. Idempotent. If the table
 * is full, it goes untracked. */
void deadly_begin(struct deadly *deadly, uint64_t key);
/* Its bytes are all read: a death from now on has another cause. Those before stay counted. */
void deadly_pause(struct deadly *deadly, uint64_t key);
/* It has ended, well or not, and nobody died of it. */
void deadly_end(struct deadly *deadly, uint64_t key);

/* A worker begins: what the last one was receiving when it died is counted as a death. */
void deadly_recover(struct deadly *deadly);

#endif
