/* capabilities.h - what a server can do, as it says itself, and as it is kept for the next time.
 * Pure. */
#ifndef GITCACHE_NET_CAPABILITIES_H
#define GITCACHE_NET_CAPABILITIES_H

#include <stdbool.h>
#include <stddef.h>

#include "gitcache/net/pktline.h"

struct capabilities {
    bool known;     /* false: the server was not asked, and only what every server of git knows is
                       sent */
    bool version_0; /* it speaks version 0 or 1, which are the same after the first line; else 2 */
    bool agent;
    bool shallow;
    bool filter;
    /* of version 2 */
    bool ls_refs;
    bool fetch;
    /* of version 0 */
    bool multi_ack;
    bool multi_ack_detailed;
    bool side_band;
    bool side_band_64k;
    bool ofs_delta;
    bool no_progress;
    bool thin_pack;
    bool tip_ids, reachable_ids; /* commits that no ref names may be asked for by their ids */
    bool other_format;           /* object-format names another hash than SHA-1 */
};

/* Our name, as a server's log shows it. Without our version: a cache between us and the server
 * keeps an answer for a request that has the same bytes. */
#define CAPABILITIES_AGENT "agent=startpointfs"

/* Appends the agent, unless the server is known not to take it. */
void capabilities_add_agent(struct pktline_buffer *out, const struct capabilities *capabilities);

/* Notes one word of a server: KEY or KEY=VALUE, of the version that `capabilities` says. */
void capabilities_note(struct capabilities *capabilities, const char *word, size_t length);

/* Notes words that are separated by spaces. */
void capabilities_note_all(struct capabilities *capabilities, const char *words, size_t length);

/* For version 0: writes words that capabilities_note_all reads again; `out` has room for CAPABILITIES_TEXT. */
#define CAPABILITIES_TEXT 300
void capabilities_format(const struct capabilities *capabilities, char out[CAPABILITIES_TEXT]);

#endif
