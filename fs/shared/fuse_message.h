/* fuse_message.h - the frame of what the kernel and a FUSE daemon say to each other, as in
 * linux/fuse.h; only what is read without libfuse. */
#ifndef FS_SHARED_FUSE_MESSAGE_H
#define FS_SHARED_FUSE_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#define OP_LOOKUP       1
#define OP_FORGET       2
#define OP_INTERRUPT    36
#define OP_BATCH_FORGET 42

#define NOTIFY_RESEND    7            /* FUSE_NOTIFY_RESEND, since Linux 6.9 */
#define NOTIFY_INC_EPOCH 8            /* FUSE_NOTIFY_INC_EPOCH, since 6.16 */
#define NOTIFY_PRUNE     9            /* FUSE_NOTIFY_PRUNE, since 6.18 */
#define PARALLEL_DIROPS  (1u << 18)   /* FUSE_PARALLEL_DIROPS */
#define INIT_EXT         (1u << 30)   /* FUSE_INIT_EXT: flags2 counts */
#define HAS_RESEND       (1u << 7)    /* FUSE_HAS_RESEND, in flags2 */
#define ALLOW_IDMAP      (1u << 8)    /* FUSE_ALLOW_IDMAP, in flags2, since 6.12 */
#define RESENT           (1ull << 63) /* FUSE_UNIQUE_RESEND, in a request's number */

/* The start of every request. */
struct request_header {
    uint32_t length, opcode;
    uint64_t unique, node;
    uint32_t uid, gid, pid;
    uint16_t extensions, padding;
};

/* Whether somebody waits for an answer to it. */
static inline bool request_is_answered(const struct request_header *request)
{
    return request->opcode != OP_FORGET && request->opcode != OP_BATCH_FORGET &&
           request->opcode != OP_INTERRUPT;
}

/* The start of every answer. */
struct answer_header {
    uint32_t length;
    int32_t error;
    uint64_t unique;
};

/* FUSE_NOTIFY_PRUNE, behind the header; node ids follow. */
struct prune_notice {
    uint32_t count, padding;
    uint64_t spare;
};

struct init_request {
    struct request_header header;
    uint32_t major, minor, max_readahead, flags, flags2;
};

/* The start of its answer, behind the header. */
struct init_answer {
    uint32_t major, minor, max_readahead, flags;
    uint16_t max_background, congestion_threshold;
    uint32_t max_write, time_gran;
    uint16_t max_pages, map_alignment;
    uint32_t flags2;
};

#endif
