#include "gitcache/store/versions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/refname.h"
#include "gitcache/store/known_pins.h"
#include "gitcache/store/pins.h"
#include "gitcache/store/repository_state.h"

static int find_below(struct repository *repository, const char *prefix, const char *name,
                      struct version *out, struct error *e)
{
    char *ref;
    int r;

    if (asprintf(&ref, "%s%s", prefix, name) < 0)
        return error_no_memory(e);
    r = pins_find(repository, ref, out, e);
    free(ref);
    return r;
}

/* Cached commits whose id begins with some digits. */
struct search {
    const char *digits;
    size_t length;
    struct version version;
    unsigned found; /* different commits */
};

static int compare_digits(void *data, const struct pin *pin)
{
    struct search *search = data;
    char hex[OID_HEX_SIZE];

    if (strncasecmp(oid_format(&pin->version.commit, hex), search->digits, search->length) != 0)
        return 0;
    if (search->found && oid_equal(&search->version.commit, &pin->version.commit))
        return 0;
    search->version = pin->version;
    search->version.kind = VERSION_COMMIT;
    search->found++;
    return 0;
}

/* ENOENT without a sentence if there is none. */
static int find_abbreviated(struct repository *repository, const char *digits, struct version *out,
                            struct error *e)
{
    struct search search = {.digits = digits, .length = strlen(digits)};
    int r;

    known_pins_each(repository, compare_digits, &search);
    if (!search.found || !known_pins_are_all(repository)) { /* another may begin so, too */
        r = pins_scan(repository, e);
        if (r < 0)
            return r;
        search.found = 0;
        known_pins_each(repository, compare_digits, &search);
    }
    if (search.found > 1)
        return error_set(
            e, ENOENT, "%s is ambiguous: %u cached commits of %s begin with it; write more digits",
            digits, search.found, repository->shown);
    if (!search.found)
        return -ENOENT;
    *out = search.version;
    return 0;
}

static int find_commit(struct repository *repository, const char *digits, struct version *out,
                       struct error *e)
{
    char lower[OID_HEX_SIZE];
    struct oid id;
    int r = -ENOENT;

    if (oid_parse(&id, digits, strlen(digits)))
        r = find_below(repository, COMMIT_PREFIX, oid_format(&id, lower), out, e);
    if (r == -ENOENT)
        return find_abbreviated(repository, digits, out, e);
    /* Where its own ref is damaged, a tag may have the same commit. */
    return r == -EIO && find_abbreviated(repository, digits, out, NULL) == 0 ? 0 : r;
}

/* The default branch while no listing was ever kept. */
static int find_any_branch(struct repository *repository, struct version *out, struct error *e)
{
    int r = find_below(repository, BRANCH_PREFIX, "master", out, e);

    return r == -ENOENT ? find_below(repository, BRANCH_PREFIX, "main", out, e) : r;
}

static int find_default(struct repository *repository, const struct listing *listing,
                        struct version *out, struct error *e)
{
    const struct ref *ref = listing ? listing_default(listing) : NULL;
    char hex[OID_HEX_SIZE];

    if (!listing)
        return find_any_branch(repository, out, e);
    if (!ref)
        return -ENOENT;
    if (strcmp(ref->name, "HEAD") == 0) /* detached: a commit, no branch */
        return find_commit(repository, oid_format(&ref->peeled, hex), out, e);
    return pins_find(repository, ref->name, out, e);
}

/* Order: tag, branch, commit id; and what the listing shows further up is not passed over only
 * because it is not cached yet. */
static int find_named(struct repository *repository, const struct listing *listing,
                      const char *name, struct version *out, struct error *e)
{
    const struct ref *listed = listing ? listing_find_version(listing, name) : NULL;
    int r;

    if (!refname_is_valid(name, strlen(name)))
        return -ENOENT;
    r = find_below(repository, TAG_PREFIX, name, out, e);
    if (r != -ENOENT || (listed && pins_kind(listed->name, &out->kind) && out->kind == VERSION_TAG))
        return r;
    r = find_below(repository, BRANCH_PREFIX, name, out, e);
    if (r != -ENOENT || listed || !oid_is_abbreviation(name, strlen(name)))
        return r;
    return find_commit(repository, name, out, e);
}

