/* answer.h - what the transports need to know of a parser: it takes bytes as they arrive, however
 * divided, and says when the answer is whole. Also the errors that servers put into words. */
#ifndef GITCACHE_NET_ANSWER_H
#define GITCACHE_NET_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "gitcache/base/error.h"

struct answer {
    /* 0, or a negative errno that ends the transfer. Bytes after the end are EIO. */
    int (*feed)(void *parser, const char *bytes, size_t size, struct error *e);
    bool (*is_whole)(const void *parser);
    void *parser;
};

/* The errno for a server's message such as "not our ref ..." or "Repository not found.": ENOENT
 * where something is missing, EACCES where a right is, EHOSTUNREACH where ssh could not connect,
 * else EIO. */
int answer_errno_of_message(const char *text, size_t length);

/* Turns a packet "ERR message" into an error that quotes it. */
int answer_refused(struct error *e, const char *who, const char *packet, size_t length);

/* The error for an answer that ended before it was whole. */
int answer_cut_off(struct error *e, const char *who);

#endif
