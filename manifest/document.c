/* document.c - see document.h. */
#include "manifest/document.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "manifest/json_fault.h"
#include "manifest/scan.h"

static void refuse_json(struct document *document, const json_error_t *error, struct where where,
                        struct findings *findings)
{
    char sentence[JSON_FAULT_SIZE];
    if (json_error_code(error) == json_error_out_of_memory) {
        findings_fail(findings, -ENOMEM);
        return;
    }
    size_t at = json_fault_explain(document->text, document->length, error, sentence);
    document_locate(document, at, &where);
    findings_add(findings, SEVERITY_ERROR, CODE_NOT_JSON, &where, "%s", sentence);
}

static bool parse(struct document *document, const struct where *where, struct findings *findings)
{
    json_error_t error;
    /* Integers as reals: one that is too big for 64 bits is JSON all the same. */
    document->root = json_loadb(document->text, document->length, JSON_DECODE_INT_AS_REAL, &error);
    if (!document->root) {
        refuse_json(document, &error, *where, findings);
        return false;
    }
    if (!json_is_object(document->root)) {
        findings_add(findings, SEVERITY_ERROR, CODE_NOT_JSON, where,
                     "must be a JSON object, {\"display_name\": ...}, not an array");
        return false;
    }
    return true;
}

/* True if an array of `count` items is full; it grows at each power of two. */
static bool is_full(size_t count)
{
    return (count & (count - 1)) == 0;
}

static int add_element(struct document *document, struct span span)
{
    size_t count = document->element_count;
    if (is_full(count)) {
        struct span *elements =
            reallocarray(document->elements, count ? count * 2 : 1, sizeof(*elements));
        if (!elements)
            return -ENOMEM;
        document->elements = elements;
    }
    document->elements[document->element_count++] = span;
    return 0;
}

static int scan_elements(struct document *document, struct value *member)
{
    struct scanner scanner = {document->text, member->span.start, member->span.end};
    member->first = document->element_count;
    if (!json_is_array(member->json) || !scan_take(&scanner, '['))
        return 0;
    while (member->count < json_array_size(member->json)) {
        struct span span = {.start = scan_value(&scanner)};
        span.end = scanner.at;
        if (add_element(document, span) < 0)
            return -ENOMEM;
        member->count++;
        scan_take(&scanner, ',');
    }
    return 0;
}

static struct value *add_member(struct document *document)
{
    size_t count = document->count;
    if (is_full(count)) {
        struct value *members =
            reallocarray(document->members, count ? count * 2 : 1, sizeof(*members));
        if (!members)
            return NULL;
        document->members = members;
    }
    struct value *member = &document->members[document->count++];
    memset(member, 0, sizeof(*member));
    return member;
}

/* The key that a string token writes: "tab\u005fsize" is tab_size. */
static const char *decode_key(struct document *document, struct span span)
{
    json_t *key =
        json_loadb(document->text + span.start, span.end - span.start, JSON_DECODE_ANY, NULL);
    if (!key || json_array_append_new(document->keys, key) < 0)
        return NULL;
    return json_string_value(key);
}

static int scan_member(struct document *document, struct scanner *scanner)
{
    struct value *member = add_member(document);
    if (!member)
        return -ENOMEM;
    member->key_span.start = scan_value(scanner);
    member->key_span.end = scanner->at;
    scan_take(scanner, ':');
    member->span.start = scan_value(scanner);
    member->span.end = scanner->at;
    member->key = decode_key(document, member->key_span);
    if (!member->key)
        return -ENOMEM;
    member->json = json_object_get(document->root, member->key);
    return 0;
}

static int scan_members(struct document *document)
{
    struct scanner scanner = {document->text, 0, document->length};
    document->keys = json_array();
    if (!document->keys)
        return -ENOMEM;
    scan_take(&scanner, '{');
    if (json_object_size(document->root) == 0)
        return 0;
    do {
        if (scan_member(document, &scanner) < 0)
            return -ENOMEM;
    } while (scan_take(&scanner, ','));
    return 0;
}

