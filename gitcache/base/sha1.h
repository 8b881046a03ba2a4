/* sha1.h - SHA-1 of bytes as they are, for the checksums that git's files and ours end with, and for
 * objects. libcrypto's, which uses the processor's own instructions. */
#ifndef GITCACHE_BASE_SHA1_H
#define GITCACHE_BASE_SHA1_H

/* The plain functions, which cannot fail, and not the EVP ones, which allocate. */
#define OPENSSL_API_COMPAT 10101
#include <openssl/sha.h>
#include <stddef.h>

#define SHA1_SIZE 20

struct sha1 {
    SHA_CTX state;
};

void sha1_begin(struct sha1 *sha1);
void sha1_add(struct sha1 *sha1, const void *bytes, size_t size);
void sha1_end(struct sha1 *sha1, unsigned char sum[SHA1_SIZE]);

/* The three in one. */
void sha1_of(const void *bytes, size_t size, unsigned char sum[SHA1_SIZE]);

#endif
