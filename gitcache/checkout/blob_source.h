/* blob_source.h - a blob as it is stored, in memory or, if it is large, mapped from a spool. Private
 * to gitcache/checkout. */
#ifndef GITCACHE_CHECKOUT_BLOB_SOURCE_H
#define GITCACHE_CHECKOUT_BLOB_SOURCE_H

#include "gitcache/checkout/version_reader.h"

struct blob_source {
    const char *data;
    size_t size;
    int fd;      /* of the spool it is mapped from; -1: it is in memory */
    char *owned; /* the bytes, if they are in memory */
};

/* `size` is what raw_object_size says. EIO, ENOMEM, ENOSPC, ECANCELED. */
int blob_source_open(struct blob_source *out, const struct version_reader *reader,
                     const struct oid *blob, uint64_t size, struct error *e);
void blob_source_close(struct blob_source *source);

/* Unpacks a large blob to a new spool, whose descriptor is returned; or a negative errno. */
int blob_source_spool(const struct version_reader *reader, const struct oid *blob, uint64_t size,
                      struct error *e);

#endif
