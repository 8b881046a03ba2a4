/* verb_update.c - moves a set's branches to their newest commits, checks, and records.
 *
 * A set's line doesn't say whether tag=NAME is a tag or a branch; the remote does. So the remotes
 * are asked first, while everything is still pinned: a tag that has moved there is never fetched,
 * and can't get into the cache in the place of the one that the set means. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fs/cli/set_pins.h"
#include "fs/cli/verb.h"
#include "gitcache/base/starts_with.h"

#define TAGS "refs/tags/"

/* Whether the remote says that the source names a branch. What it has no longer is left alone. */
static bool names_branch(const struct gather_item *item)
{
    const struct source *source = item->source;
    const struct listing *listing;
    const struct ref *ref = NULL;

    if (source->kind == SOURCE_COMMIT)
        return false;
    listing = repository_listing_get(item->repository);
    if (!listing)
        return false;
    ref = source->kind == SOURCE_DEFAULT ? listing_default(listing)
                                         : listing_find_version(listing, source->version);
    bool branch = ref && !starts_with(ref->name, TAGS);
    repository_listing_put(item->repository, listing);
    return branch;
}

/* A tag that the remote has moved: the set keeps what it has, and its owner should know. */
static void warn_of_moved_tag(const struct set *set, size_t i, const struct gather_item *item)
{
    const struct source *source = item->source;
    const struct listing *listing = repository_listing_get(item->repository);
    const struct ref *ref = listing && source->kind == SOURCE_NAMED
                                ? listing_find_version(listing, source->version)
                                : NULL;
    char now[OID_HEX_SIZE];

    if (ref && starts_with(ref->name, TAGS) && source->commit &&
        strcmp(oid_format(&ref->peeled, now), source->commit) != 0)
        fprintf(stderr,
                "%s: warning: the tag %s has moved at the remote, to %.*s; the set keeps %.*s\n",
                set->given[i], source->version, OID_ABBREV, now, OID_ABBREV, source->commit);
    if (listing)
        repository_listing_put(item->repository, listing);
}

/* Takes the pins off those sources that may move. */
static void unpin(struct set *set, const struct gather *gathering, bool quiet)
{
    for (size_t i = 0; i < set->sources.count; i++) {
        if (!quiet)
            warn_of_moved_tag(set, i, &gathering->items[i]);
        if (!names_branch(&gathering->items[i]))
            continue;
        free(set->sources.items[i].commit);
        set->sources.items[i].commit = NULL;
    }
}

/* Asks all remotes what their refs are. One that does not answer is reported by the check that
 * follows, if it is needed there. */
static int unpin_branches(struct set *set, const struct settings *settings, struct error *e)
{
    struct gather_options options = {
        .listings = true,
        .asks = true,
        .progress = !settings->quiet,
    };
    struct gather gathering;
    int r = gather_run(&gathering, settings, &set->sources, &options, e);

    if (r == 0)
        unpin(set, &gathering, settings->quiet);
    gather_release(&gathering);
    return r;
}

static int record(struct set *set, const struct set *old, const struct checking *checking,
                  const struct arguments *arguments)
{
    const struct settings *settings = &arguments->settings;
    struct error error;
    size_t changed;
    int r = set_pins_take(set, old, checking, settings->quiet, &changed, &error);

    set->made_at = time(NULL);
    if (r == 0 && changed && !arguments->dry_run)
        r = set_save(set, settings->sets, true, &error);
    if (r < 0)
        return exit_fail(EXIT_FAILED, "%s", error.text);
    if (settings->quiet)
        return EXIT_OK;
    if (!changed)
        printf("Nothing changed in the set '%s'.\n", set->name);
    else if (arguments->dry_run)
        printf("%zu of %zu sources of the set '%s' would change; nothing was recorded.\n", changed,
               set->sources.count, set->name);
    else
        printf("Updated the set '%s': %zu of %zu sources changed, all checked.\n", set->name,
               changed, set->sources.count);
    return EXIT_OK;
}

static int update(struct set *set, const struct set *old, const struct arguments *arguments)
{
    const struct settings *settings = &arguments->settings;
    struct checking_options options = {
        .gather = {.newest = true, .progress = !settings->quiet},
        .strict = arguments->strict,
    };
    struct checking checking = {0};
    struct error error;
    int code;

    if (unpin_branches(set, settings, &error) < 0 ||
        checking_run(&checking, settings, set, &options, &error) < 0) {
        code = exit_fail(EXIT_FAILED, "%s; the set '%s' stays as it was", error.text, set->name);
    } else {
        code = checking_report(&checking, false);
        if (code)
            exit_fail(code, "the set '%s' stays as it was: see above", set->name);
        else
            code = record(set, old, &checking, arguments);
    }
    checking_release(&checking);
    return code;
}

int verb_update(struct arguments *arguments)
{
    const char *sets = arguments->settings.sets, *name = arguments->operands[0];
    struct set old = {0}, set = {0};
    struct error error;
    int code;

    if (set_load(&old, sets, name, &error) < 0 || set_load(&set, sets, name, &error) < 0)
        code = exit_fail(EXIT_FAILED, "%s", error.text);
    else
        code = update(&set, &old, arguments);
    set_release(&set);
    set_release(&old);
    return code;
}
