/* answer.h - what the transports need to know of a parser: it takes bytes as they arrive, however
 * divided, and says when the answer is whole. Also the errors that servers put into words. */
#ifndef GITCACHE_NET_ANSWER_H
#define GITCACHE_NET_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gitcache/base/error.h"

struct answer {
    /* 0, or a negative errno that ends the transfer. Bytes after the end are EIO. */
    int (*feed)(void *parser, const char *bytes, size_t size, struct error *e);
    bool (*is_whole)(const void *parser);
    void *parser;
    /* Bytes so far of what was asked for: neither keep-alives nor the server's talk count. */
    uint64_t (*useful)(const void *parser);
    /* True where the end of the stream is the end of the answer; NULL: it never is. */
    bool (*may_end)(const void *parser);
};

/* At the end of the stream: true if the answer is whole. */
bool answer_is_whole_at_end(const struct answer *answer);

/* The errno for a server's message such as "not our ref ..." or "Repository not found.": ENOENT
 * where something is missing, EACCES where a right is, EHOSTUNREACH where ssh could not connect,
 * ECONNRESET where it was dropped, else EIO. */
int answer_errno_of_message(const char *text, size_t length);

/* Turns a packet "ERR message" into an error that quotes it. */
int answer_refused(struct error *e, const char *who, const char *packet, size_t length);

/* The error for one that does not get on: pace.h. */
int answer_too_slow(struct error *e, const char *who, unsigned seconds);

/* The error for an answer that ended before it was whole. */
int answer_cut_off(struct error *e, const char *who);

#endif