static void refuse_duplicate(const struct document *document, const struct value *again,
                             unsigned first_line, const struct where *where,
                             struct findings *findings)
{
    char key[SHOWN_SIZE];
    size_t start = again->key_span.start;
    shown_clip(key, document->text + start, again->key_span.end - start);
    findings_add(findings, SEVERITY_ERROR, CODE_DUPLICATE_KEYS, where,
                 "the key %s appears twice, first in line %u: remove one of them", key, first_line);
}

static int refuse_duplicates(struct document *document, struct where where,
                             struct findings *findings, bool *found)
{
    json_t *lines = json_object(); /* key -> the line where it first stands */
    int r = lines ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < document->count; i++) {
        const struct value *member = &document->members[i];
        const json_t *line = json_object_get(lines, member->key);
        document_locate(document, member->key_span.start, &where);
        if (line) {
            unsigned first_line = (unsigned)json_integer_value(line);
            refuse_duplicate(document, member, first_line, &where, findings);
            *found = true;
        } else if (json_object_set_new(lines, member->key, json_integer(where.line)) < 0) {
            r = -ENOMEM;
        }
    }
    json_decref(lines);
    return r;
}

bool document_load(struct document *document, const char *bytes, size_t size,
                   const struct where *where, struct findings *findings)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    size_t mark = strlen(byte_order_mark);
    if (size < mark || memcmp(bytes, byte_order_mark, mark) != 0)
        mark = 0;
    *document =
        (struct document){.text = bytes + mark, .length = size - mark, .line = 1, .column = 1};
    if (!parse(document, where, findings))
        return false;
    bool duplicates = false;
    int r = scan_members(document);
    if (r == 0)
        r = refuse_duplicates(document, *where, findings, &duplicates);
    for (size_t i = 0; r == 0 && !duplicates && i < document->count; i++)
        r = scan_elements(document, &document->members[i]);
    if (r < 0)
        findings_fail(findings, r);
    return r == 0 && !duplicates;
}

void document_release(struct document *document)
{
    json_decref(document->root);
    json_decref(document->keys);
    free(document->members);
    free(document->elements);
    memset(document, 0, sizeof(*document));
}

bool document_find(const struct document *document, const char *key, struct value *out)
{
    for (size_t i = 0; i < document->count; i++) {
        if (strcmp(document->members[i].key, key) == 0) {
            *out = document->members[i];
            return true;
        }
    }
    return false;
}

struct value document_element(const struct document *document, const struct value *array,
                              size_t index)
{
    return (struct value){
        .json = json_array_get(array->json, index),
        .key = array->key,
        .key_span = array->key_span,
        .span = document->elements[array->first + index],
        .is_element = true,
        .index = index,
    };
}

void document_locate(struct document *document, size_t offset, struct where *where)
{
    if (offset < document->at) {
        document->at = 0;
        document->line = document->column = 1;
    }
    for (; document->at < offset; document->at++) {
        unsigned char byte = (unsigned char)document->text[document->at];
        if (byte == '\n') {
            document->line++;
            document->column = 1;
        } else {
            document->column += (byte & 0xc0) != 0x80; /* not within a character */
        }
    }
    where->line = document->line;
    where->column = document->column;
}

bool document_value_is_integer(const struct document *document, const struct value *value)
{
    const char *text = document->text + value->span.start;
    size_t length = value->span.end - value->span.start;
    return json_is_number(value->json) && !memchr(text, '.', length) &&
           !memchr(text, 'e', length) && !memchr(text, 'E', length);
}

char *document_value_shown(const struct document *document, const struct value *value,
                           char buffer[SHOWN_SIZE])
{
    return shown_clip(buffer, document->text + value->span.start,
                      value->span.end - value->span.start);
}
