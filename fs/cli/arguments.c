#include "fs/cli/arguments.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/options.h"
#include "manifest/nearest.h"

struct option_row {
    const char *name;
    const char *value; /* what it is called; NULL: takes none */
    unsigned accepts;  /* which verbs take it; 0: accepted silently, not shown */
    const char *summary;
    int (*take)(struct arguments *arguments, const char *value, struct error *e);
};

static int no_memory(int r, struct error *e)
{
    return r < 0 ? error_set(e, -r, "out of memory") : 0;
}

static int take_cache(struct arguments *a, const char *value, struct error *e)
{
    return no_memory(settings_folder(&a->settings.cache, value), e);
}

static int take_sets(struct arguments *a, const char *value, struct error *e)
{
    return no_memory(settings_folder(&a->settings.sets, value), e);
}

static int take_options(struct arguments *a, const char *value, struct error *e)
{
    char *joined;

    if (asprintf(&joined, "%s%s%s", a->options, *a->options ? "," : "", value) < 0)
        return error_no_memory(e);
    free(a->options);
    a->options = joined;
    return options_take(&a->settings, value, e);
}

static int take_number(const char *name, const char *value, unsigned long least, unsigned long most,
                       unsigned *out, struct error *e)
{
    char *end;
    unsigned long number = strtoul(value, &end, 10);

    if (*value < '0' || *value > '9' || *end || number < least || number > most)
        return error_set(e, EINVAL, "%s %s: give a number from %lu to %lu", name, value, least,
                         most);
    *out = (unsigned)number;
    return 0;
}

static int take_cache_mode(struct arguments *a, const char *value, struct error *e)
{
    char option[32];

    if (strlen(value) > strlen("0755") || strchr(value, ','))
        return error_set(e, EINVAL, "--cache-mode %s: give 0700 or 0755", value);
    snprintf(option, sizeof option, "cache_mode=%s", value);
    return options_take(&a->settings, option, e);
}

static int take_days(struct arguments *a, const char *value, struct error *e)
{
    a->has_days = true;
    return take_number("--days", value, 0, 36500, &a->days, e);
}

static int take_max_size(struct arguments *a, const char *value, struct error *e)
{
    if (settings_size(value, &a->max_size) == 0 && a->max_size > 0)
        return 0;
    return error_set(e, EINVAL, "--max-size %s: give a number of bytes, or with K, M or G", value);
}

static int take_jobs(struct arguments *a, const char *value, struct error *e)
{
    return take_number("--jobs", value, 1, JOBS_MAX, &a->settings.jobs, e);
}

static int take_type(struct arguments *a, enum start_point_type type, struct error *e)
{
    if (a->settings.type != TYPE_NONE && a->settings.type != type)
        return error_set(e, EINVAL, "give only one of --languages, --exercises and --custom");
    a->settings.type = type;
    return 0;
}

static int take_languages(struct arguments *a, const char *value, struct error *e)
{
    (void)value;
    return take_type(a, TYPE_LANGUAGES, e);
}

static int take_exercises(struct arguments *a, const char *value, struct error *e)
{
    (void)value;
    return take_type(a, TYPE_EXERCISES, e);
}

static int take_custom(struct arguments *a, const char *value, struct error *e)
{
    (void)value;
    return take_type(a, TYPE_CUSTOM, e);
}

static int take_colour(struct arguments *a, const char *value, struct error *e)
{
    static const char *const words[] = {
        [COLOUR_AUTO] = "auto", [COLOUR_ALWAYS] = "always", [COLOUR_NEVER] = "never"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(value, words[i]) == 0) {
            a->settings.colour = (enum colour)i;
            return 0;
        }
    return error_set(e, EINVAL, "--color %s: give auto, always or never", value);
}

static int take_listen(struct arguments *a, const char *value, struct error *e)
{
    (void)e;
    a->listen = value;
    return 0;
}

static int take_port(struct arguments *a, const char *value, struct error *e)
{
    unsigned port;

    a->port = value;
    return take_number("--port", value, 0, 65535, &port, e);
}

static int take_mount(struct arguments *a, const char *value, struct error *e)
{
    (void)e;
    a->mount = value;
    return 0;
}

#define FLAG(field)                                                                  \
    static int take_##field(struct arguments *a, const char *value, struct error *e) \
    {                                                                                \
        (void)value;                                                                 \
        (void)e;                                                                     \
        a->FLAG_PLACE field = true;                                                  \
        return 0;                                                                    \
    }

