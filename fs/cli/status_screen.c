#include "fs/cli/status_screen.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NAME_LEAST 12 /* columns of a repository's name */
#define NAME_MOST  40
#define ROW_WIDTH  56 /* of what stands behind it, as a rule */
#define BESIDE     24 /* columns that a URL takes at least, in the row itself */

struct screen {
    FILE *out;
    const struct terminal *terminal;
    unsigned name_width;
};

static const char *text_of(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text ? text : "-";
}

static long long number_of(const json_t *json, const char *key)
{
    return json_integer_value(json_object_get(json, key));
}

static void __attribute__((format(printf, 5, 6)))
print(const struct screen *screen, enum style style, unsigned first, unsigned rest,
      const char *format, ...)
{
    char *text;
    va_list args;

    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0)
        return;
    terminal_print(screen->terminal, screen->out, style, first, rest, terminal_clean(text));
    free(text);
}

/* ---- the mount ---- */

static void print_head(const struct screen *screen, const json_t *status, const char *mountpoint)
{
    char up[24];
    const char *cause = json_string_value(json_object_get(status, "last_restart_cause"));
    const char *refusal = json_string_value(json_object_get(status, "reload_refusal"));

    print(screen, STYLE_BOLD, 0, 4, "startpointfs %s on %s", text_of(status, "version"),
          mountpoint);
    print(screen, STYLE_PLAIN, 0, 4, "worker %lld, up %s, restarts: %lld", number_of(status, "pid"),
          terminal_time((double)number_of(status, "uptime_seconds"), up),
          number_of(status, "restarts"));
    if (number_of(status, "restarts") && cause)
        print(screen, STYLE_WARNING, 4, 4, "last restart: %s", cause);
    if (refusal)
        print(screen, STYLE_WARNING, 4, 4, "the last reload was refused: %s", refusal);
    if (json_is_string(json_object_get(status, "held_by")))
        print(screen, STYLE_PLAIN, 0, 4, "held by %s; earlier supervisors: %lld",
              text_of(status, "held_by"), number_of(status, "takeovers"));
}

static void print_cache(const struct screen *screen, const json_t *status)
{
    char size[16], max[16], freed[16], bytes[16];
    bool has_limit = json_is_integer(json_object_get(status, "cache_max"));
    long long removed = number_of(status, "cache_removed_versions");

    print(screen, STYLE_PLAIN, 0, 4, "cache %s%s: %s%s%s", text_of(status, "cache"),
          json_is_true(json_object_get(status, "offline")) ? " (offline)" : "",
          terminal_bytes((double)number_of(status, "cache_bytes"), size),
          has_limit ? " of at most " : "",
          has_limit ? terminal_bytes((double)number_of(status, "cache_max"), max) : "");
    if (removed)
        print(screen, STYLE_PLAIN, 4, 4, "%lld versions (%s) were removed to make room", removed,
              terminal_bytes((double)number_of(status, "cache_freed_bytes"), freed));
    print(screen, STYLE_PLAIN, 0, 4,
          "fetches: %lld (%lld failed), %s; requests: %lld (%lld waiting)",
          number_of(status, "fetches"), number_of(status, "fetches_failed"),
          terminal_bytes((double)number_of(status, "bytes_fetched"), bytes),
          number_of(json_object_get(status, "requests"), "total"), number_of(status, "waiting"));
}

/* "python-unittest/3.7.4-18 and 3 more"; malloc'd, NULL: out of memory. */
static char *transfer_name(const json_t *transfer)
{
    const char *first = json_string_value(json_array_get(json_object_get(transfer, "versions"), 0));
    long long count = number_of(transfer, "count");
    char more[40] = "", *name;

    if (count > 1)
        snprintf(more, sizeof more, " and %lld more", count - 1);
    return asprintf(&name, "%s%s%s%s", text_of(transfer, "repository"),
                    first ? "/" : ": its listing", first ? first : "", more) < 0
               ? NULL
               : name;
}

