/* lsrefs_command.h - protocol version 2's command ls-refs: the request, and the answer as a listing. Pure.
 */
#ifndef GITCACHE_NET_LSREFS_COMMAND_H
#define GITCACHE_NET_LSREFS_COMMAND_H

#include <stdint.h>

#include "gitcache/base/listing.h"
#include "gitcache/base/watch.h"
#include "gitcache/net/answer.h"
#include "gitcache/net/capabilities.h"
#include "gitcache/net/pktline.h"

/* Which refs are asked for: HEAD, all tags, refs/heads/master, refs/heads/main and these. */
struct lsrefs_command_branches {
    const char *const *names; /* without refs/heads/; borrowed */
    size_t count;
};

void lsrefs_command_build(struct pktline_buffer *out, const struct capabilities *capabilities,
                          const struct lsrefs_command_branches *branches);

struct lsrefs_command {
    struct pktline_reader reader;
    const struct lsrefs_command_branches *branches; /* borrowed */
    const struct watch *watch;                      /* borrowed, may be NULL */
    uint64_t max_bytes, bytes;
    bool whole;
    struct listing listing; /* sorted once the answer is whole; the caller may take it */
};

/* `who` (the URL as shown), branches and watch are borrowed. */
void lsrefs_command_init(struct lsrefs_command *lsrefs, const char *who,
                         const struct lsrefs_command_branches *branches, uint64_t max_bytes,
                         const struct watch *watch);
void lsrefs_command_release(struct lsrefs_command *lsrefs);
struct answer lsrefs_command_answer(struct lsrefs_command *lsrefs);

#endif
