/* attributes_at.h - finds the .gitattributes that hold in a folder of a version. Private to
 * gitcache/checkout. */
#ifndef GITCACHE_CHECKOUT_ATTRIBUTES_AT_H
#define GITCACHE_CHECKOUT_ATTRIBUTES_AT_H

#include "gitcache/checkout/attributes.h"
#include "gitcache/checkout/version_reader.h"

#define ATTRIBUTES_FILE ".gitattributes"

/* What the folder ("" or "a/b") adds to what holds above it: the blob is its .gitattributes, NULL
 * for none. Takes over `above`. The result, NULL for no attributes at all, is the caller's to put,
 * and kept in the cache. EIO, EFBIG, ENOMEM, ECANCELED. */
int attributes_at_add(const struct version_reader *reader, struct attributes *above,
                      const char *folder, const struct oid *blob, struct budget *budget,
                      struct attributes **out, struct error *e);

/* All that hold in the folder, from the cache, else read from the version's root on. Likewise. */
int attributes_at(const struct version_reader *reader, const char *folder, struct budget *budget,
                  struct attributes **out, struct error *e);

#endif
