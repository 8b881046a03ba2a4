/* advertisement.h - the first thing that a server says: in version 2 what it can do, in versions 0
 * and 1 that and all its refs. Pure: the parser takes bytes. */
#ifndef GITCACHE_NET_ADVERTISEMENT_H
#define GITCACHE_NET_ADVERTISEMENT_H

#include <stdint.h>

#include "gitcache/net/answer.h"
#include "gitcache/net/capabilities.h"
#include "gitcache/net/lsrefs_command.h"
#include "gitcache/net/pktline.h"

struct advertisement {
    struct pktline_reader reader;
    struct lsrefs_command *refs; /* gets the refs of version 0; borrowed, may be NULL */
    uint64_t max_refs;           /* bytes */
    enum {
        ADVERTISEMENT_START,
        ADVERTISEMENT_PRELUDE,
        ADVERTISEMENT_CAPABILITIES,
        ADVERTISEMENT_FIRST_REF,
        ADVERTISEMENT_REFS,
        ADVERTISEMENT_WHOLE,
    } state;
    uint64_t bytes;
    struct capabilities found; /* .known once the advertisement is whole */
};

/* `who` is the URL as shown; who and refs are borrowed. */
void advertisement_init(struct advertisement *advertisement, const char *who,
                        struct lsrefs_command *refs, uint64_t max_refs);
void advertisement_release(struct advertisement *advertisement);

/* Feeds an advertisement as an answer. EIO, with the sentence that says what to do, for what is no
 * such thing, and for a SHA-256 repository. */
struct answer advertisement_answer(struct advertisement *advertisement);

#endif
