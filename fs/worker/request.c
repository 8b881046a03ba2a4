#include "fs/worker/request.h"

#include <errno.h>
#include <stdlib.h>

#include "fs/shared/sweep.h"
#include "gitcache/base/clock.h"

#define PATIENCE 2000 /* milliseconds that `ls` waits for a listing when it has an older one */

static int is_interrupted(void *data)
{
    return fuse_req_interrupted(data);
}

static int is_for(struct parked *parked, void *req)
{
    return ((struct request *)parked)->req == req;
}

static void on_interrupt(fuse_req_t req, void *data)
{
    struct mount *mount = data;
    parked_interrupt(mount->parked, is_for, req);
}

static void on_end(struct parked *parked, enum parked_end how)
{
    struct request *request = (struct request *)parked;

    switch (how) {
    case PARKED_REPLAY:
        request_run(request);
        return;
    case PARKED_TIMED_OUT:
        fuse_reply_err(request->req, ETIMEDOUT);
        break;
    case PARKED_INTERRUPTED:
        fuse_reply_err(request->req, EINTR);
        break;
    }
    free(request);
}

/* Returns what parked_wait does. A request that is parked is no longer the caller's. */
static int park(struct request **here)
{
    struct request *request = *here;
    struct work *work = request->ask.work;

    if (!request->parked_once) {
        struct request *copy = malloc(sizeof *copy);
        if (!copy)
            return -ENOMEM;
        *copy = *request;
        copy->parked_once = true;
        request = *here = copy;
    }
    request->parked.end = on_end;
    request->parked.patience = 0;
    if (request->ask.impatient) {
        int64_t began = atomic_load(&work->progress_at);
        request->parked.patience = (began ? began : clock_now()) + PATIENCE;
    }
    request->ask.impatient = false;
    fuse_req_interrupt_func(request->req, on_interrupt, request->mount);
    return parked_wait(request->mount->parked, &request->parked, work, is_interrupted,
                       request->req);
}

void request_run(struct request *request)
{
    for (;;) {
        struct nodes *nodes = request->mount->nodes;
        unsigned inside = nodes_enter(nodes);
        int r = request->serve(request);
        nodes_leave(nodes, inside);
        if (r == -EAGAIN) {
            r = park(&request);
            if (r == 0)
                return;
            if (r == -EAGAIN)
                continue;
        }
        if (r < 0)
            fuse_reply_err(request->req, -r);
        if (request->parked_once)
            free(request);
        return;
    }
}
