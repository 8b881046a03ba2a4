/* pktline.h - git's packets: four hex digits of length, then the data (gitprotocol-common(5)).
 * Pure: no I/O. */
#ifndef GITCACHE_NET_PKTLINE_H
#define GITCACHE_NET_PKTLINE_H

#include <stdbool.h>
#include <stddef.h>

#include "gitcache/base/error.h"

#define PKT_MAX_DATA 65516 /* the most that one packet carries */

enum pkt_type { PKT_DATA, PKT_FLUSH, PKT_DELIM };

/* A request under construction. Starts zeroed; a failed allocation is remembered, so that only the
 * end needs a check. */
struct pkt_buffer {
    char *bytes;
    size_t length, room;
    bool failed;
};

/* Appends a data packet with the formatted text and a newline. */
void pkt_add(struct pkt_buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void pkt_add_flush(struct pkt_buffer *buffer);
void pkt_add_delim(struct pkt_buffer *buffer);
void pkt_buffer_release(struct pkt_buffer *buffer);

/* Called with each whole packet; bytes are borrowed, not terminated, and NULL but for PKT_DATA.
 * 0, or a negative errno that ends the reading. */
typedef int (*pkt_handler)(void *data, enum pkt_type type, const char *bytes, size_t length,
                           struct error *e);

/* Cuts a stream into packets, however it comes divided. */
struct pkt_reader {
    const char *who; /* the URL in error sentences; borrowed */
    char header[4];
    size_t header_length; /* bytes of the header that are here */
    size_t length, have;  /* of the packet's data; meaningful once the header is whole */
    char *data;           /* PKT_MAX_DATA bytes, made when a packet first comes in pieces */
};

void pkt_reader_init(struct pkt_reader *reader, const char *who);
void pkt_reader_release(struct pkt_reader *reader);

/* 0, what the handler returned, EIO for a length that no packet has, ENOMEM. */
int pkt_reader_feed(struct pkt_reader *reader, const char *bytes, size_t size, pkt_handler handler,
                    void *data, struct error *e);

/* True between two packets: nothing of a further one has arrived. */
bool pkt_reader_is_between(const struct pkt_reader *reader);

/* The length of a text packet without the newline at its end. */
size_t pkt_text_length(const char *bytes, size_t length);

/* True if the text packet is, or begins with, this text. */
bool pkt_is(const char *bytes, size_t length, const char *text);
bool pkt_starts_with(const char *bytes, size_t length, const char *prefix);

#endif
