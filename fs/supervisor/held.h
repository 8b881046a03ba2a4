/* held.h - what a supervisor needs to go on with a mount that another one has begun, and what it says to a
 * holder about that. */
#ifndef FS_SUPERVISOR_HELD_H
#define FS_SUPERVISOR_HELD_H

#include <limits.h>
#include <stdint.h>

/* Four descriptors, in this order. */
enum held {
    HELD_FUSE,  /* /dev/fuse: the mount is there as long as anybody has it */
    HELD_NODES, /* the node table */
    HELD_STATE, /* with the kernel's first request, and where the mount is */
    HELD_LISTS, /* what the lists said last */
    HELD_COUNT,
};

enum holder_word {
    /* To a holder: */
    HOLDER_KEEP = 1, /* comes with the descriptors; the mount is the asker's until it hangs up */
    HOLDER_TAKE,
    HOLDER_DROP,
    /* Its answers: */
    HOLDER_DONE, /* to HOLDER_TAKE with the descriptors */
    HOLDER_NONE, /* no such mount is held */
    HOLDER_BUSY, /* somebody who has not hung up looks after that mount */
    HOLDER_FULL,
};

/* A message in either direction, over a socket that keeps messages apart (SOCK_SEQPACKET). */
struct holder_message {
    uint32_t word; /* enum holder_word */
    char mountpoint[PATH_MAX];
};

#endif
