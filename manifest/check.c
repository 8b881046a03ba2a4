/* check.c - see check.h. */
#include "manifest/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The JSON pointer (RFC 6901) of a value: /visible_filenames/2. NULL: out of memory. */
static char *format_pointer(const struct value *value)
{
    char *pointer = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&pointer, &size);
    if (!out)
        return NULL;
    fputc('/', out);
    for (const char *c = value->key; *c && c < value->key + SHOWN_SIZE; c++) {
        if (*c == '~' || *c == '/')
            fprintf(out, "~%d", *c == '/');
        else
            fputc(*c, out);
    }
    if (value->is_element)
        fprintf(out, "/%zu", value->index);
    if (fclose(out) != 0) {
        free(pointer);
        return NULL;
    }
    return pointer;
}

void check_fault(struct check *check, enum severity severity, const struct value *value,
                 const char *format, ...)
{
    struct where where = check->where;
    char *pointer = NULL;
    if (value) {
        pointer = format_pointer(value);
        if (!pointer)
            findings_fail(check->findings, -ENOMEM);
        where.pointer = pointer;
        document_locate(check->document, value->span.start, &where);
    }
    va_list args;
    va_start(args, format);
    findings_vadd(check->findings, severity, check->code, &where, format, args);
    va_end(args);
    free(pointer);
}

bool check_must_be(struct check *check, const struct value *value, const char *what)
{
    char shown[SHOWN_SIZE];
    check_fault(check, SEVERITY_ERROR, value, "must be %s, not %s", what,
                document_value_shown(check->document, value, shown));
    return false;
}

bool check_string(struct check *check, const struct value *value)
{
    if (!json_is_string(value->json) || json_string_length(value->json) == 0)
        return check_must_be(check, value, "a non-empty string");
    return true;
}

bool check_array(struct check *check, const struct value *value, size_t least, size_t most,
                 const char *what)
{
    size_t size = json_array_size(value->json); /* 0 for what is no array */
    if (!json_is_array(value->json) || size < least || size > most)
        return check_must_be(check, value, what);
    return true;
}

bool check_integer(struct check *check, const struct value *value, int least, int most)
{
    char what[64];
    double number = json_real_value(value->json);
    if (document_value_is_integer(check->document, value) && number >= least && number <= most)
        return true;
    snprintf(what, sizeof(what), "an integer from %d to %d", least, most);
    return check_must_be(check, value, what);
}

void check_no_duplicates(struct check *check, const struct value *array)
{
    json_t *first = json_object(); /* string -> the index where it first stands */
    if (!first)
        findings_fail(check->findings, -ENOMEM);
    for (size_t i = 0; first && i < array->count; i++) {
        struct value element = document_element(check->document, array, i);
        const char *string = json_string_value(element.json);
        const json_t *before = string ? json_object_get(first, string) : NULL;
        if (before) {
            check_fault(check, SEVERITY_ERROR, &element,
                        "\"%.80s\" appears twice, first at index %d: remove one of them", string,
                        (int)json_integer_value(before));
        } else if (string && json_object_set_new(first, string, json_integer((json_int_t)i)) < 0) {
            findings_fail(check->findings, -ENOMEM);
            break;
        }
    }
    json_decref(first);
}

bool check_array_has(const struct value *array, const char *string)
{
    for (size_t i = 0; i < array->count; i++) {
        const char *element = json_string_value(json_array_get(array->json, i));
        if (element && strcmp(element, string) == 0)
            return true;
    }
    return false;
}
