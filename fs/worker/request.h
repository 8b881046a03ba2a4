/* request.h - one FUSE request: it is served, or waits without a thread and is served again.
 *
 * A request lives on the stack of the thread that serves it; where it has to wait it moves to the
 * heap (parked.h) and is served from the start once what it waits for has ended, as often as
 * needed. */
#ifndef FS_WORKER_REQUEST_H
#define FS_WORKER_REQUEST_H

#include <fuse_lowlevel.h>

#include "fs/tree/ask.h"
#include "fs/tree/parked.h"
#include "fs/worker/worker.h"

/* One FUSE request with its arguments: on the stack while it is served, on the heap while it is
 * parked. */
struct request {
    struct parked parked; /* first, so that the lot's pointer is ours */
    fuse_req_t req;
    struct worker *worker;
    struct mount *mount;                   /* its */
    int (*serve)(struct request *request); /* serve.h */
    uint32_t node;
    size_t size;
    off_t offset;
    uint64_t told; /* a file's size when the request came: what the kernel believes */
    struct ask ask;
    bool parked_once; /* it is on the heap */
    char name[NODE_NAME_MAX + 1];
};

/* Serves a request: it is replied to, or parked. Takes a parked one over. */
void request_run(struct request *request);

#endif
