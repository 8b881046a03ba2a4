/* findings.c - see findings.h. */
#include "manifest/findings.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manifest/shown.h"

static void finding_release(struct finding *finding)
{
    free((char *)finding->where.source);
    free((char *)finding->where.file);
    free((char *)finding->where.pointer);
    free(finding->text);
}

static int copy_shown(const char **to, const char *from)
{
    if (!from)
        return 0;
    char *copy = strdup(from);
    if (!copy)
        return -ENOMEM;
    *to = shown_clean(copy);
    return 0;
}

static int where_copy(struct where *to, const struct where *from)
{
    to->line = from->line;
    to->column = from->column;
    to->in_folder = from->in_folder;
    if (copy_shown(&to->source, from->source) < 0 || copy_shown(&to->file, from->file) < 0)
        return -ENOMEM;
    return copy_shown(&to->pointer, from->pointer);
}

static struct finding *findings_grow(struct findings *findings)
{
    size_t count = findings->count;
    if ((count & (count - 1)) == 0) { /* full at each power of two */
        size_t room = count ? count * 2 : 1;
        struct finding *items = reallocarray(findings->items, room, sizeof(*items));
        if (!items)
            return NULL;
        findings->items = items;
    }
    struct finding *finding = &findings->items[count];
    memset(finding, 0, sizeof(*finding));
    return finding;
}

static bool ends_check(int code)
{
    return code >= CODE_NO_MANIFEST && code <= CODE_DUPLICATE_KEYS;
}

/* What ends a check is its result, whatever was found before: so it is with cyber-dojo's check. */
static void take_exit_code(struct findings *findings, int code)
{
    if (!findings->exit_code || (ends_check(code) && !ends_check(findings->exit_code)))
        findings->exit_code = code;
}

void findings_vadd(struct findings *findings, enum severity severity, int code,
                   const struct where *where, const char *format, va_list args)
{
    if (severity == SEVERITY_ERROR)
        take_exit_code(findings, code);
    if (findings->count == FINDINGS_MAX) {
        findings->left_out++;
        return;
    }
    struct finding *finding = findings_grow(findings);
    if (!finding) {
        findings_fail(findings, -ENOMEM);
        return;
    }
    finding->severity = severity;
    finding->code = code;
    if (vasprintf(&finding->text, format, args) < 0)
        finding->text = NULL;
    if (!finding->text || where_copy(&finding->where, where) < 0) {
        finding_release(finding);
        findings_fail(findings, -ENOMEM);
        return;
    }
    shown_clean(finding->text);
    findings->count++;
}

void findings_add(struct findings *findings, enum severity severity, int code,
                  const struct where *where, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    findings_vadd(findings, severity, code, where, format, args);
    va_end(args);
}

void findings_fail(struct findings *findings, int error)
{
    if (!findings->error)
        findings->error = error;
}

static bool ends_with_slash(const char *text)
{
    size_t length = strlen(text);
    return length > 0 && text[length - 1] == '/';
}

static void finding_print(FILE *out, const struct finding *finding)
{
    const struct where *where = &finding->where;
    if (where->source && where->file && where->in_folder)
        fprintf(out, "%s%s", where->source, ends_with_slash(where->source) ? "" : "/");
    else if (where->source)
        fprintf(out, "%s: ", where->source);
    if (where->file) {
        fputs(where->file, out);
        if (where->line)
            fprintf(out, ":%u:%u", where->line, where->column);
        fputs(": ", out);
    }
    if (finding->severity == SEVERITY_WARNING)
        fputs("warning: ", out);
    if (where->pointer)
        fprintf(out, "%s: ", where->pointer);
    fprintf(out, "%s [%d]\n", finding->text, finding->code);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static int by_line(const void *a, const void *b)
{
    const struct finding *x = *(const struct finding *const *)a;
    const struct finding *y = *(const struct finding *const *)b;
    if (x->where.line != y->where.line)
        return x->where.line < y->where.line ? -1 : 1;
    if (x->where.column != y->where.column)
        return x->where.column < y->where.column ? -1 : 1;
    return (x > y) - (x < y);
}

/* Sorts what was found in one file, one after the other, by its lines. */
static void sort_within_files(const struct finding **sorted, size_t count)
{
    for (size_t i = 0, end; i < count; i = end) {
        const struct where *where = &sorted[i]->where;
        for (end = i + 1; end < count; end++)
            if (!where->file || !same_text(sorted[end]->where.file, where->file) ||
                !same_text(sorted[end]->where.source, where->source))
                break;
        qsort(sorted + i, end - i, sizeof(*sorted), by_line);
    }
}

/* An array of all, the caller's; NULL: out of memory. */
static const struct finding **as_found(const struct findings *findings)
{
    const struct finding **items = calloc(findings->count + 1, sizeof(*items));
    for (size_t i = 0; items && i < findings->count; i++)
        items[i] = &findings->items[i];
    return items;
}

/* Frees the array. */
static char *format_all(const struct findings *findings, const struct finding **items)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = items ? open_memstream(&text, &size) : NULL;
    for (size_t i = 0; out && i < findings->count; i++)
        finding_print(out, items[i]);
    free(items);
    if (!out)
        return NULL;
    if (findings->left_out)
        fprintf(out, "and %zu more findings, which are not shown\n", findings->left_out);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

char *findings_format(const struct findings *findings)
{
    return format_all(findings, as_found(findings));
}

char *findings_format_by_line(const struct findings *findings)
{
    const struct finding **items = as_found(findings);
    if (items)
        sort_within_files(items, findings->count);
    return format_all(findings, items);
}

size_t findings_count(const struct findings *findings, enum severity severity)
{
    size_t count = 0;
    for (size_t i = 0; i < findings->count; i++)
        count += findings->items[i].severity == severity;
    return count;
}

static int set_string(json_t *object, const char *key, const char *value)
{
    return value ? json_object_set_new(object, key, json_string(value)) : 0;
}

static int set_number(json_t *object, const char *key, unsigned value)
{
    return value ? json_object_set_new(object, key, json_integer(value)) : 0;
}

static json_t *finding_json(const struct finding *finding)
{
    const char *severity = finding->severity == SEVERITY_ERROR ? "error" : "warning";
    const struct where *where = &finding->where;
    json_t *object = json_object();
    if (!object)
        return NULL;
    if (set_string(object, "severity", severity) < 0 ||
        set_number(object, "code", (unsigned)finding->code) < 0 ||
        set_string(object, "source", where->source) < 0 ||
        set_string(object, "file", where->file) < 0 ||
        set_number(object, "line", where->line) < 0 ||
        set_number(object, "column", where->column) < 0 ||
        set_string(object, "pointer", where->pointer) < 0 ||
        set_string(object, "text", finding->text) < 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

char *findings_format_json(const struct findings *findings)
{
    char *text = NULL;
    json_t *array = json_array();
    if (!array)
        return NULL;
    for (size_t i = 0; i < findings->count; i++) {
        if (json_array_append_new(array, finding_json(&findings->items[i])) < 0)
            goto out;
    }
    text = shown_json(array);
out:
    json_decref(array);
    return text;
}

void findings_release(struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++)
        finding_release(&findings->items[i]);
    free(findings->items);
    memset(findings, 0, sizeof(*findings));
}
