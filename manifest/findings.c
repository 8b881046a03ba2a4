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

static void finding_print(FILE *out, const struct finding *finding)
{
    const struct where *where = &finding->where;
    if (where->source)
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

char *findings_format(const struct findings *findings)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    for (size_t i = 0; i < findings->count; i++)
        finding_print(out, &findings->items[i]);
    if (findings->left_out)
        fprintf(out, "and %zu more findings, which are not shown\n", findings->left_out);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
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