int versions_find(struct repository *repository, const char *name, const char *commit,
                  struct version *out, struct error *e)
{
    const struct listing *listing = repository_listing_get(repository);
    const char *shown = name ? name : "the default branch";
    bool is_absent = pins_are_absent(repository), found;
    struct error inner = {0};
    char hex[OID_HEX_SIZE];
    struct oid wanted;
    int r;

    if (is_absent)
        r = -ENOENT;
    else if (name)
        r = find_named(repository, listing, name, out, &inner);
    else
        r = find_default(repository, listing, out, &inner);
    repository_listing_put(repository, listing);
    if (r < 0 && r != -ENOENT)
        return error_set(e, -r, "%s", inner.text);
    found = r == 0;
    if (found && (!commit ||
                  (oid_parse(&wanted, commit, strlen(commit)) && oid_equal(&wanted, &out->commit))))
        return 0;
    if (found)
        oid_format(&out->commit, hex);
    if (commit && !is_absent) {
        struct error other = {0};
        r = find_commit(repository, commit, out, &other);
        if (r != -ENOENT)
            return r < 0 ? error_set(e, -r, "%s", other.text) : 0;
    }
    if (found)
        return error_set(e, ENOENT, "%s of %s is pinned to %s in the cache, not to %s", shown,
                         repository->shown, hex, commit);
    if (inner.errnum)
        return error_set(e, ENOENT, "%s", inner.text);
    return error_set(e, ENOENT, "%s of %s is not in the cache", shown, repository->shown);
}

/* A copy of the pins, so that a visitor may take its time, and call us. */
struct copied {
    struct pin *items;
    size_t count, room;
};

static int copy_pin(void *data, const struct pin *pin)
{
    struct copied *copied = data;
    struct pin *item;

    if (copied->count == copied->room) {
        size_t room = copied->room ? 2 * copied->room : 64;
        struct pin *items = reallocarray(copied->items, room, sizeof *items);
        if (!items)
            return -ENOMEM;
        copied->items = items;
        copied->room = room;
    }
    item = &copied->items[copied->count];
    *item = *pin;
    item->ref = strdup(pin->ref);
    if (!item->ref)
        return -ENOMEM;
    copied->count++;
    return 0;
}

static void release_copied(struct copied *copied)
{
    for (size_t i = 0; i < copied->count; i++)
        free(copied->items[i].ref);
    free(copied->items);
}

static int copy_pins(struct repository *repository, struct copied *out, struct error *e)
{
    int r = pins_scan(repository, e);

    if (r == 0 && known_pins_each(repository, copy_pin, out))
        r = error_no_memory(e);
    return r;
}

int versions_each(struct repository *repository,
                  int (*visit)(void *data, const char *name, const struct version *version),
                  void *data, struct error *e)
{
    struct copied copied = {.items = NULL};
    int r = copy_pins(repository, &copied, e);

    for (size_t i = 0; i < copied.count && r == 0; i++)
        r = visit(data, pins_name(copied.items[i].ref), &copied.items[i].version);
    release_copied(&copied);
    return r;
}

int versions_moved(struct repository *repository,
                   int (*visit)(void *data, const char *tag, const struct oid *pinned,
                                const struct oid *now),
                   void *data, struct error *e)
{
    const struct listing *listing = repository_listing_get(repository);
    struct copied copied = {.items = NULL};
    int r = listing ? copy_pins(repository, &copied, e) : 0;

    for (size_t i = 0; i < copied.count && r == 0; i++) {
        const struct pin *pin = &copied.items[i];
        const struct ref *now = listing_find(listing, pin->ref);

        if (pin->version.kind == VERSION_TAG && now &&
            !oid_equal(&now->peeled, &pin->version.commit))
            r = visit(data, pins_name(pin->ref), &pin->version.commit, &now->peeled);
    }
    release_copied(&copied);
    repository_listing_put(repository, listing);
    return r;
}
