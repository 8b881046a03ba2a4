#include "fs/cli/set_pins.h"

#include <stdio.h>
#include <string.h>

/* The commit that a source of a recorded set has; NULL: none yet. */
static const char *commit_of(const struct source *source)
{
    return source->kind == SOURCE_COMMIT ? source->version : source->commit;
}

static void say(const struct set *set, size_t i, bool is_new, const char *was, const char *is)
{
    if (is_new)
        printf("%zu\t%.*s\t%s\n", i, OID_ABBREV, is, set->given[i]);
    else
        printf("%zu\t%.*s -> %.*s\t%s\n", i, OID_ABBREV, was ? was : "-------", OID_ABBREV, is,
               set->given[i]);
}

int set_pins_take(struct set *set, const struct set *before, const struct checking *checking,
                  bool quiet, size_t *changed, struct error *e)
{
    char commit[OID_HEX_SIZE];

    *changed = 0;
    for (size_t i = 0; i < set->sources.count; i++) {
        const char *was = before ? commit_of(&before->sources.items[i]) : NULL;
        int r = set_pin(set, i, oid_format(&checking->items[i]->version.commit, commit), e);
        if (r < 0)
            return r;
        if (was && strcmp(was, commit) == 0)
            continue;
        ++*changed;
        if (!quiet)
            say(set, i, !before, was, commit);
    }
    return 0;
}
