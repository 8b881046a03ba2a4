/* verb_ls.c - the named sets: a row each, or JSON. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fs/cli/verb.h"
#include "fs/sets/set.h"
#include "fs/sets/sets.h"
#include "manifest/shown.h"

#define TIME_SIZE 32

/* 2026-01-31T12:00:00Z, or with a blank in the middle for people. */
static const char *format_time(int64_t seconds, bool exact, char buffer[TIME_SIZE])
{
    time_t time = (time_t)seconds;
    struct tm tm;

    if (!gmtime_r(&time, &tm) ||
        strftime(buffer, TIME_SIZE, exact ? "%Y-%m-%dT%H:%M:%SZ" : "%Y-%m-%d %H:%M UTC", &tm) == 0)
        strcpy(buffer, "?");
    return buffer;
}

/* A source was written by anybody, in any encoding. */
static json_t *text_json(const char *text)
{
    char *copy = strdup(text);
    json_t *json = copy ? json_string(shown_clean(copy)) : NULL;

    free(copy);
    return json;
}

static json_t *set_json(const struct set *set)
{
    char made[TIME_SIZE];
    json_t *sources = json_array();

    for (size_t i = 0; i < set->sources.count; i++) {
        const struct source *source = &set->sources.items[i];
        const char *sha = source->kind == SOURCE_COMMIT ? source->version : source->commit;
        json_array_append_new(
            sources, json_pack("{s:o, s:s*}", "source", text_json(set->given[i]), "sha", sha));
    }
    return json_pack("{s:s, s:s, s:s, s:o}", "name", set->name, "type", type_name(set->type),
                     "made_at", format_time(set->made_at, true, made), "sources", sources);
}

static void print_row(const struct set *set, int width)
{
    char made[TIME_SIZE];

    printf("%-*s  %-9s  %7zu  %s\n", width, set->name, type_name(set->type), set->sources.count,
           format_time(set->made_at, false, made));
}

static int print_all(char *const *names, const struct settings *settings)
{
    int width = (int)strlen("NAME"), code = EXIT_OK;
    json_t *all = settings->json ? json_array() : NULL;

    for (size_t i = 0; names[i]; i++)
        width = (int)strlen(names[i]) > width ? (int)strlen(names[i]) : width;
    if (!settings->json && names[0])
        printf("%-*s  %-9s  %7s  %s\n", width, "NAME", "TYPE", "SOURCES", "MADE");
    for (size_t i = 0; names[i]; i++) {
        struct error error;
        struct set set;
        /* One that is damaged hides no other. */
        if (set_load(&set, settings->sets, names[i], &error) < 0) {
            code = exit_fail(EXIT_FAILED, "%s", error.text);
            continue;
        }
        if (all)
            json_array_append_new(all, set_json(&set));
        else
            print_row(&set, width);
        set_release(&set);
    }
    if (all) {
        json_dumpf(all, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(all);
    }
    return code;
}

int verb_ls(struct arguments *arguments)
{
    const struct settings *settings = &arguments->settings;
    struct error error;
    char **names;
    int code;

    if (sets_names(settings->sets, &names, &error) < 0)
        return exit_fail(EXIT_FAILED, "%s", error.text);
    code = print_all(names, settings);
    if (!names[0] && !settings->json && !settings->quiet)
        fprintf(stderr, "no sets in %s: 'startpointfs create' makes one\n", settings->sets);
    sets_names_free(names);
    return code;
}
