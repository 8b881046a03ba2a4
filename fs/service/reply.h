/* reply.h - a text that an HTTP answer carries, with what clients may ask of it: its entity tag, and
 * a gzip of it where that is smaller. */
#ifndef FS_SERVICE_REPLY_H
#define FS_SERVICE_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#define REPLY_TAG_SIZE 40

struct reply {
    char *text; /* owned */
    size_t size;
    char *gzip; /* owned; NULL: there is none */
    size_t gzip_size;
    char tag[REPLY_TAG_SIZE]; /* "0123456789abcdef-12ab", in its quotes */
    char gzip_tag[REPLY_TAG_SIZE];
};

/* Takes ownership of text in any case. 0 or -ENOMEM; to be released in any case. */
int reply_init(struct reply *reply, char *text, size_t size);
void reply_release(struct reply *reply);

/* Whether an If-None-Match header names the text, in either encoding. */
bool reply_matches(const struct reply *reply, const char *if_none_match);

/* Whether an Accept-Encoding header takes gzip: it is named there, or `*`, without q=0. */
bool reply_accepts_gzip(const char *accept_encoding);

#endif
