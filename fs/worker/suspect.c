#include "fs/worker/suspect.h"

#include <string.h>

/* What a request is known by when another one is for the same. A read is, at any offset. */
static uint64_t deed_of(const struct request_header *request, size_t size)
{
    const char *name = (const char *)(request + 1);
    bool is_named =
        request->opcode == OP_LOOKUP && memchr(name, '\0', size - sizeof *request) != NULL;

    return crash_record_key_of_request(request->opcode, request->node, is_named ? name : "");
}

enum crash_verdict suspect_judge(struct mount *mount, const struct request_header *request,
                                 size_t size)
{
    struct crash_record *requests = &mount->state->inflight.requests;
    struct crash_record *crashes = &mount->state->crashes;
    uint64_t unique = request->unique & ~RESENT, deed = deed_of(request, size);
    enum crash_verdict verdict = crash_record_judge(requests, unique);

    crash_record_add(requests, unique);
    if (verdict == CRASH_GIVEN_UP) {
        log_error(mount->log,
                  "a request (operation %u, inode %llu) is given up: %d workers died of it; others "
                  "like it are refused for %d s",
                  request->opcode, (unsigned long long)request->node, CRASH_DEATHS,
                  CRASH_PAUSE / 1000);
        crash_record_condemn(crashes, deed);
    } else if (crash_record_judge(crashes, deed) == CRASH_GIVEN_UP) {
        verdict = CRASH_GIVEN_UP;
    }
    return verdict;
}
