/* reading.h - one reading of a folder or a file, as a thread of the pool does it. Private to fs/tree. */
#ifndef FS_TREE_READING_H
#define FS_TREE_READING_H

#include <pthread.h>

#include "fs/tree/blobs.h"
#include "fs/tree/checkout.h"
#include "fs/tree/parked.h"
#include "fs/tree/turns.h"
#include "gitcache/fetch/pool.h"

#define READING_CHEAP_TIME 20 /* milliseconds: a repository that once took longer is not cheap */

enum reading_kind { READING_VERSION, READING_TREE, READING_FILE, READING_RECLAIM };

/* Its memory is used again for others, but given back only at the end: a request that is about to
 * wait for one that has ended, or is another's by now, at worst waits for the wrong one, and asks
 * again then. */
struct reading {
    struct work work;
    struct mount *mount;
    struct pool *pool;      /* whose end ends it */
    struct turns *turns;    /* which it takes once it has taken a moment */
    pthread_mutex_t *trial; /* what two workers may have died of: one at a time */
    enum reading_kind kind;
    uint32_t node;
    struct repo *repo;       /* NULL: READING_RECLAIM */
    struct repo_version *of; /* READING_VERSION */
    struct version version;  /* likewise; not yet known of one that is_ahead */
    bool is_ahead;           /* nobody has asked for it: what the cache lacks is no failure */
    bool in_background;      /* goes on though nobody waits */
    /* while it runs, its thread's: */
    int64_t wanted_at;  /* clock_now() when somebody was last seen waiting */
    int64_t started_at; /* milliseconds of the thread's processor time */
    bool is_slow, is_beyond_budget, has_turn;
    int64_t turn_began;   /* as started_at */
    struct reading *next; /* in its bucket, or among those that are free */
};

/* Reads, while somebody waits (or it is in the background) and its budget lasts; sets is_slow and
 * is_beyond_budget. 0, with *out a file's bytes, for which blobs_put, and untouched for others; -ECANCELED: it ended early;
 * or an errno. */
int reading_run(struct reading *reading, struct blob **out, struct error *e);

/* What a death while that is read counts against (crash_record.h). */
uint64_t reading_crash_key(const struct mount *mount, enum reading_kind kind, uint32_t node);

/* Milliseconds of a processor's time for a folder or a file: `timeout`, as for a remote's silence. */
int64_t reading_budget(const struct mount *mount);

/* Milliseconds of a processor's time that the calling thread has used. */
int64_t reading_processor_time(void);

#endif
