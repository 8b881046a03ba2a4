#include "fs/sets/checking.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/exit.h"
#include "fs/sets/folder_files.h"
#include "fs/sets/git_files.h"
#include "gitcache/base/url.h"

#define SHOWN_LENGTH 1024
#define SHORT_ID     10 /* digits of a commit's id that a sentence shows */

/* 1, 0 or -ENOMEM. */
static int is_plain_folder(const struct source *source, bool worktrees)
{
    if (source->kind != SOURCE_DEFAULT || source->commit || url_scheme(source->url) != URL_LOCAL)
        return 0;
    char *path = url_local_path(source->url);
    if (!path)
        return -ENOMEM;
    bool plain = folder_files_is_plain(path) || (worktrees && folder_files_is_worktree(path));
    free(path);
    return plain;
}

/* Fetches all sources but plain folders. */
static int fetch(struct checking *checking, struct error *e)
{
    const struct source_list *sources = &checking->set->sources;
    size_t next = 0;
    int r = 0;

    checking->fetched.items = calloc(sources->count + 1, sizeof *checking->fetched.items);
    checking->items = calloc(sources->count + 1, sizeof *checking->items);
    bool *plain = calloc(sources->count + 1, sizeof *plain);
    if (!checking->fetched.items || !checking->items || !plain) {
        free(plain);
        return error_no_memory(e);
    }
    for (size_t i = 0; i < sources->count && r >= 0; i++) {
        r = checking->options->folders
                ? is_plain_folder(&sources->items[i], checking->options->worktrees)
                : 0;
        plain[i] = r > 0;
        if (r == 0)
            checking->fetched.items[checking->fetched.count++] = sources->items[i];
    }
    if (r < 0)
        error_no_memory(e);
    else if (checking->fetched.count == 0) /* plain folders need no cache */
        r = 0;
    else
        r = gather_run(&checking->gathering, checking->settings, &checking->fetched,
                       &checking->options->gather, e);
    for (size_t i = 0; i < sources->count && r == 0; i++)
        if (!plain[i])
            checking->items[i] = &checking->gathering.items[next++];
    free(plain);
    return r;
}

static void add_finding(struct checking *checking, enum severity severity, size_t i,
                        const char *text)
{
    char shown[SHOWN_LENGTH];
    struct where where = {.source = url_display(checking->set->given[i], shown, sizeof shown)};
    size_t length = strlen(shown);

    /* A sentence about a URL may begin with it, as the line does already. */
    if (strncmp(text, shown, length) == 0 && strncmp(text + length, ": ", 2) == 0)
        text += length + 2;

    findings_add(&checking->list.findings, severity, EXIT_UNFETCHED, &where, "%s", text);
}

static void report_moved(struct checking *checking, size_t i)
{
    const struct gather_item *item = checking->items[i];
    char pinned[OID_HEX_SIZE], now[OID_HEX_SIZE], text[600];

    oid_format(&item->version.commit, pinned);
    oid_format(&item->moved_to, now);
    snprintf(text, sizeof text,
             "the tag %.300s has moved at the remote, from %.*s to %.*s; the first is still "
             "served: ask for a new tag instead, or name the commit, SHA@URL",
             item->source->version, SHORT_ID, pinned, SHORT_ID, now);
    add_finding(checking, checking->options->strict ? SEVERITY_ERROR : SEVERITY_WARNING, i, text);
}

/* A callback failed; `error` has its sentence unless the failure was manifest/'s own. */
static int check_failed(const struct checking *checking, size_t i, int r, const struct error *error,
                        struct error *e)
{
    char shown[SHOWN_LENGTH];

    url_display(checking->set->given[i], shown, sizeof shown);
    if (error->errnum == -r)
        return error_set(e, -r, "%s: %s", shown, error->text);
    if (r == -E2BIG)
        return error_set(e, E2BIG, "%s has more than %d files", shown, PATHS_MAX);
    return error_set(e, -r, "%s cannot be checked: %s", shown, strerror(-r));
}

static int check_folder(struct checking *checking, size_t i, struct start_point *start_point,
                        struct error *e)
{
    const struct source *source = &checking->set->sources.items[i];
    char *path = url_local_path(source->url);
    struct folder_files *files = NULL;
    int r = path ? folder_files_new(&files, path, e) : error_no_memory(e);

    free(path);
    if (r < 0)
        return r;
    struct start_point_files callbacks = folder_files_callbacks(files);
    start_point->files = &callbacks;
    r = manifest_list_add(&checking->list, start_point);
    start_point->files = NULL;
    if (r < 0)
        r = check_failed(checking, i, r, folder_files_error(files), e);
    folder_files_free(files);
    return r;
}

