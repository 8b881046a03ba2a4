#include "gitcache/base/sha1.h"

#include <string.h>

static uint32_t rotate(uint32_t x, int bits)
{
    return x << bits | x >> (32 - bits);
}

/* One of the four rounds of FIPS 180-4, for twenty words. */
#define ROUND(from, f, k)                                   \
    for (int t = from; t < from + 20; t++) {                \
        uint32_t sum = rotate(a, 5) + (f) + e + (k) + w[t]; \
        e = d;                                              \
        d = c;                                              \
        c = rotate(b, 30);                                  \
        b = a;                                              \
        a = sum;                                            \
    }

static void add_block(uint32_t state[5], const unsigned char *block)
{
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], w[80];

    for (int t = 0; t < 16; t++)
        w[t] = (uint32_t)block[4 * t] << 24 | (uint32_t)block[4 * t + 1] << 16 |
               (uint32_t)block[4 * t + 2] << 8 | block[4 * t + 3];
    for (int t = 16; t < 80; t++)
        w[t] = rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    ROUND(0, (b & c) | (~b & d), 0x5a827999)
    ROUND(20, b ^ c ^ d, 0x6ed9eba1)
    ROUND(40, (b & c) | (b & d) | (c & d), 0x8f1bbcdc)
    ROUND(60, b ^ c ^ d, 0xca62c1d6)
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

void sha1_begin(struct sha1 *sha1)
{
    *sha1 = (struct sha1){
        .state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0},
    };
}

void sha1_add(struct sha1 *sha1, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    size_t used = sha1->length % sizeof sha1->block;

    sha1->length += size;
    if (used) {
        size_t room = sizeof sha1->block - used, n = size < room ? size : room;

        memcpy(sha1->block + used, at, n);
        at += n;
        size -= n;
        if (n < room)
            return;
        add_block(sha1->state, sha1->block);
    }
    for (; size >= sizeof sha1->block; at += sizeof sha1->block, size -= sizeof sha1->block)
        add_block(sha1->state, at);
    if (size)
        memcpy(sha1->block, at, size);
}

void sha1_end(struct sha1 *sha1, unsigned char sum[SHA1_SIZE])
{
    static const unsigned char padding[64] = {0x80};
    uint64_t bits = sha1->length * 8;
    size_t used = sha1->length % sizeof sha1->block;
    unsigned char length[8];

    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)(bits >> (56 - 8 * i));
    sha1_add(sha1, padding, used < 56 ? 56 - used : 120 - used);
    sha1_add(sha1, length, sizeof length);
    for (int i = 0; i < SHA1_SIZE; i++)
        sum[i] = (unsigned char)(sha1->state[i / 4] >> (24 - 8 * (i % 4)));
}

void sha1_of(const void *bytes, size_t size, unsigned char sum[SHA1_SIZE])
{
    struct sha1 sha1;

    sha1_begin(&sha1);
    sha1_add(&sha1, bytes, size);
    sha1_end(&sha1, sum);
}
