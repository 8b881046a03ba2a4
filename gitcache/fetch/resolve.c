#include "gitcache/fetch/resolve.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/store/pins.h"

static int set_ref(struct resolved *target, const char *prefix, const char *name, struct error *e)
{
    free(target->ref);
    if (asprintf(&target->ref, "%s%s", prefix, name) < 0) {
        target->ref = NULL;
        return error_no_memory(e);
    }
    return 0;
}

int resolve_to_commit(struct resolved *target, const struct oid *commit, struct error *e)
{
    char hex[OID_HEX_SIZE];

    target->kind = VERSION_COMMIT;
    target->want = target->commit = *commit;
    return set_ref(target, COMMIT_PREFIX, oid_format(commit, hex), e);
}

static int set_listed(struct resolved *target, const struct ref *ref, struct error *e)
{
    target->state = RESOLVE_LISTED;
    if (!pins_kind(ref->name, &target->kind)) /* a detached HEAD */
        return resolve_to_commit(target, &ref->peeled, e);
    target->want = ref->oid;
    target->commit = ref->peeled;
    return set_ref(target, "", ref->name, e);
}

static int set_id(struct resolved *target, const struct oid *commit, struct error *e)
{
    target->state = RESOLVE_ID;
    return resolve_to_commit(target, commit, e);
}

/* A commit id, whole or not: first the tips that the listing shows. */
static int resolve_digits(struct resolved *target, const char *digits,
                          const struct listing *listing, const char *shown, struct error *e)
{
    const struct oid *found = NULL;
    char hex[OID_HEX_SIZE];
    struct oid id;

    for (size_t i = 0; listing && i < listing->count; i++) {
        const struct oid *peeled = &listing->refs[i].peeled;

        if (strncasecmp(oid_format(peeled, hex), digits, strlen(digits)) != 0)
            continue;
        if (found && !oid_equal(found, peeled))
            return error_set(
                e, ENOENT,
                "%s is ambiguous: several commits of %s begin with it; write more digits", digits,
                shown);
        found = peeled;
    }
    if (found) {
        target->state = RESOLVE_LISTED;
        return resolve_to_commit(target, found, e);
    }
    if (oid_parse(&id, digits, strlen(digits)))
        return set_id(target, &id, e);
    target->state = RESOLVE_DIGITS;
    return 0;
}

int resolve_request(struct resolved *out, const struct version_request *request,
                    const struct listing *listing, const char *shown, struct error *e)
{
    const struct ref *ref = NULL;
    struct oid commit;

    resolve_release(out);
    if (listing)
        ref =
            request->name ? listing_find_version(listing, request->name) : listing_default(listing);
    /* What the name means now is of no use if it shall be another commit. */
    if (request->commit && oid_parse(&commit, request->commit, strlen(request->commit)) &&
        !(ref && oid_equal(&ref->peeled, &commit)))
        return set_id(out, &commit, e);
    if (ref)
        return set_listed(out, ref, e);
    if (request->name && oid_is_abbreviation(request->name, strlen(request->name)))
        return resolve_digits(out, request->name, listing, shown, e);
    return 0;
}

void resolve_release(struct resolved *target)
{
    free(target->ref);
    memset(target, 0, sizeof *target); /* RESOLVE_NONE */
}
