/* verb_check.c - checks start-points as `create` does, and records nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/cli/set_arguments.h"
#include "fs/cli/verb.h"
#include "fs/cli/worktree.h"
#include "fs/sets/checking.h"
#include "fs/sets/folder_files.h"

static bool is_worktree(const struct source *source)
{
    return source->kind == SOURCE_DEFAULT && !source->commit && !source->file &&
           folder_files_is_worktree(source->url);
}

/* What an author has before their eyes is HEAD, whatever branch others get by default: that is what is checked. Returns for each
 * source what its checkout is; head is "" where it is none. The caller's; NULL: out of memory. */
static struct worktree *pin_to_head(struct set *set, bool as_they_lie)
{
    struct worktree *worktrees = calloc(set->sources.count + 1, sizeof *worktrees);

    for (size_t i = 0; worktrees && !as_they_lie && i < set->sources.count; i++) {
        struct source *source = &set->sources.items[i];
        if (!is_worktree(source) || worktree_look(&worktrees[i], source->url, NULL) < 0) {
            worktrees[i].head[0] = '\0'; /* the check says what is wrong */
            continue;
        }
        source->commit = strdup(worktrees[i].head);
        if (!source->commit) { /* else another commit would be checked */
            free(worktrees);
            return NULL;
        }
    }
    return worktrees;
}

/* An author who changed files and checks them would else wonder why nothing changes. */
static void note_what_was_checked(const struct set *set, const struct worktree *worktrees)
{
    for (size_t i = 0; i < set->sources.count; i++) {
        const struct worktree *worktree = &worktrees[i];
        if (worktree->changes)
            fprintf(stderr,
                    "%s: note: HEAD (%.*s) was checked, without %zu uncommitted change%s (%s); "
                    "--worktree checks the files as they are\n",
                    set->given[i], OID_ABBREV, worktree->head, worktree->changes,
                    worktree->changes == 1 ? "" : "s", worktree->names);
        else if (*worktree->head)
            fprintf(stderr, "%s: note: HEAD (%.*s) was checked; the folder is identical\n",
                    set->given[i], OID_ABBREV, worktree->head);
    }
}

static int check(const struct set *set, const struct worktree *worktrees,
                 const struct arguments *arguments)
{
    const struct settings *settings = &arguments->settings;
    struct checking_options options = {
        .gather = {.newest = true, .listings = true, .progress = !settings->quiet},
        .strict = arguments->strict,
        .folders = true,
        .worktrees = arguments->worktree,
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
            note_what_was_checked(set, worktrees);
        if (!settings->quiet && !settings->json && code == EXIT_OK)
            printf("%s checked: no errors\n", set_arguments_count(set, count));
    }
    checking_release(&checking);
    return code;
}

int verb_check(struct arguments *arguments)
{
    struct set set = {0};
    struct worktree *worktrees = NULL;
    int code = set_arguments_take(&set, arguments, 0);

    if (code == EXIT_OK) {
        worktrees = pin_to_head(&set, arguments->worktree);
        code =
            worktrees ? check(&set, worktrees, arguments) : exit_fail(EXIT_FAILED, "out of memory");
    }
    free(worktrees);
    set_release(&set);
    return code;
}