static int check_version(struct checking *checking, size_t i, struct start_point *start_point,
                         struct error *e)
{
    const struct gather_item *item = checking->items[i];
    struct git_files *files = git_files_new(item->repository, &item->version);
    char sha[OID_HEX_SIZE];
    int r;

    if (!files)
        return error_no_memory(e);
    struct start_point_files callbacks = git_files_callbacks(files);
    start_point->files = &callbacks;
    start_point->sha = oid_format(&item->version.commit, sha);
    if (item->source->kind == SOURCE_NAMED && item->version.kind == VERSION_TAG)
        start_point->tag = item->source->version;
    r = manifest_list_add(&checking->list, start_point);
    start_point->files = NULL;
    if (r < 0)
        r = check_failed(checking, i, r, git_files_error(files), e);
    git_files_free(files);
    return r;
}

/* Whether its files lie where it says, in a plain folder or a checkout. */
static bool shows_files(const struct source *source)
{
    return source->kind == SOURCE_DEFAULT && !source->file && *source->url == '/' &&
           !strchr(source->text, '?') &&
           (folder_files_is_plain(source->url) || folder_files_is_worktree(source->url));
}

static int check_source(struct checking *checking, size_t i, struct error *e)
{
    char shown[SHOWN_LENGTH], url[SHOWN_LENGTH];
    struct start_point start_point = {
        .source = url_display(checking->set->given[i], shown, sizeof shown),
        .url = url_display(checking->set->sources.items[i].url, url, sizeof url),
        .is_folder = shows_files(&checking->set->sources.items[i]),
    };

    if (!checking->items[i])
        return check_folder(checking, i, &start_point, e);
    if (checking->items[i]->status) {
        add_finding(checking, SEVERITY_ERROR, i, checking->items[i]->error.text);
        return 0;
    }
    if (checking->items[i]->moved)
        report_moved(checking, i);
    return check_version(checking, i, &start_point, e);
}

int checking_run(struct checking *out, const struct settings *settings, const struct set *set,
                 const struct checking_options *options, struct error *e)
{
    int r;

    *out = (struct checking){.settings = settings, .set = set, .options = options};
    manifest_list_init(&out->list, set->type, options->strict);
    r = fetch(out, e);
    for (size_t i = 0; i < set->sources.count && r == 0 && !out->list.ended; i++)
        r = check_source(out, i, e);
    if (r < 0)
        return r;
    r = manifest_list_finish(&out->list);
    return r < 0 ? error_set(e, -r, "the check cannot continue: %s", strerror(-r)) : 0;
}

/* "2 errors, 1 warning"; a kind of which there is none is not named. */
static void print_counts(const struct findings *findings)
{
    size_t errors = findings_count(findings, SEVERITY_ERROR);
    size_t warnings = findings_count(findings, SEVERITY_WARNING);

    if (errors)
        fprintf(stderr, "%zu error%s", errors, errors == 1 ? "" : "s");
    if (warnings)
        fprintf(stderr, "%s%zu warning%s", errors ? ", " : "", warnings, warnings == 1 ? "" : "s");
    fprintf(stderr, "%s\n", findings->left_out ? ", and more" : "");
}

/* On a terminal in lines that fit it, and in colours. */
static void print_findings(char *text, enum colour colour)
{
    struct terminal terminal = terminal_of(STDERR_FILENO, colour);

    if (!isatty(STDERR_FILENO))
        terminal.columns = 0;
    for (char *line; (line = strsep(&text, "\n")) && *line;)
        terminal_print(&terminal, stderr, strstr(line, ": warning: ") ? STYLE_WARNING : STYLE_ERROR,
                       0, 4, line);
}

int checking_report(const struct checking *checking, bool json)
{
    const struct findings *findings = &checking->list.findings;

    if (checking->settings->quiet && !json && !findings->exit_code)
        return 0; /* warnings */
    char *text = json ? findings_format_json(findings) : findings_format_by_line(findings);

    if (!text)
        return -ENOMEM;
    if (json)
        fputs(text, stdout);
    else
        print_findings(text, checking->settings->colour);
    free(text);
    if (!json && findings->count > 0)
        print_counts(findings);
    return findings->exit_code;
}

void checking_release(struct checking *checking)
{
    manifest_list_release(&checking->list);
    gather_release(&checking->gathering);
    free(checking->fetched.items); /* borrowed */
    free(checking->items);
    *checking = (struct checking){0};
}
