#include "fs/cli/worktree.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/terminal.h"
#include "gitcache/base/clock.h"
#include "gitcache/net/process.h"

#define PATIENCE    30000 /* milliseconds for git's answer */
#define OUTPUT_MOST ((size_t)1 << 20)

/* Reads what it prints, into a NUL-terminated block; what is beyond OUTPUT_MOST is left. 0 or a negative errno. */
static int read_output(const struct process *process, char **out, size_t *size)
{
    int64_t until = clock_now() + PATIENCE;
    struct pollfd end = {.fd = process->out, .events = POLLIN};
    char *text = malloc(OUTPUT_MOST + 1);
    ssize_t n = 1;

    *size = 0;
    while (text && n > 0 && *size < OUTPUT_MOST) {
        int64_t left = until - clock_now();
        if (left <= 0 || poll(&end, 1, (int)left) == 0) {
            free(text);
            return -ETIMEDOUT;
        }
        n = read(process->out, text + *size, OUTPUT_MOST - *size);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            n = 1;
        else if (n > 0)
            *size += (size_t)n;
    }
    if (!text)
        return -ENOMEM;
    text[*size] = '\0';
    *out = text;
    return 0;
}

/* Runs git to its end; its output is the caller's. */
static int run_git(const char *const argv[], char **out, size_t *size, struct error *e)
{
    const char *const variables[] = {"LC_ALL=C", "GIT_OPTIONAL_LOCKS=0", NULL};
    struct process process;
    int r = process_start(&process, argv, variables, e);

    if (r < 0)
        return r;
    process_close(&process.in);
    r = read_output(&process, out, size);
    if (process_end(&process, 1000) != 0 && r == 0) {
        free(*out);
        r = -ENOENT;
    }
    return r < 0 ? error_set(e, -r, "git %s: %s", argv[3], strerror(-r)) : 0;
}

/* Adds a name, or where there is no room for it (and dots behind it), dots. Returns whether it was added. */
static bool add_name(struct worktree *worktree, const char *name)
{
    size_t used = strlen(worktree->names), room = sizeof worktree->names - used;
    bool fits = strlen(name) + strlen(", ") + sizeof ", ..." <= room;

    snprintf(worktree->names + used, room, "%s%s", used ? ", " : "", fits ? name : "...");
    return fits;
}

/* "XY NAME\0" each; of one that was renamed, the old name follows. */
static void take_changes(struct worktree *worktree, char *text, const char *end)
{
    bool all = true;

    for (char *entry = text; entry + 3 < end; entry += strlen(entry) + 1) {
        bool is_renamed = entry[0] == 'R' || entry[0] == 'C';
        worktree->changes++;
        all = all && add_name(worktree, entry + 3);
        if (is_renamed)
            entry += strlen(entry) + 1;
    }
    terminal_clean(worktree->names);
}

int worktree_look(struct worktree *out, const char *path, struct error *e)
{
    const char *const head[] = {"git", "-C", path, "rev-parse", "--verify", "HEAD^{commit}", NULL};
    const char *const status[] = {
        "git", "-C", path, "status", "--porcelain", "-z", "--untracked-files=all", NULL};
    char *text;
    size_t size;
    int r = run_git(head, &text, &size, e);

    *out = (struct worktree){0};
    if (r < 0)
        return r;
    snprintf(out->head, sizeof out->head, "%.*s", (int)strcspn(text, "\n"), text);
    free(text);
    r = run_git(status, &text, &size, e);
    if (r < 0)
        return r;
    take_changes(out, text, text + size);
    free(text);
    return 0;
}
