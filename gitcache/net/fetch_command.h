/* fetch_command.h - protocol version 2's command fetch: the request, and the answer, whose pack streams to
 * a sink as it arrives. Pure but for the sink. */
#ifndef GITCACHE_NET_FETCH_COMMAND_H
#define GITCACHE_NET_FETCH_COMMAND_H

#include <stdint.h>

#include "gitcache/net/answer.h"
#include "gitcache/net/capabilities.h"
#include "gitcache/net/pktline.h"
#include "gitcache/net/remote.h"

/* The server must be known to have filter where request->commits_only shall have an effect. */
void fetch_request(struct pkt_buffer *out, const struct capabilities *capabilities,
                   const struct remote_request *request);

struct fetch {
    struct pkt_reader reader;
    enum {
        FETCH_SECTION, /* a section's name comes next */
        FETCH_ACKNOWLEDGMENTS,
        FETCH_SHALLOW_INFO,
        FETCH_WANTED_REFS,
        FETCH_PACK,
        FETCH_WHOLE,
    } section;
    remote_sink sink;
    void *sink_data;
    const struct watch *watch;
    uint64_t max_pack;
    uint64_t pack_bytes;
    uint64_t other_bytes; /* everything that is not pack: progress, sections, keep-alives */
    char line[200];       /* a progress line that is not ended yet; a longer one is cut */
    size_t line_length;
};

/* `who` (the URL as shown) and watch (may be NULL) are borrowed. */
void fetch_init(struct fetch *fetch, const char *who, uint64_t max_pack, remote_sink sink,
                void *sink_data, const struct watch *watch);
void fetch_release(struct fetch *fetch);
struct answer fetch_answer(struct fetch *fetch);

#endif
