/* oid.h - git object ids (SHA-1, 20 bytes; 40 hex digits when written). */
#ifndef GITCACHE_BASE_OID_H
#define GITCACHE_BASE_OID_H

#include <stdbool.h>
#include <stddef.h>

#define OID_SIZE     20
#define OID_HEX      40
#define OID_HEX_SIZE (OID_HEX + 1) /* with the NUL */
#define OID_ABBREV   7             /* the fewest digits that name a commit */

struct oid {
    unsigned char id[OID_SIZE];
};

/* Reads exactly OID_HEX hex digits of either case. False, and *out untouched, for anything else;
 * what follows the 40 digits is not looked at. */
bool oid_parse(struct oid *out, const char *hex, size_t length);

/* Writes 40 lower-case digits and a NUL; returns buffer. */
char *oid_format(const struct oid *oid, char buffer[OID_HEX_SIZE]);

bool oid_equal(const struct oid *a, const struct oid *b);
bool oid_is_zero(const struct oid *oid);

/* True if text[0..length) is OID_ABBREV to OID_HEX hex digits. */
bool oid_is_abbreviation(const char *text, size_t length);

#endif