#define FLAG_PLACE settings.
FLAG(offline)
FLAG(json)
FLAG(quiet)
FLAG(foreground)
#undef FLAG_PLACE
#define FLAG_PLACE
FLAG(force)
FLAG(lazy)
FLAG(strict)
FLAG(dry_run)
FLAG(prometheus)
FLAG(progress)
FLAG(watch)
FLAG(worktree)
#undef FLAG_PLACE

#define DAYS_DEFAULT   30
#define NUMBER(name)   NUMBER_TEXT(name) /* "16", of a #define */
#define NUMBER_TEXT(x) #x

static const struct option_row rows[] = {
    {"-f", NULL, ACCEPTS_MOUNT, "stay in the foreground and log to stderr", take_foreground},
    {"-o", "OPTIONS", ACCEPTS_MOUNT, "mount options, separated by commas", take_options},
    {"--languages", NULL, ACCEPTS_TYPE, "the start-points are languages", take_languages},
    {"--exercises", NULL, ACCEPTS_TYPE, "the start-points are exercises", take_exercises},
    {"--custom", NULL, ACCEPTS_TYPE, "the start-points are custom", take_custom},
    {"--cache", "DIR", ACCEPTS_CACHE, "where fetched versions are kept", take_cache},
    {"--cache-mode", "MODE", ACCEPTS_CACHE_MODE,
     "who can read the cache: 0700 its owner, 0755 everybody", take_cache_mode},
    {"--sets", "DIR", ACCEPTS_SETS, "where named sets are kept", take_sets},
    {"--offline", NULL, ACCEPTS_OFFLINE, "use what the cache has, never the network", take_offline},
    {"--jobs", "N", ACCEPTS_JOBS, "simultaneous fetches from one host (" NUMBER(JOBS_DEFAULT) ")",
     take_jobs},
    {"--progress", NULL, ACCEPTS_PROGRESS, "also show the servers' progress messages",
     take_progress},
    {"--force", NULL, ACCEPTS_FORCE, "replace an existing set of that name", take_force},
    {"--lazy", NULL, ACCEPTS_LAZY, "detach it even while in use; readers can go on", take_lazy},
    {"--strict", NULL, ACCEPTS_STRICT, "warnings are errors", take_strict},
    {"--dry-run", NULL, ACCEPTS_DRY_RUN, "say what would be done, but do nothing", take_dry_run},
    {"--days", "N", ACCEPTS_DAYS,
     "keep what was read in the last N days (" NUMBER(DAYS_DEFAULT) ")", take_days},
    {"--max-size", "SIZE", ACCEPTS_MAX_SIZE, "shrink the cache to SIZE, least recently read first",
     take_max_size},
    {"--listen", "HOST", ACCEPTS_SERVE, "the address to listen on (127.0.0.1)", take_listen},
    {"--port", "N", ACCEPTS_SERVE, "the port to listen on ($PORT, else 4524)", take_port},
    {"--mount", "MOUNTPOINT", ACCEPTS_SERVE, "also report on the mount there", take_mount},
    {"--watch", NULL, ACCEPTS_WATCH, "redraw every second, until 'q' or Ctrl-C", take_watch},
    {"--worktree", NULL, ACCEPTS_WORKTREE, "check a checkout's files as they are, not HEAD",
     take_worktree},
    {"--color", "WHEN", ACCEPTS_COLOUR, "auto (on a terminal), always or never", take_colour},
    {"--json", NULL, ACCEPTS_JSON, "print JSON", take_json},
    {"--prometheus", NULL, ACCEPTS_PROMETHEUS, "print in Prometheus's text format",
     take_prometheus},
    {"--quiet", NULL, ACCEPTS_QUIET, "print errors only", take_quiet},
};

#define ROW_COUNT (sizeof rows / sizeof *rows)

/* The row of "--cache", "--cache=DIR" or "-oOPTIONS"; *value is what is joined to it, or NULL. */
static const struct option_row *find_row(const char *text, const char **value)
{
    *value = NULL;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        size_t length = strlen(rows[i].name);
        if (strncmp(text, rows[i].name, length) != 0)
            continue;
        if (!text[length])
            return &rows[i];
        if (text[1] == '-' && text[length] == '=') {
            *value = text + length + 1;
            return &rows[i];
        }
        if (text[1] != '-' && rows[i].value) {
            *value = text + length;
            return &rows[i];
        }
    }
    return NULL;
}

