/* place.h - what the .gitattributes of a version say at one place of it; gitattributes(5). Private
 * to gitcache/. */
#ifndef GITCACHE_CHECKOUT_PLACE_H
#define GITCACHE_CHECKOUT_PLACE_H

#include "gitcache/checkout/attributes.h"
#include "gitcache/checkout/objects.h"
#include "gitcache/store/repository.h"

#define ATTRIBUTES_FILE ".gitattributes"

/* Collects the .gitattributes of the root and of all folders down to the path's own, which is the
 * path itself if `is_folder`. *mode becomes the mode of what the path names. On success the caller
 * releases *out. */
int place_attributes(struct repository *repository, const struct place *place, bool is_folder,
                     struct attributes *out, uint32_t *mode, struct error *e);

#endif
