/* capabilities.h - the first thing that a server of protocol version 2 says: what it can do.
 * Pure: the parser takes bytes. */
#ifndef GITCACHE_NET_CAPABILITIES_H
#define GITCACHE_NET_CAPABILITIES_H

#include <stdint.h>

#include "gitcache/net/answer.h"
#include "gitcache/net/pktline.h"

struct capabilities {
    bool known; /* false: the server was not asked, and only what every server of git knows is sent
                 */
    bool agent;
    bool ls_refs;
    bool fetch;
    bool shallow;
    bool filter;
};

/* Appends agent=startpointfs/VERSION, unless the server is known not to take it. */
void capabilities_add_agent(struct pktline_buffer *out, const struct capabilities *capabilities);

struct advertisement {
    struct pktline_reader reader;
    const char *hint; /* how to get protocol version 2 on this transport; borrowed */
    enum { ADVERT_START, ADVERT_PRELUDE, ADVERT_CAPABILITIES, ADVERT_WHOLE } state;
    bool other_format; /* object-format names another hash than SHA-1 */
    uint64_t bytes;
    struct capabilities found; /* .known once the advertisement is whole */
};

/* `who` is the URL as shown; who and hint are borrowed. */
void advertisement_init(struct advertisement *advertisement, const char *who, const char *hint);
void advertisement_release(struct advertisement *advertisement);

/* Feeds an advertisement as an answer. EIO, with the sentence that says what to do, for an older
 * protocol and for a SHA-256 repository. */
struct answer advertisement_answer(struct advertisement *advertisement);

#endif
