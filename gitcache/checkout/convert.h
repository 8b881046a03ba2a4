/* convert.h - a blob's bytes as a checkout on Linux writes them. Pure. Private to
 * gitcache/checkout. */
#ifndef GITCACHE_CHECKOUT_CONVERT_H
#define GITCACHE_CHECKOUT_CONVERT_H

#include "gitcache/base/oid.h"
#include "gitcache/checkout/budget.h"
#include "gitcache/checkout/conversion.h"
#include "gitcache/checkout/output.h"

struct convert_input {
    const char *data;
    size_t size;
    bool mapped;            /* from a file: what has been looked at is not kept in memory */
    const struct oid *blob; /* its id, for $Id$ */
};

/* Converts in git's order: ident, line ends, encoding. What git would refuse to convert goes to the
 * output as it is, as it does there. What lies between two of the three is held as the output says,
 * or spooled. -ENOMEM, -EFBIG (max_file), -ECANCELED, or the errno of a spool. */
int convert_bytes(const struct convert_input *input, const struct conversion *conversion,
                  struct output *output, struct budget *budget);

#endif
