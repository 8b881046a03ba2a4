#include "gitcache/fetch/repair.h"

#include <errno.h>
#include <stdlib.h>

#include "gitcache/fetch/reception.h"
#include "gitcache/store/mend.h"

struct repairing {
    struct mend *mend;
    struct remote *remote;
    const struct watch *watch;
    unsigned *fetched;
};

/* Fetches all that is wanted in one pack, or one want in a pack of its own. */
static int receive(const struct repairing *repairing, size_t first, size_t count, struct error *e)
{
    struct mend *mend = repairing->mend;
    struct oid *ids = calloc(count, sizeof *ids);
    const struct fetch_command_request request = {.wants = ids, .count = count, .depth = 1};
    struct incoming incoming;
    int r = ids ? incoming_open(&incoming, mend->repository, e) : error_no_memory(e);

    if (r < 0) {
        free(ids);
        return r;
    }
    for (size_t i = 0; i < count; i++)
        ids[i] = mend->wants[first + i].target;
    r = reception_run(&incoming, repairing->remote, &request, repairing->watch, e);
    if (r == 0)
        ++*repairing->fetched;
    if (r == 0)
        r = mend_check(mend, &incoming, first, count, e);
    if (r == 0)
        r = incoming_publish(&incoming, e);
    incoming_close(&incoming);
    free(ids);
    return r;
}

/* A failure that may be one version's alone. */
static bool is_about_one(int r)
{
    return r == -ENOENT || r == -EIO;
}

static int receive_wanted(const struct repairing *repairing, struct error *e)
{
    struct mend *mend = repairing->mend;
    int r = receive(repairing, 0, mend->count, e);

    if (!is_about_one(r))
        return r;
    r = 0;
    for (size_t i = 0; i < mend->count; i++) {
        struct error inner = {0};
        int one = receive(repairing, i, 1, &inner);

        if (is_about_one(one) && !mend->wants[i].recorded)
            one = mend_give_up(mend, i, &inner);
        if (one < 0 && r == 0)
            r = error_set(e, inner.errnum, "%s", inner.text);
        if (one < 0 && !is_about_one(one))
            break;
    }
    return r;
}

int repair_run(struct repository *repository, struct remote *remote, const struct watch *watch,
               unsigned *fetched, struct error *e)
{
    struct repairing repairing = {.remote = remote, .watch = watch, .fetched = fetched};
    int r = mend_begin(&repairing.mend, repository, e), end;

    if (r < 0)
        return r;
    if (repairing.mend->count)
        r = receive_wanted(&repairing, e);
    end = mend_end(repairing.mend, r == 0, e);
    return r < 0 ? r : end;
}
