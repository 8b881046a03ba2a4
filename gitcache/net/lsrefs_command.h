/* lsrefs_command.h - protocol version 2's command ls-refs: the request, and the answer as a listing. Pure.
 */
#ifndef GITCACHE_NET_LSREFS_COMMAND_H
#define GITCACHE_NET_LSREFS_COMMAND_H

#include <stdint.h>

#include "gitcache/base/listing.h"
#include "gitcache/net/answer.h"
#include "gitcache/net/capabilities.h"
#include "gitcache/net/pktline.h"
#include "gitcache/net/remote.h"

/* Which refs are asked for: HEAD, all tags, refs/heads/master, refs/heads/main and these. */
struct lsrefs_branches {
    const char *const *names; /* without refs/heads/; borrowed */
    size_t count;
};

void lsrefs_request(struct pkt_buffer *out, const struct capabilities *capabilities,
                    const struct lsrefs_branches *branches);

struct lsrefs {
    struct pkt_reader reader;
    const struct lsrefs_branches *branches; /* borrowed */
    const struct watch *watch;              /* borrowed, may be NULL */
    uint64_t max_bytes, bytes;
    bool whole;
    struct listing listing; /* sorted once the answer is whole; the caller may take it */
};

/* `who` (the URL as shown), branches and watch are borrowed. */
void lsrefs_init(struct lsrefs *lsrefs, const char *who, const struct lsrefs_branches *branches,
                 uint64_t max_bytes, const struct watch *watch);
void lsrefs_release(struct lsrefs *lsrefs);
struct answer lsrefs_answer(struct lsrefs *lsrefs);

#endif
