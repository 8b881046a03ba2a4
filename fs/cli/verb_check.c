/* verb_check.c - checks start-points as `create` does, and records nothing. */
#include <stdio.h>

#include "fs/cli/set_arguments.h"
#include "fs/cli/verb.h"
#include "fs/sets/checking.h"
#include "fs/sets/folder_files.h"

/* An author who changed files and checks them would else wonder why nothing changes. */
static void note_what_was_checked(const struct checking *checking)
{
    const struct set *set = checking->set;
    char commit[OID_HEX_SIZE];

    for (size_t i = 0; i < set->sources.count; i++) {
        const struct gather_item *item = checking->items[i];
        if (!item || item->status || item->source->kind != SOURCE_DEFAULT ||
            !folder_files_is_worktree(item->source->url))
            continue;
        fprintf(stderr,
                "%s: note: is a git repository: its commit %.*s was checked, not what is still "
                "uncommitted; to check that, copy it to a folder without .git\n",
                set->given[i], OID_ABBREV, oid_format(&item->version.commit, commit));
    }
}

static int check(const struct set *set, const struct arguments *arguments)
{
    const struct settings *settings = &arguments->settings;
    struct checking_options options = {
        .gather = {.newest = true, .listings = true, .progress = !settings->quiet},
        .strict = arguments->strict,
        .folders = true,
    };
    struct checking checking;
    struct error error;
    char count[64];
    int code;

    if (checking_run(&checking, settings, set, &options, &error) < 0) {
        code = exit_fail(EXIT_FAILED, "%s", error.text);
    } else {
        code = checking_report(&checking, settings->json);
        if (!settings->quiet)
            note_what_was_checked(&checking);
        if (!settings->quiet && !settings->json && code == EXIT_OK)
            printf("%s checked: no errors\n", set_arguments_count(set, count));
    }
    checking_release(&checking);
    return code;
}

int verb_check(struct arguments *arguments)
{
    struct set set = {0};
    int code = set_arguments_take(&set, arguments, 0);

    if (code == EXIT_OK)
        code = check(&set, arguments);
    set_release(&set);
    return code;
}
