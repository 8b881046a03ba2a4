/* conversion.h - what a checkout does to a file's bytes, as .gitattributes say. Pure. */
#ifndef GITCACHE_CHECKOUT_CONVERSION_H
#define GITCACHE_CHECKOUT_CONVERSION_H

#include <stdbool.h>
#include <stdint.h>

/* How lines end in the working tree. */
enum conversion_eol {
    EOL_AS_IS,
    EOL_CRLF,      /* every LF becomes CRLF */
    EOL_CRLF_AUTO, /* the same, unless the file looks binary or has a CR already */
};

struct conversion {
    enum conversion_eol eol;
    bool ident;           /* $Id$ becomes $Id: BLOB $ */
    bool in_one_piece;    /* git reads the file whole, which makes a difference for $Id$ */
    const char *encoding; /* from UTF-8 to this; NULL for none. Borrowed from the attributes. */
};

/* A conversion in CONVERSION_BITS bits, all but the name of its encoding; 0 changes no byte. */
#define CONVERSION_BITS 5

uint8_t conversion_pack(const struct conversion *conversion);

/* True if the file is never smaller than its blob, and the conversion but a walk through its bytes. */
bool conversion_is_cheap(uint8_t packed);

/* The other way round. False if it has an encoding, whose name the attributes have to tell. */
bool conversion_unpack(struct conversion *out, uint8_t packed);

#endif
