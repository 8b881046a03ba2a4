/* checkout_cache.h - what reading versions has found out and may need again: parsed .gitattributes,
 * and the sizes of converted files. For any number of repositories and threads; bounded. */
#ifndef GITCACHE_CHECKOUT_CHECKOUT_CACHE_H
#define GITCACHE_CHECKOUT_CHECKOUT_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "gitcache/base/oid.h"
#include "gitcache/checkout/conversion.h"

struct attributes;
struct checkout_cache;

/* NULL: out of memory. */
struct checkout_cache *checkout_cache_new(void);
void checkout_cache_free(struct checkout_cache *cache);

/* Objects (commits, trees, blobs) that were read from the store so far, without those of which only
 * the size was asked. */
uint64_t checkout_cache_reads(const struct checkout_cache *cache);
void checkout_cache_count_read(struct checkout_cache *cache);

/* The attributes that hold in a folder of a commit. False: not known; else *out (NULL where there
 * are none) has a user more. */
bool checkout_cache_find_attributes(struct checkout_cache *cache, const struct oid *commit,
                                    const char *folder, struct attributes **out);
/* Keeps them, if there is memory; `own` if their last .gitattributes is this folder's. */
void checkout_cache_keep_attributes(struct checkout_cache *cache, const struct oid *commit,
                                    const char *folder, struct attributes *attributes, bool own);

/* The size of a blob after a conversion. False: not known. */
bool checkout_cache_find_size(struct checkout_cache *cache, const struct oid *blob,
                              const struct conversion *conversion, uint64_t *size);
void checkout_cache_keep_size(struct checkout_cache *cache, const struct oid *blob,
                              const struct conversion *conversion, uint64_t size);

#endif
