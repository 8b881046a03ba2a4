/* attribute_file.h - one .gitattributes, parsed to rules. Private to gitcache/checkout. */
#ifndef GITCACHE_CHECKOUT_ATTRIBUTE_FILE_H
#define GITCACHE_CHECKOUT_ATTRIBUTE_FILE_H

#include "gitcache/checkout/attribute_table.h"
#include "gitcache/checkout/wildmatch.h"

/* Bytes that one may take. git has no such bound; beyond it, it is EFBIG, never another conversion
 * than git's. */
#define ATTRIBUTE_FILE_MEMORY ((size_t)64 << 20)

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

/* Reads the macros of the root's file into the table. ENOMEM, ECANCELED, EFBIG. */
int attribute_file_macros(struct attribute_table *table, const char *text, size_t size,
                          struct budget *budget, struct error *e);

/* Reads the rules. Likewise. On failure, too, attribute_file_release. */
int attribute_file_read(struct attribute_file *file, const struct attribute_table *table,
                        const char *text, size_t size, struct budget *budget, struct error *e);
void attribute_file_release(struct attribute_file *file);
size_t attribute_file_memory(const struct attribute_file *file);

#endif
