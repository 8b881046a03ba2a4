/* checking.h - fetching the sources of a set and checking every manifest in them: what `create`,
 * `check`, `update` and `inspect` have in common.
 *
 *     struct checking checking;
 *     r = checking_run(&checking, settings, &set, &options, &error);
 *     if (r == 0)
 *         code = checking_report(&checking, json);
 *     checking_release(&checking);
 *
 * Everything is fetched at once, and then looked at in the order of the sources; so what is printed
 * and the exit code depend on nothing else. A source that can't be fetched is a finding, with code
 * 3. */
#ifndef FS_SETS_CHECKING_H
#define FS_SETS_CHECKING_H

#include "fs/sets/gather.h"
#include "fs/sets/set.h"
#include "manifest/manifest.h"

struct checking_options {
    struct gather_options gather; /* with `listings`, tags that have moved are findings */
    bool strict;                  /* warnings are errors */
    bool folders;                 /* a local source may be a folder that is no repository */
    bool worktrees;               /* and of a checkout, the files as they lie are meant */
};

struct checking {
    const struct settings *settings;
    const struct set *set;
    const struct checking_options *options;
    struct gather gathering;
    struct manifest_list list;
    struct source_list fetched; /* private: those sources that are no plain folders; borrowed */
    struct gather_item **items; /* for each source; NULL: a plain folder */
};

/* Fetches and checks; the set needs sources, given and type. 0, also where there are findings; a
 * negative errno if checking could not go on: -EINTR after SIGINT, -EIO for a damaged cache. On any
 * return, checking_release. */
int checking_run(struct checking *out, const struct settings *settings, const struct set *set,
                 const struct checking_options *options, struct error *e);

/* Prints the findings: on stderr for people, or as JSON on stdout. Returns the exit code, or
 * -ENOMEM. */
int checking_report(const struct checking *checking, bool json);

void checking_release(struct checking *checking);

#endif
