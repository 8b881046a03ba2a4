/* convert.h - a blob's bytes as a checkout on Linux writes them. Pure. Private to gitcache/. */
#ifndef GITCACHE_CHECKOUT_CONVERT_H
#define GITCACHE_CHECKOUT_CONVERT_H

#include "gitcache/base/bytes.h"
#include "gitcache/base/oid.h"
#include "gitcache/checkout/attributes.h"

/* Converts in git's order: ident, line ends, encoding. *bytes is replaced where something changes.
 * What git would refuse to convert stays as it is, as it does there. -ENOMEM. */
int convert(struct bytes *bytes, const struct conversion *conversion);

#endif