static void print_transfer(const struct screen *screen, const json_t *transfer)
{
    double seconds = json_number_value(json_object_get(transfer, "seconds"));
    double silent = json_number_value(json_object_get(transfer, "silent_seconds"));
    double bytes = (double)number_of(transfer, "bytes");
    char size[16], rate[16], time[24], quiet[24], *name = transfer_name(transfer);

    if (!name)
        return;
    print(screen, silent > 5 ? STYLE_WARNING : STYLE_PLAIN, 4, 8, "%s: %s, %s/s, for %s%s%s", name,
          terminal_bytes(bytes, size), terminal_bytes(seconds > 0 ? bytes / seconds : 0, rate),
          terminal_time(seconds, time), silent > 5 ? ", silent for " : "",
          silent > 5 ? terminal_time(silent, quiet) : "");
    free(name);
}

static void print_transfers(const struct screen *screen, const json_t *transfers)
{
    const json_t *transfer;
    size_t i;

    if (json_array_size(transfers))
        print(screen, STYLE_BOLD, 0, 0, "Being fetched:");
    json_array_foreach (transfers, i, transfer)
        print_transfer(screen, transfer);
}

/* What is wrong with lists, sets and their folders; what was read last stays meanwhile. */
static void print_faults(const struct screen *screen, const json_t *places, const char *what,
                         const char *key)
{
    const json_t *place;
    size_t i;

    json_array_foreach (places, i, place)
        if (json_is_string(json_object_get(place, "error")))
            print(screen, STYLE_ERROR, 0, 4, "%s %s is faulty, and stays as it was last read: %s",
                  what, text_of(place, key), text_of(place, "error"));
}

/* ---- repositories ---- */

struct tally {
    size_t versions, ready, failed, missing;
};

static struct tally tally_of(const json_t *repo)
{
    const json_t *versions = json_object_get(repo, "versions"), *version;
    struct tally tally = {.versions = json_array_size(versions)};
    size_t i;

    json_array_foreach (versions, i, version) {
        const char *state = text_of(version, "state");
        tally.ready += strcmp(state, "ready") == 0;
        tally.failed += strcmp(state, "failed") == 0;
        tally.missing += strcmp(state, "missing") == 0;
    }
    tally.versions -= tally.missing; /* what is missing is no version */
    return tally;
}

static enum style style_of(const json_t *repo)
{
    struct tally tally = tally_of(repo);

    if (tally.failed || json_is_string(json_object_get(repo, "error")))
        return STYLE_ERROR;
    if (tally.missing || json_array_size(json_object_get(repo, "moved")))
        return STYLE_WARNING;
    return STYLE_PLAIN;
}

static char *age_text(const json_t *listed_at, char buffer[48])
{
    char time_text[24];

    if (json_is_integer(listed_at) && json_integer_value(listed_at) == 0)
        snprintf(buffer, 48, "listed long ago"); /* its time lies ahead: a clock was wrong */
    else if (json_is_integer(listed_at))
        snprintf(buffer, 48, "listed %s ago",
                 terminal_time((double)(time(NULL) - json_integer_value(listed_at)), time_text));
    else
        snprintf(buffer, 48, "not listed yet");
    return buffer;
}

/* The URL stands in the row where there is room for it, else below. */
static void print_row(const struct screen *screen, const json_t *repo)
{
    struct tally tally = tally_of(repo);
    char age[48], missing[40] = "", *row, *name = strdup(text_of(repo, "name")),
                  *url = strdup(text_of(repo, "url"));
    unsigned columns = screen->terminal->columns;

    if (tally.missing)
        snprintf(missing, sizeof missing, ", %zu missing", tally.missing);
    if (columns && name)
        terminal_cut_middle(terminal_clean(name), screen->name_width);
    if (name && url &&
        asprintf(&row, "%-*s %4zu version%s, %zu ready, %zu failed%s, %s", (int)screen->name_width,
                 name, tally.versions, tally.versions == 1 ? "" : "s", tally.ready, tally.failed,
                 missing, age_text(json_object_get(repo, "listed_at"), age)) >= 0) {
        bool beside = columns >= terminal_width(row) + 2 + BESIDE;
        if (columns)
            terminal_cut_middle(terminal_clean(url),
                                beside ? columns - terminal_width(row) - 2 : columns - 4);
        print(screen, style_of(repo), 0, screen->name_width + 6, "%s%s%s", row, beside ? "  " : "",
              beside ? url : "");
        if (!beside)
            print(screen, STYLE_FAINT, 4, 4, "%s", url);
        free(row);
    }
    free(name);
    free(url);
}

