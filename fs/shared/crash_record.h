/* crash_record.h - what workers were doing when they died, in memory that outlives them.
 *
 * A request, a pack or a listing that kills the worker comes again to the next one, and would take
 * everybody down for as long as somebody waits for it. So what three workers have died of is given
 * up for a minute: who wants it gets EIO.
 *
 * Several things may be worked on when one of them kills the worker; the others must not be
 * blamed. So what was there at two deaths has its third chance on trial: only one of those is
 * worked on at a time, and only the guilty one can be there at a third death. A death counts only
 * between crash_record_work and crash_record_pause: nobody dies of waiting, nor of writing. And who is
 * killed by somebody else dies of nothing that he worked on; but nobody can be sure of that (a service
 * may kill who takes much memory), so that some such kills count as a death.
 *
 * A table of slots found by a key. If it is full, a thing goes untracked: nothing else suffers.
 * Threads need no lock; each key is worked on by one thread at a time. */
#ifndef FS_SHARED_CRASH_RECORD_H
#define FS_SHARED_CRASH_RECORD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define CRASH_SLOTS  8192
#define CRASH_DEATHS 3     /* given up when so many workers have died of it */
#define CRASH_KILLS  4     /* from outside, which count as one death */
#define CRASH_PAUSE  60000 /* milliseconds for which it is given up */

struct crash_slot {
    _Atomic uint64_t key;     /* 0: free */
    _Atomic uint32_t working; /* a thread is at it just now */
    _Atomic uint32_t deaths;
    _Atomic uint32_t kills;  /* from outside, while a thread was at it */
    _Atomic int64_t died_at; /* clock_now(), after a death or a kill */
};

struct crash_record {
    atomic_bool used; /* else nobody need look */
    struct crash_slot slots[CRASH_SLOTS];
};

enum crash_verdict {
    CRASH_SAFE,
    CRASH_TRIAL, /* try it, but no two of those at a time */
    CRASH_GIVEN_UP,
};

/* The key of a version of a remote. version NULL: the default branch; "": the listing. */
uint64_t crash_record_key(const char *url, const char *version);
/* The key of a remote's repository in the cache, when it is read to show its folder. */
uint64_t crash_record_key_of_cached(const char *url);
/* The key of a request's like: what it does, to what, by what name ("" if by none). */
uint64_t crash_record_key_of_request(uint32_t operation, uint64_t inode, const char *name);

enum crash_verdict crash_record_judge(struct crash_record *record, uint64_t key);
/* How many workers it has killed, as far as is known. */
uint32_t crash_record_deaths(struct crash_record *record, uint64_t key);
/* It has killed enough already. */
void crash_record_condemn(struct crash_record *record, uint64_t key);

/* It is known from now on, and nobody works on it yet. */
void crash_record_add(struct crash_record *record, uint64_t key);
/* Somebody works on it: if the worker dies, this may be why. Adds it if need be. Idempotent. */
void crash_record_work(struct crash_record *record, uint64_t key);
/* Nobody works on it any more. The deaths before stay counted. */
void crash_record_pause(struct crash_record *record, uint64_t key);
/* It has ended, well or not, and nobody died of it. */
void crash_record_end(struct crash_record *record, uint64_t key);

/* A worker begins: what the last one was working on when it died is counted as a death, or, if it was
 * killed from outside, as a kill. What nobody died of, or not for a while, is forgotten. */
void crash_record_recover(struct crash_record *record, bool was_killed);

#endif
