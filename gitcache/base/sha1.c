#include "gitcache/base/sha1.h"

#include <string.h>

void sha1_begin(struct sha1 *sha1)
{
    SHA1_Init(&sha1->state);
}

void sha1_add(struct sha1 *sha1, const void *bytes, size_t size)
{
    SHA1_Update(&sha1->state, bytes, size);
}

void sha1_end(struct sha1 *sha1, unsigned char sum[SHA1_SIZE])
{
    SHA1_Final(sum, &sha1->state);
}

void sha1_of(const void *bytes, size_t size, unsigned char sum[SHA1_SIZE])
{
    struct sha1 sha1;

    sha1_begin(&sha1);
    sha1_add(&sha1, bytes, size);
    sha1_end(&sha1, sum);
}
