/* command.h - one command, a listing or a fetch, as the transports see it. */
#ifndef GITCACHE_NET_COMMAND_H
#define GITCACHE_NET_COMMAND_H

#include <stdbool.h>

#include "gitcache/net/answer.h"
#include "gitcache/net/capabilities.h"
#include "gitcache/net/pktline.h"

struct command {
    /* Writes the request, and makes the parser ready for the answer to it; may be called again
     * where a first one was not answered. */
    void (*build)(void *data, struct pktline_buffer *out, const struct capabilities *capabilities);
    void *data;
    /* Of a listing, which version 0 answers before it is asked; else NULL. */
    struct lsrefs_command *refs;
    bool needs_capabilities; /* the server must be asked what it can do before the request */
    bool needs_filter;       /* a server without it is not asked: EOPNOTSUPP */
    bool by_id; /* a server known not to give commits by their ids is not asked: ENOENT */
    struct answer answer;
};

/* 0, or with a sentence -EOPNOTSUPP or -ENOENT: the server, as far as its capabilities are known by now,
 * lacks what the command needs. */
int command_check(const struct command *command, const struct capabilities *capabilities,
                  const char *who, struct error *e);

#endif
