/* command.h - one command of protocol version 2, ls-refs or fetch, as the transports see it. */
#ifndef GITCACHE_NET_COMMAND_H
#define GITCACHE_NET_COMMAND_H

#include <stdbool.h>

#include "gitcache/net/answer.h"
#include "gitcache/net/capabilities.h"
#include "gitcache/net/pktline.h"

struct command {
    /* Writes the request; may be called again where a first one was not answered. */
    void (*build)(const void *data, struct pktline_buffer *out,
                  const struct capabilities *capabilities);
    const void *data;
    bool lists;              /* it is ls-refs */
    bool needs_capabilities; /* the server must be asked what it can do before the request */
    struct answer answer;
};

#endif
