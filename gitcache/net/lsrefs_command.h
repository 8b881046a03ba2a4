/* lsrefs_command.h - asks for a listing: protocol version 2's command ls-refs, and its answer. In
 * version 0 nobody asks; there the advertisement's lines come here. Pure. */
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
    char head[256];         /* where HEAD leads to, said before HEAD comes; "" if it is not known */
    struct listing listing; /* sorted once the answer is whole; the caller may take it */
};

/* `who` (the URL as shown), branches and watch are borrowed. */
void lsrefs_command_init(struct lsrefs_command *lsrefs, const char *who,
                         const struct lsrefs_command_branches *branches, uint64_t max_bytes,
                         const struct watch *watch);
/* Forgets what has come: the same will be asked for once more. */
void lsrefs_command_reset(struct lsrefs_command *lsrefs);
void lsrefs_command_release(struct lsrefs_command *lsrefs);
struct answer lsrefs_command_answer(struct lsrefs_command *lsrefs);

/* Version 0: where HEAD leads to, then the lines "ID NAME", an annotated tag's followed by one with
 * what it names and "^{}" behind its name; then the end of them. */
void lsrefs_command_note_head(struct lsrefs_command *lsrefs, const char *branch, size_t length);
int lsrefs_command_take_advertised(struct lsrefs_command *lsrefs, const char *bytes, size_t length,
                                   struct error *e);
void lsrefs_command_finish(struct lsrefs_command *lsrefs);

#endif
