/* attributes.h - what .gitattributes files say about the bytes of a checked-out file. Pure. Private
 * to gitcache/.
 *
 * Of all attributes those count that change a checkout on Linux without any configuration: text,
 * crlf (its old name), eol, ident, working-tree-encoding; and macros, which may set them. */
#ifndef GITCACHE_CHECKOUT_ATTRIBUTES_H
#define GITCACHE_CHECKOUT_ATTRIBUTES_H

#include <stdbool.h>
#include <stddef.h>

/* How lines end in the working tree. */
enum conversion_eol {
    EOL_AS_IS,
    EOL_CRLF,      /* every LF becomes CRLF */
    EOL_CRLF_AUTO, /* the same, unless the file looks binary or has a CR already */
};

struct conversion {
    enum conversion_eol eol;
    bool ident;           /* $Id$ becomes $Id: BLOB $ */
    bool in_one_piece;    /* git reads the file whole, which makes a difference for $Id$ */
    const char *encoding; /* from UTF-8 to this; NULL for none. Borrowed from the attributes. */
};

/* The .gitattributes on the way from a version's root to a folder. */
struct attributes {
    struct attribute_file *files; /* the root's first */
    size_t file_count;
    struct attribute *table; /* with room for an answer: one thread at a time may ask */
    size_t count;
};

/* Adds the text of the .gitattributes of a folder ("" or "a/b"), in order from the root down.
 * -ENOMEM. */
int attributes_add(struct attributes *attributes, const char *folder, const char *text,
                   size_t size);
void attributes_release(struct attributes *attributes);

/* What happens to the file of that path (from the root). */
struct conversion attributes_conversion(struct attributes *attributes, const char *path);

/* True if it changes no file. */
bool conversion_is_none(const struct conversion *conversion);

#endif
