/* document.h - a manifest's JSON with the places of its parts.
 *
 * jansson reads the JSON, but forgets where each value stood, that a key stood twice, and whether a
 * number was written as an integer. So a small scanner goes over the text once more, when it is
 * known to be valid, and notes where the top level's members and their elements begin and end.
 */
#ifndef MANIFEST_DOCUMENT_H
#define MANIFEST_DOCUMENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "manifest/findings.h"
#include "manifest/shown.h"

#define MANIFEST_MAX (1024 * 1024) /* bytes; a larger manifest is refused */

/* Bytes of the text. */
struct span {
    size_t start, end;
};

/* A member of the top level, or an element of a member that is an array. Borrows from its document.
 */
struct value {
    const json_t
        *json; /* numbers are always reals: document_value_is_integer knows how they were written */
    const char *key; /* the member's */
    struct span key_span;
    struct span span;
    bool is_element;
    size_t index;        /* of an element */
    size_t first, count; /* private: the elements' spans */
};

struct document {
    const char *text; /* borrowed; without byte order mark */
    size_t length;
    json_t *root;
    json_t *keys; /* private: holds the members' keys */
    struct value *members;
    size_t count;
    struct span *elements; /* private: of all members that are arrays */
    size_t element_count;
    size_t at; /* private: where document_locate was last */
    unsigned line, column;
};

/* Reads a manifest. What is not JSON, or not an object, is a finding with code 17; a key that
 * stands twice at the top level is one with code 18. `where` says source and file. The document
 * borrows the bytes. False if there was such a finding, or no memory (findings->error); the
 * document is to be released in any case. */
bool document_load(struct document *document, const char *bytes, size_t size,
                   const struct where *where, struct findings *findings);
void document_release(struct document *document);

/* The member of that key. False if there is none. */
bool document_find(const struct document *document, const char *key, struct value *out);
/* Element `index` (below json_array_size) of a member that is an array. */
struct value document_element(const struct document *document, const struct value *array,
                              size_t index);

/* Sets where->line and where->column of a byte. Cheap if offsets ascend. */
void document_locate(struct document *document, size_t offset, struct where *where);

/* True for a number without fraction and exponent, as JSON's grammar writes integers. */
bool document_value_is_integer(const struct document *document, const struct value *value);
/* The value as it is written in the file, clipped. Returns buffer. */
char *document_value_shown(const struct document *document, const struct value *value,
                           char buffer[SHOWN_SIZE]);

#endif
