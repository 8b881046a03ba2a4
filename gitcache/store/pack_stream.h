/* pack_stream.h - unpacks one object of a pack, however large, into a file, in constant memory.
 * Private to gitcache/store. */
#ifndef GITCACHE_STORE_PACK_STREAM_H
#define GITCACHE_STORE_PACK_STREAM_H

#include "gitcache/base/watch.h"
#include "gitcache/store/pack_entry.h"

struct pack_stream_request {
    struct oid id;
    git_object_t type;         /* it must be of this type, */
    uint64_t size;             /* and have so many bytes, which are reserved */
    int fd;                    /* where its bytes go, from the file's beginning */
    const char *folder;        /* for the spools of what its deltas are applied to */
    const struct watch *watch; /* may be NULL */
};

/* EIO (damaged: what is in the file is not to be used), ECANCELED, ENOMEM, ENOSPC. The CRC of a large
 * entry is not looked at before, as its hash is after. */
int pack_stream_write(const struct pack_reader *reader, uint32_t position,
                      const struct pack_stream_request *request, struct error *e);

#endif