static void print_repository(const struct screen *screen, const json_t *repo)
{
    const char *error = json_string_value(json_object_get(repo, "error"));
    const json_t *version;
    size_t i;

    print_row(screen, repo);
    if (error)
        print(screen, STYLE_ERROR, 4, 6, "%s", error);
    json_array_foreach (json_object_get(repo, "versions"), i, version) {
        const char *own = json_string_value(json_object_get(version, "error"));
        const char *name = text_of(version, "name");
        if (!own || (error && strcmp(own, error) == 0))
            continue;
        /* Some sentences begin with the version. */
        bool is_named = strncmp(own, name, strlen(name)) == 0;
        print(screen, STYLE_ERROR, 4, 6, "%s%s%s", is_named ? "" : name, is_named ? "" : ": ", own);
    }
    json_array_foreach (json_object_get(repo, "moved"), i, version)
        print(screen, STYLE_WARNING, 4, 6,
              "%s has moved at the remote; the first commit %.10s is still served",
              text_of(version, "name"), text_of(version, "pinned"));
}

/* Of a status that has no bound, all; else first what is wrong. */
static void print_repositories(const struct screen *screen, const json_t *repos, bool wrong_first)
{
    const json_t *repo;
    size_t i;

    for (int pass = 0; pass < (wrong_first ? 2 : 1); pass++)
        json_array_foreach (repos, i, repo)
            if (!wrong_first || (style_of(repo) == STYLE_PLAIN) == (pass == 1))
                print_repository(screen, repo);
}

static unsigned name_width(const json_t *repos, const struct terminal *terminal)
{
    unsigned width = NAME_LEAST, most = NAME_MOST;
    const json_t *repo;
    size_t i;

    if (terminal->columns)
        most =
            terminal->columns > ROW_WIDTH + NAME_LEAST ? terminal->columns - ROW_WIDTH : NAME_LEAST;
    json_array_foreach (repos, i, repo) {
        unsigned own = terminal_width(text_of(repo, "name"));
        width = own > width ? own : width;
    }
    return width < most ? width : most;
}

/* Copies so many lines; says how many there are besides. */
static void print_lines(char *text, unsigned rows, FILE *out)
{
    size_t lines = 0, left = 0;

    for (char *c = text; *c; c++) {
        lines += *c == '\n';
        left += *c == '\n' && lines >= rows;
    }
    if (lines <= rows) {
        fputs(text, out);
        return;
    }
    for (unsigned row = 1; row < rows; row++) {
        char *end = strchr(text, '\n') + 1;
        fwrite(text, 1, (size_t)(end - text), out);
        text = end;
    }
    fprintf(out, "... %zu more lines: 'startpointfs status' shows them all\n", left);
}

void status_screen_print(const json_t *status, const char *mountpoint,
                         const struct terminal *terminal, unsigned rows, FILE *out)
{
    const json_t *repos = json_object_get(status, "repositories");
    char *text = NULL;
    size_t size = 0;
    struct screen screen = {.terminal = terminal,
                            .name_width = name_width(repos, terminal),
                            .out = open_memstream(&text, &size)};

    if (!screen.out)
        return;
    print_head(&screen, status, mountpoint);
    print_cache(&screen, status);
    print_faults(&screen, json_object_get(status, "sets"), "the list", "name");
    print_faults(&screen, json_object_get(status, "list_folders"), "the folder", "path");
    print_transfers(&screen, json_object_get(status, "transfers"));
    fputc('\n', screen.out);
    print_repositories(&screen, repos, rows != 0);
    fclose(screen.out);
    if (rows)
        print_lines(text, rows, out);
    else
        fputs(text, out);
    free(text);
}
