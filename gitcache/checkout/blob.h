/* blob.h - reading one file or symlink of a cached version, as a checkout on Linux writes it. */
#ifndef GITCACHE_CHECKOUT_BLOB_H
#define GITCACHE_CHECKOUT_BLOB_H

#include "gitcache/checkout/content.h"
#include "gitcache/checkout/version_reader.h"

/* What a folder has told of a file. */
struct blob_request {
    struct oid oid;
    uint8_t conversion; /* its tree entry's, as the next */
    uint64_t size;
    const char *path; /* from the version's root */
};

/* EFBIG: it has more than max_file bytes, before or after conversion; EIO, ENOMEM, ENOSPC, ECANCELED.
 * What is large comes in a file (spool.h), if the reader has a folder for it. On success the caller
 * releases *out. */
int blob_read(const struct version_reader *reader, const struct blob_request *request,
              struct content *out, struct error *e);

/* A blob's size as it is stored, from bytes that pass their checksum. EIO: it is damaged, or missing. */
int blob_size(struct repository *repository, const struct oid *id, uint64_t *out, struct error *e);

#endif
