/* check.h - one manifest while its rules are checked, and what the rules have in common. */
#ifndef MANIFEST_CHECK_H
#define MANIFEST_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "manifest/document.h"
#include "manifest/findings.h"
#include "manifest/manifest.h"
#include "manifest/paths.h"

struct check {
    enum start_point_type type;
    bool strict;
    const char *tag; /* the source's, or NULL */
    const struct paths *paths;
    const char *folder; /* the manifest's; "" for the root */
    struct document *document;
    struct where where; /* source and file */
    struct findings *findings;
    int code; /* of the rule that is being checked */
};

/* Adds a finding of the current rule about a member or an element, or (NULL) about the manifest. */
void check_fault(struct check *check, enum severity severity, const struct value *value,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

/* "must be WHAT, not VALUE". Returns false, for `return check_must_be(...)`. */
bool check_must_be(struct check *check, const struct value *value, const char *what);

/* Each of these adds a finding, and returns false, unless the value is as its name says. */
bool check_string(struct check *check, const struct value *value);
bool check_array(struct check *check, const struct value *value, size_t least, size_t most,
                 const char *what);
bool check_integer(struct check *check, const struct value *value, int least, int most);

/* No string twice; only strings are looked at. */
void check_no_duplicates(struct check *check, const struct value *array);

/* True if an array has the string among its elements. */
bool check_array_has(const struct value *array, const char *string);

#endif
