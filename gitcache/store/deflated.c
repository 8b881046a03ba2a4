#include "gitcache/store/deflated.h"

#include <errno.h>
#include <libdeflate.h>

#define ZLIB_HEADER 2

int deflated_inflate(const unsigned char *bytes, size_t size, unsigned char *out, size_t out_size)
{
    struct libdeflate_decompressor *decompressor;
    enum libdeflate_result result;

    if (size < ZLIB_HEADER)
        return -EIO;
    decompressor = libdeflate_alloc_decompressor();
    if (!decompressor)
        return -ENOMEM;
    /* With nowhere to put the number of bytes, fewer are a failure, too. */
    result = libdeflate_deflate_decompress(decompressor, bytes + ZLIB_HEADER, size - ZLIB_HEADER,
                                           out, out_size, NULL);
    libdeflate_free_decompressor(decompressor);
    return result == LIBDEFLATE_SUCCESS ? 0 : -EIO;
}

uint32_t deflated_crc(uint32_t crc, const void *bytes, size_t size)
{
    return libdeflate_crc32(crc, bytes, size);
}
