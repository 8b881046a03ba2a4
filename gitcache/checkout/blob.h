/* blob.h - reading one file or symlink of a cached version, as a checkout on Linux writes it. */
#ifndef GITCACHE_CHECKOUT_BLOB_H
#define GITCACHE_CHECKOUT_BLOB_H

#include "gitcache/base/bytes.h"
#include "gitcache/checkout/version_reader.h"

/* `path` is the file's from the version's root; `conversion` is its tree entry's (0 for a symlink).
 * EFBIG: it has more than max_file bytes, before or after conversion; EIO, ENOMEM, ECANCELED. The
 * bytes are the caller's to free, never NULL, and have a NUL behind them. */
int blob_read(const struct version_reader *reader, const struct oid *blob, const char *path,
              uint8_t conversion, struct bytes *out, struct error *e);

#endif
