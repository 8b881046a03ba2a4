/* sha1.h - SHA-1 of bytes as they are, for the checksums that git's files and ours end with. */
#ifndef GITCACHE_BASE_SHA1_H
#define GITCACHE_BASE_SHA1_H

#include <stddef.h>
#include <stdint.h>

#define SHA1_SIZE 20

struct sha1 {
    uint32_t state[5];
    uint64_t length; /* bytes so far */
    unsigned char block[64];
};

void sha1_begin(struct sha1 *sha1);
void sha1_add(struct sha1 *sha1, const void *bytes, size_t size);
void sha1_end(struct sha1 *sha1, unsigned char sum[SHA1_SIZE]);

/* The three in one. */
void sha1_of(const void *bytes, size_t size, unsigned char sum[SHA1_SIZE]);

#endif
