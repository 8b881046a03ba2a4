/* pktline.h - git's packets: four hex digits of length, then the data (gitprotocol-common(5)).
 * Pure: no I/O. */
#ifndef GITCACHE_NET_PKTLINE_H
#define GITCACHE_NET_PKTLINE_H

#include <stdbool.h>
#include <stddef.h>

#include "gitcache/base/error.h"

#define PKTLINE_MAX_DATA 65516 /* the most that one packet carries */

enum pktline_type { PKTLINE_DATA, PKTLINE_FLUSH, PKTLINE_DELIM };

/* A request under construction. Starts zeroed; a failed allocation is remembered, so that only the
 * end needs a check. */
struct pktline_buffer {
    char *bytes;
    size_t length, room;
    bool failed;
};

/* Appends a data packet with the formatted text and a newline. */
void pktline_add(struct pktline_buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void pktline_add_flush(struct pktline_buffer *buffer);
void pktline_add_delim(struct pktline_buffer *buffer);
void pktline_buffer_release(struct pktline_buffer *buffer);

/* What a handler returns where no further packets come, but other bytes. */
#define PKTLINE_STOP 1

/* Called with each whole packet; bytes are borrowed, not terminated, and NULL but for PKTLINE_DATA.
 * 0, PKTLINE_STOP, or a negative errno that ends the reading. */
typedef int (*pktline_handler)(void *data, enum pktline_type type, const char *bytes, size_t length,
                               struct error *e);

/* Cuts a stream into packets, however it comes divided. */
struct pktline_reader {
    const char *who; /* the URL in error sentences; borrowed */
    char header[4];
    size_t header_length; /* bytes of the header that are here */
    size_t length, have;  /* of the packet's data; meaningful once the header is whole */
    size_t left;          /* bytes that were not read because of PKTLINE_STOP */
    char *data;           /* PKTLINE_MAX_DATA bytes, made when a packet first comes in pieces */
};

void pktline_reader_init(struct pktline_reader *reader, const char *who);
void pktline_reader_release(struct pktline_reader *reader);

/* 0, what the handler returned, EIO for a length that no packet has, ENOMEM. */
int pktline_reader_feed(struct pktline_reader *reader, const char *bytes, size_t size,
                        pktline_handler handler, void *data, struct error *e);

/* What has arrived of the data of a packet that is not whole yet: the number of bytes, which are
 * borrowed. 0 between two packets. */
size_t pktline_reader_begun(const struct pktline_reader *reader, const char **bytes);

/* True between two packets: nothing of a further one has arrived. */
bool pktline_reader_is_between(const struct pktline_reader *reader);

/* The length of a text packet without the newline at its end. */
size_t pktline_text_length(const char *bytes, size_t length);

/* True if the text packet is, or begins with, this text. */
bool pktline_is(const char *bytes, size_t length, const char *text);
bool pktline_starts_with(const char *bytes, size_t length, const char *prefix);

#endif
