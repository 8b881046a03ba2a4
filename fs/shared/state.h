/* state.h - what the supervisor and its workers share, beside the node table: the request that
 * began the session, counters that outlive a worker, what happened to the workers so far, and what a
 * next supervisor must know of the mount. A memfd.
 *
 * The supervisor writes what it says about workers; the worker writes the counters. */
#ifndef FS_SHARED_STATE_H
#define FS_SHARED_STATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "fs/shared/crash_record.h"
#include "fs/shared/inflight.h"
#include "gitcache/base/error.h"

#define STATE_LAYOUT 5

enum operation {
    OPERATION_INIT,
    OPERATION_LOOKUP,
    OPERATION_GETATTR,
    OPERATION_READLINK,
    OPERATION_READ,
    OPERATION_READDIR,
    OPERATION_READDIRPLUS,
    OPERATION_OPEN,
    OPERATION_OPENDIR,
    OPERATION_STATFS,
    OPERATION_FORGET,
    OPERATION_OTHER,
    OPERATION_COUNT,
};

/* Whether the kernel can be told to look up all names anew. */
enum epochs { EPOCHS_UNASKED, EPOCHS_KNOWN, EPOCHS_UNKNOWN };

/* A histogram of how long fetches take; the last class has no limit. */
#define FETCH_TIMES 9

struct state {
    uint32_t layout;
    uint32_t init_size;
    char init[1024];    /* the kernel's FUSE_INIT, as it came */
    int64_t mounted_at; /* milliseconds since the epoch */
    /* For a next supervisor, to see whether it is the same mount: */
    char mountpoint[4096];
    uint64_t device;   /* makedev(3), as in mountinfo; 0: not known */
    char options[512]; /* those of FUSE that it was mounted with */
    uint64_t operands; /* a hash of what `mount` was given to show */
    _Atomic uint64_t requests[OPERATION_COUNT];
    _Atomic uint64_t fetches; /* packs transferred */
    _Atomic uint64_t fetches_failed;
    _Atomic uint64_t listings; /* answers of remotes to ls-refs */
    _Atomic uint64_t bytes_fetched;
    _Atomic uint64_t cache_freed;              /* bytes that went from the cache to make room */
    _Atomic uint64_t cache_removed;            /* versions likewise */
    _Atomic uint64_t fetch_times[FETCH_TIMES]; /* how many fetches took that long */
    _Atomic uint64_t fetch_milliseconds;       /* all fetches together */
    _Atomic uint32_t has_epochs;               /* enum epochs */
    _Atomic uint32_t answers;                  /* a worker has been ready once */
    _Atomic uint32_t workers;                  /* started so far */
    _Atomic uint32_t takeovers;                /* supervisors that went on with the mount */
    _Atomic uint32_t restarts;                 /* workers replaced because they died */
    _Atomic uint32_t reloads;                  /* workers replaced because somebody asked for it */
    _Atomic uint32_t reloads_refused;
    char reload_refusal[1024]; /* why the last one was */
    struct inflight inflight;
    struct crash_record
        crashes;         /* of fetches and listings, and of what given up requests asked for */
    char last_cause[64]; /* why the last worker was replaced: "killed by signal 9" */
    bool was_killed;     /* by somebody else, as it seems: not by what it worked on */
    char held_by[128];   /* who else holds the mount's descriptors; "": nobody */
};

/* The name that status.json gives an operation: "lookup". */
const char *state_operation_name(enum operation operation);

/* Whether the kernel can be told so; asked once in the life of a mount (connection.c). */
static inline bool state_has_epochs(const struct state *state)
{
    return atomic_load(&state->has_epochs) == EPOCHS_KNOWN;
}

void state_count_fetch(struct state *state, int64_t milliseconds);
/* The most milliseconds that a class of fetch_times holds; -1: no limit. */
int64_t state_fetch_limit(unsigned class);

/* Makes the shared memory; its descriptor (inherited by workers), or a negative errno. */
int state_create(struct error *e);
/* Maps it; EPROTO if its layout is another. */
int state_map(struct state **out, int fd, struct error *e);
void state_unmap(struct state *state);

/* A worker begins to work on all that is shared: waits until the one before has ended, which may have been another
 * supervisor's. Holds until this process ends or closes any descriptor of the memory. 0 or a negative errno. */
int state_work_alone(int fd, struct error *e);

#endif
