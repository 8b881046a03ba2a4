/* blob.h - reading one file or symlink of a cached version, as a checkout on Linux writes it. */
#ifndef GITCACHE_CHECKOUT_BLOB_H
#define GITCACHE_CHECKOUT_BLOB_H

#include "gitcache/base/bytes.h"
#include "gitcache/checkout/version_reader.h"

/* What a folder has told of a file. */
struct blob_request {
    struct oid oid;
    uint8_t conversion; /* its tree entry's, as the next */
    uint64_t size;
    const char *path; /* from the version's root */
};

/* EFBIG: it has more than max_file bytes, before or after conversion; EIO, ENOMEM, ECANCELED. The
 * bytes are the caller's to free, never NULL, and have a NUL behind them. */
int blob_read(const struct version_reader *reader, const struct blob_request *request,
              struct bytes *out, struct error *e);

#endif
