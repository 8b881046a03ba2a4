/* fetch_command.h - asks for a pack, in version 2 or 0 of the protocol: the request, and the answer,
 * whose pack streams to a sink as it arrives. Pure but for the sink. */
#ifndef GITCACHE_NET_FETCH_COMMAND_H
#define GITCACHE_NET_FETCH_COMMAND_H

#include <stdint.h>

#include "gitcache/base/oid.h"
#include "gitcache/base/watch.h"
#include "gitcache/net/answer.h"
#include "gitcache/net/capabilities.h"
#include "gitcache/net/pktline.h"

struct fetch_command_request {
    const struct oid *wants; /* ids of commits or tag objects */
    size_t count;
    unsigned depth;    /* commits from each want; 0: all history */
    bool commits_only; /* leave out trees and blobs, where the server can (filter tree:0) */
    bool needs_filter; /* a server that cannot leave them out is not asked: EOPNOTSUPP */
    bool by_id;        /* among them are some that perhaps no ref names */
    bool lines;        /* the server's progress lines are wanted */
    uint64_t max_pack; /* bytes: above it EFBIG; 0: the settings' bound, above it EIO */
};

/* Takes the bytes of a pack as they arrive. 0, or a negative errno that ends the
 * transfer; the sentence is the sink's, if it puts that errno into the error that the caller of
 * remote_fetch gave. */
typedef int (*fetch_command_sink)(void *data, const void *bytes, size_t size);

/* The server must be known to have filter where request->commits_only shall have an effect. */
void fetch_command_build(struct pktline_buffer *out, const struct capabilities *capabilities,
                         const struct fetch_command_request *request);

struct fetch_command {
    struct pktline_reader reader;
    enum {
        FETCH_SECTION, /* a section's name comes next */
        FETCH_ACKNOWLEDGMENTS,
        FETCH_SHALLOW_INFO,
        FETCH_WANTED_REFS,
        FETCH_PACK,
        FETCH_V0_SHALLOW,
        FETCH_V0_ACKNOWLEDGMENT,
        FETCH_V0_RAW, /* a pack without side bands */
        FETCH_WHOLE,
    } section;
    fetch_command_sink sink;
    void *sink_data;
    const struct watch *watch;
    uint64_t max_pack;
    int too_large; /* the errno of more than that */
    uint64_t pack_bytes;
    unsigned char head[12]; /* of the pack */
    bool side_band;         /* pack and messages come in one stream */
    uint64_t other_bytes;   /* everything that is not pack: progress, sections, keep-alives */
    char line[200];         /* a progress line that is not ended yet; a longer one is cut */
    size_t line_length;
    char fatal[200]; /* the last of them that says why git died */
};

/* Ready for an answer of version 2. `who` (the URL as shown) and watch (may be NULL) are borrowed. */
void fetch_command_init(struct fetch_command *fetch, const char *who, uint64_t max_pack,
                        fetch_command_sink sink, void *sink_data, const struct watch *watch);
/* Makes it ready for the answer to a request, which begins anew. */
void fetch_command_expect(struct fetch_command *fetch, const struct capabilities *capabilities,
                          const struct fetch_command_request *request);
void fetch_command_release(struct fetch_command *fetch);
struct answer fetch_command_answer(struct fetch_command *fetch);

#endif