static int refuse_option(const struct verb *verb, const char *text, struct error *e)
{
    char hint[NEAREST_HINT_SIZE], *name = strndup(text, strcspn(text, "="));
    struct nearest nearest;

    if (!name)
        return error_no_memory(e);
    nearest_begin(&nearest, name);
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (rows[i].accepts & verb->accepts)
            nearest_try(&nearest, rows[i].name);
    int r = error_set(e, EINVAL, "unknown option '%s'%s: see 'startpointfs %s --help'", text,
                      nearest_hint(&nearest, hint), verb->name);
    free(name);
    return r;
}

static int take_option(struct arguments *arguments, int argc, char **argv, int *i, struct error *e)
{
    const char *text = argv[*i], *value;
    const struct option_row *row = find_row(text, &value);

    if (!row || !(row->accepts & arguments->verb->accepts))
        return refuse_option(arguments->verb, text, e);
    if (!row->value && value)
        return error_set(e, EINVAL, "option %s takes no value", row->name);
    if (row->value && !value) {
        if (*i + 1 >= argc)
            return error_set(e, EINVAL, "option %s needs a value: %s %s", row->name, row->name,
                             row->value);
        value = argv[++*i];
    }
    if (row->value && !*value)
        return error_set(e, EINVAL, "option %s needs a value: %s %s", row->name, row->name,
                         row->value);
    return row->take(arguments, value, e);
}

static int check_count(const struct arguments *arguments, struct error *e)
{
    const struct verb *verb = arguments->verb;

    if (arguments->count < verb->least)
        return error_set(e, EINVAL, "%s: too few operands; usage: startpointfs %s [OPTIONS] %s",
                         verb->name, verb->name, verb->operands);
    if (arguments->count > verb->most)
        return error_set(e, EINVAL, "unexpected operand '%s'; usage: startpointfs %s [OPTIONS] %s",
                         arguments->operands[verb->most], verb->name, verb->operands);
    return 0;
}

int arguments_parse(struct arguments *arguments, const struct verb *verb, int argc, char **argv,
                    bool *help, struct error *e)
{
    bool ended = false;
    int r;

    *arguments = (struct arguments){.verb = verb, .operands = argv, .days = DAYS_DEFAULT};
    arguments->options = strdup("");
    r = settings_init(&arguments->settings);
    if (r < 0 || !arguments->options)
        return error_no_memory(e);
    for (int i = 0; i < argc; i++) {
        if (ended || argv[i][0] != '-' || !argv[i][1]) {
            argv[arguments->count++] = argv[i];
        } else if (strcmp(argv[i], "--") == 0) {
            ended = true;
        } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            *help = true;
            return 0;
        } else {
            r = take_option(arguments, argc, argv, &i, e);
            if (r < 0)
                return r;
        }
    }
    return check_count(arguments, e);
}

bool arguments_find_verb(int argc, char **argv)
{
    int i = 0;

    while (i < argc && argv[i][0] == '-') {
        const char *value;
        const struct option_row *row = find_row(argv[i], &value);
        i += row && row->value && !value ? 2 : 1;
    }
    if (i >= argc)
        return false;
    char *verb = argv[i];
    memmove(argv + 1, argv, (size_t)i * sizeof *argv);
    argv[0] = verb;
    return true;
}

/* Of "https://USER:PASSWORD@host/path", what stands before the last @ of the host. */
static void hide_password(char *argument)
{
    char *host = strstr(argument, "://");

    if (!host)
        return;
    host += 3;
    char *end = host + strcspn(host, "/?#"), *at = memrchr(host, '@', (size_t)(end - host));
    if (at)
        memset(host, '*', (size_t)(at - host));
}

char **arguments_copy(int argc, char **argv)
{
    /* One block for both: the parser changes the order of the pointers. */
    size_t size = ((size_t)argc + 1) * sizeof *argv;
    for (int i = 0; i < argc; i++)
        size += strlen(argv[i]) + 1;
    char **copy = malloc(size), *to = (char *)(copy + argc + 1);

    for (int i = 0; copy && i < argc; i++) {
        copy[i] = to;
        to = stpcpy(to, argv[i]) + 1;
        hide_password(argv[i]);
    }
    if (copy)
        copy[argc] = NULL;
    return copy;
}

void arguments_free_copy(char **copy)
{
    free(copy);
}

void arguments_release(struct arguments *arguments)
{
    free(arguments->options);
    settings_release(&arguments->settings);
}

void arguments_print_options(const struct verb *verb, FILE *out)
{
    char left[64];

    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (!rows[i].summary || !(rows[i].accepts & verb->accepts))
            continue;
        snprintf(left, sizeof left, "%s%s%s", rows[i].name, rows[i].value ? " " : "",
                 rows[i].value ? rows[i].value : "");
        fprintf(out, "  %-19s %s\n", left, rows[i].summary);
    }
}
