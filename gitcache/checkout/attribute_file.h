/* attribute_file.h - one .gitattributes, parsed, and the table of attributes that it speaks of.
 * Private to gitcache/checkout. */
#ifndef GITCACHE_CHECKOUT_ATTRIBUTE_FILE_H
#define GITCACHE_CHECKOUT_ATTRIBUTE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "gitcache/base/error.h"
#include "gitcache/checkout/budget.h"
#include "gitcache/checkout/wildmatch.h"

/* The attributes that count stand first in the table; what follows are macros. */
enum { TEXT, CRLF, EOL, IDENT, ENCODING, KNOWN_COUNT };

/* git has no such bounds; beyond them it is EFBIG, never another conversion than git's. */
#define ATTRIBUTE_MACROS_MAX 2000
#define ATTRIBUTE_MEMORY_MAX ((size_t)64 << 20) /* bytes, of one file */

enum attribute_state { UNKNOWN, SET, UNSET, UNSPECIFIED, VALUE };

struct assignment {
    uint16_t attribute; /* index into the table */
    uint8_t state;      /* enum attribute_state */
    uint32_t value;     /* of VALUE: where it begins in the list's texts */
};

struct assignment_list {
    struct assignment *items;
    size_t count, room;
    char *texts; /* values, each with its NUL */
    size_t texts_size, texts_room;
};

/* Part of an assignment_list. */
struct assignment_range {
    uint32_t first, count;
};

struct attribute {
    char *name;
    struct assignment_range macro; /* what it stands for */
};

#define ATTRIBUTE_SLOTS 8192 /* a power of two, well above the number of macros */

/* Made with the first .gitattributes on the way from the root, constant then. */
struct attribute_table {
    struct attribute *attributes;
    size_t count, room;
    struct assignment_list macros;
    uint16_t slots[ATTRIBUTE_SLOTS]; /* by name: 1 + index, 0 where free */
};

struct attribute_rule {
    struct wildmatch pattern;
    uint32_t code; /* of the pattern: where it begins in the file's codes */
    struct assignment_range says;
    bool is_basename; /* no slash: compared with the path's last part */
};

struct attribute_file {
    struct attribute_rule *rules;
    size_t count, room;
    unsigned char *codes;
    size_t codes_size, codes_room;
    struct assignment_list says;
};

/* The table with what git has built in. NULL: out of memory. */
struct attribute_table *attribute_table_new(void);
void attribute_table_free(struct attribute_table *table);

/* Reads the root's macros into the table. ENOMEM, ECANCELED, EFBIG. */
int attribute_table_read(struct attribute_table *table, const char *text, size_t size,
                         struct budget *budget, struct error *e);

/* Reads the rules. Likewise. On failure, too, attribute_file_release. */
int attribute_file_read(struct attribute_file *file, const struct attribute_table *table,
                        const char *text, size_t size, struct budget *budget, struct error *e);
void attribute_file_release(struct attribute_file *file);
size_t attribute_file_memory(const struct attribute_file *file);

#endif
