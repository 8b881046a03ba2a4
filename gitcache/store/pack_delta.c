#include "gitcache/store/pack_delta.h"

#include <string.h>

/* Seven bits a byte, the lowest first. */
static size_t read_number(const unsigned char *at, size_t size, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < size && i < 9; i++) {
        *out |= (uint64_t)(at[i] & 0x7f) << (7 * i);
        if (!(at[i] & 0x80))
            return i + 1;
    }
    return 0;
}

size_t pack_delta_sizes(const unsigned char *delta, size_t size, uint64_t *base, uint64_t *result)
{
    size_t first = read_number(delta, size, base);
    size_t second = first ? read_number(delta + first, size - first, result) : 0;

    return second ? first + second : 0;
}

/* The bytes of a number of which `bits` says which are there; the others are 0. */
static const unsigned char *read_sparse(const unsigned char *at, const unsigned char *end,
                                        unsigned bits, size_t *out)
{
    *out = 0;
    for (int shift = 0; bits; bits >>= 1, shift += 8)
        if (bits & 1) {
            if (at == end)
                return NULL;
            *out |= (size_t)*at++ << shift;
        }
    return at;
}

bool pack_delta_apply(const unsigned char *delta, size_t size, const unsigned char *base,
                      size_t base_size, unsigned char *out, size_t out_size)
{
    const unsigned char *at = delta, *end = delta + size, *from;
    size_t offset, length;

    while (at < end) {
        unsigned op = *at++;

        if (op & 0x80) { /* a piece of the base */
            at = read_sparse(at, end, op & 0xf, &offset);
            at = at ? read_sparse(at, end, op >> 4 & 7, &length) : NULL;
            if (!at)
                return false;
            length = length ? length : 0x10000;
            if (offset > base_size || length > base_size - offset)
                return false;
            from = base + offset;
        } else { /* bytes of its own */
            length = op;
            if (!length || length > (size_t)(end - at))
                return false;
            from = at;
            at += length;
        }
        if (length > out_size)
            return false;
        memcpy(out, from, length);
        out += length;
        out_size -= length;
    }
    return out_size == 0;
}
