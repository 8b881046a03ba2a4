#include "fs/cli/set_arguments.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/sets/operands.h"
#include "gitcache/base/url.h"

#define SHOWN_SIZE 1024

static int code_of_twice(enum start_point_type type)
{
    switch (type) {
    case TYPE_CUSTOM:
        return CODE_TWICE_CUSTOM;
    case TYPE_EXERCISES:
        return CODE_TWICE_EXERCISES;
    case TYPE_LANGUAGES:
    case TYPE_NONE:
        break;
    }
    return CODE_TWICE_LANGUAGES;
}

/* Whether both mean the same version of the same repository. A commit id may be abbreviated. */
static bool is_same(const struct source *a, const struct source *b)
{
    if (a->kind != b->kind || strcmp(a->url, b->url) != 0)
        return false;
    switch (a->kind) {
    case SOURCE_DEFAULT:
        return true;
    case SOURCE_NAMED:
        return strcmp(a->version, b->version) == 0;
    case SOURCE_COMMIT:
        break;
    }
    size_t i = 0;
    while (a->version[i] && a->version[i] == b->version[i])
        i++;
    return !a->version[i] || !b->version[i];
}

static const char *place_of(const struct source *source, char *buffer, size_t size)
{
    char shown[SHOWN_SIZE];

    url_display(source->text, shown, sizeof shown);
    if (source->file)
        snprintf(buffer, size, "%s:%u: %s", source->file, source->line, shown);
    else
        snprintf(buffer, size, "%s", shown);
    return buffer;
}

/* Sources that are the same stand beside each other: an abbreviation right before what it begins. */
static int by_meaning(const void *a, const void *b)
{
    const struct source *x = *(const struct source *const *)a;
    const struct source *y = *(const struct source *const *)b;
    int order = strcmp(x->url, y->url);

    if (order == 0)
        order = (int)x->kind - (int)y->kind;
    if (order == 0 && x->version)
        order = strcmp(x->version, y->version);
    return order ? order : (x > y) - (x < y);
}

/* The later of two that are the same, of all such pairs the one that comes first; *other is the
 * earlier. NULL: there is none. */
static const struct source *find_twice(const struct source **sorted, size_t count,
                                       const struct source **other)
{
    const struct source *found = NULL;

    for (size_t i = 1; i < count; i++) {
        const struct source *a = sorted[i - 1], *b = sorted[i];
        const struct source *later = a > b ? a : b;
        if (!is_same(a, b) || (found && found < later))
            continue;
        found = later;
        *other = a > b ? b : a;
    }
    return found;
}

static int check_twice(const struct set *set)
{
    char first[SHOWN_SIZE + 512], second[SHOWN_SIZE + 512];
    size_t count = set->sources.count;
    const struct source **sorted = calloc(count + 1, sizeof *sorted), *a, *b;

    if (!sorted)
        return exit_fail(EXIT_FAILED, "out of memory");
    for (size_t i = 0; i < count; i++)
        sorted[i] = &set->sources.items[i];
    qsort(sorted, count, sizeof *sorted, by_meaning);
    b = find_twice(sorted, count, &a);
    free(sorted);
    return b ? exit_fail(code_of_twice(set->type),
                         "a source is given twice: %s and %s; remove one of them",
                         place_of(a, first, sizeof first), place_of(b, second, sizeof second))
             : 0;
}

int set_arguments_take(struct set *set, const struct arguments *arguments, size_t first)
{
    struct error error = {0};
    int r = 0;

    set->type = arguments->settings.type;
    for (size_t i = first; i < arguments->count && r == 0; i++)
        r = set_add(set, arguments->operands[i], &error);
    if (r == 0)
        r = operands_check(&arguments->settings, &set->sources, &error);
    if (r < 0)
        return exit_fail(r == -ENOENT ? EXIT_USAGE : CODE_BAD_ARGUMENTS, "%s", error.text);
    if (set->type == TYPE_NONE)
        return exit_fail(
            CODE_BAD_ARGUMENTS,
            "say which type the start-points are: --languages, --exercises or --custom");
    r = check_twice(set);
    if (r == 0 && source_list_check(&set->sources, &error) < 0)
        r = exit_fail(CODE_BAD_ARGUMENTS, "%s", error.text);
    return r;
}

char *set_arguments_count(const struct set *set, char buffer[64])
{
    size_t count = set->sources.count;

    snprintf(buffer, 64, "%zu start-point%s (%s)", count, count == 1 ? "" : "s",
             type_name(set->type));
    return buffer;
}
