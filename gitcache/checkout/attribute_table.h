/* attribute_table.h - the attributes that count, and the macros that stand for some of them. Private to
 * gitcache/checkout. */
#ifndef GITCACHE_CHECKOUT_ATTRIBUTE_TABLE_H
#define GITCACHE_CHECKOUT_ATTRIBUTE_TABLE_H

#include <stdbool.h>

#include "gitcache/base/error.h"
#include "gitcache/checkout/assignment_list.h"

/* Those that count stand first in the table; what follows are macros. */
enum { TEXT, CRLF, EOL, IDENT, ENCODING, KNOWN_COUNT };

/* git has no such bound; beyond it, it is EFBIG, never another conversion than git's. */
#define ATTRIBUTE_TABLE_MACROS 2000
#define ATTRIBUTE_TABLE_SLOTS  8192 /* a power of two, well above the number of macros */

struct attribute {
    char *name;
    struct assignment_range macro; /* what it stands for */
};

/* Made with the first .gitattributes on the way from the root, constant then. */
struct attribute_table {
    struct attribute *attributes;
    size_t count, room;
    struct assignment_list macros;
    uint16_t slots[ATTRIBUTE_TABLE_SLOTS]; /* by name: 1 + index, 0 where free */
};

/* With what git has built in. NULL: out of memory. */
struct attribute_table *attribute_table_new(void);
void attribute_table_free(struct attribute_table *table);

/* An attribute's name, as git allows them. */
bool attribute_table_is_name(const char *name, size_t length);

/* The attribute of that name, which is valid; NULL if it is none that counts. */
struct attribute *attribute_table_find(const struct attribute_table *table, const char *name,
                                       size_t length);

/* Adds a macro's name, unless it is there or none. ENOMEM, EFBIG. */
int attribute_table_add(struct attribute_table *table, const char *name, struct error *e);

#endif
