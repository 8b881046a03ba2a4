/* pack_inflater.h - inflates an entry of a pack piece by piece. Private to gitcache/store. */
#ifndef GITCACHE_STORE_PACK_INFLATER_H
#define GITCACHE_STORE_PACK_INFLATER_H

#include <zlib.h>

#include "gitcache/store/pack_entry.h"

struct pack_inflater {
    const struct pack_reader *reader;
    uint32_t position;
    uint64_t at, end; /* compressed bytes that are still in the file */
    unsigned char *chunk;
    z_stream stream;
    bool ended;
};

/* `entry` is peeked at or open. EIO, ENOMEM; after success end it. */
int pack_inflater_begin(struct pack_inflater *inflater, const struct pack_reader *reader,
                        uint32_t position, const struct pack_entry *entry, struct error *e);
void pack_inflater_end(struct pack_inflater *inflater);

/* The next bytes, as many as there is room for or are left; 0 at the end. EIO, ENOMEM. */
int pack_inflater_next(struct pack_inflater *inflater, void *out, size_t room, size_t *got,
                       struct error *e);

/* EIO unless all has been handed out. */
int pack_inflater_expect_end(struct pack_inflater *inflater, struct error *e);

#endif
