#include "fs/worker/blame.h"

#include <string.h>

/* What a request is known by when another one is for the same. A read is, at any offset. */
static uint64_t deed_of(const struct request_header *request, size_t size)
{
    const char *name = (const char *)(request + 1);
    bool is_named =
        request->opcode == OP_LOOKUP && memchr(name, '\0', size - sizeof *request) != NULL;

    return deadly_key_of_request(request->opcode, request->node, is_named ? name : "");
}

enum inflight_verdict blame_judge(struct mount *mount, const struct request_header *request,
                                  size_t size, uint32_t worker)
{
    struct deadly *deadly = &mount->state->deadly;
    enum inflight_verdict verdict =
        inflight_begin(&mount->state->inflight, request->unique & ~RESENT, worker);
    uint64_t deed = deed_of(request, size);

    if (verdict == INFLIGHT_GIVE_UP) {
        log_error(mount->log,
                  "a request (operation %u, inode %llu) is given up: %d workers died of it; its "
                  "like is not tried for %d s",
                  request->opcode, (unsigned long long)request->node, INFLIGHT_DEATHS,
                  DEADLY_PAUSE / 1000);
        deadly_condemn(deadly, deed);
    } else if (deadly_judge(deadly, deed) == DEADLY_GIVEN_UP) {
        verdict = INFLIGHT_GIVE_UP;
    }
    return verdict;
}
