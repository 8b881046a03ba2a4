/* attributes.h - what the .gitattributes above a file say about its bytes; gitattributes(5). Pure.
 * Private to gitcache/checkout.
 *
 * Of all attributes those count that change a checkout on Linux without any configuration: text,
 * crlf (its old name), eol, ident, working-tree-encoding; and macros, which may set them. */
#ifndef GITCACHE_CHECKOUT_ATTRIBUTES_H
#define GITCACHE_CHECKOUT_ATTRIBUTES_H

#include <stddef.h>

#include "gitcache/base/error.h"
#include "gitcache/checkout/budget.h"
#include "gitcache/checkout/conversion.h"

/* git passes over a .gitattributes of so many bytes. */
#define ATTRIBUTES_MAX_SIZE ((size_t)100 << 20)

/* One .gitattributes, and those of the folders above. Never changes, so any number of threads may
 * read it; counted. */
struct attributes;

/* Parses the text of a folder's ("" or "a/b") .gitattributes; `above` (NULL for none) is the next
 * one on the way to the root. ENOMEM, ECANCELED (the budget says so), EFBIG: more memory or macros
 * than our bounds. *out has one user. */
int attributes_new(struct attributes **out, struct attributes *above, const char *folder,
                   const char *text, size_t size, struct budget *budget, struct error *e);
/* One user more, one less; both take NULL. */
struct attributes *attributes_share(struct attributes *attributes);
void attributes_put(struct attributes *attributes);
/* Bytes of memory, without those of what stands above. */
size_t attributes_memory(const struct attributes *attributes);

/* Room for working out one file's conversion, for one thread; good for many files. */
struct attribute_values;
struct attribute_values *attributes_values_new(const struct attributes *attributes);
void attributes_values_free(struct attribute_values *values);

/* What happens to the file of that path (from the version's root). 0 or -ECANCELED. */
int attributes_conversion(const struct attributes *attributes, struct attribute_values *values,
                          const char *path, struct budget *budget, struct conversion *out);

#endif
