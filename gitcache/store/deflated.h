/* deflated.h - bytes that git has deflated, unpacked at one go. Private to gitcache/store.
 *
 * For what is wholly in memory: it takes half of zlib's time, which remains for what comes in pieces
 * (pack_inflater.h). */
#ifndef GITCACHE_STORE_DEFLATED_H
#define GITCACHE_STORE_DEFLATED_H

#include <stddef.h>
#include <stdint.h>

/* Inflates exactly `out_size` bytes from a zlib stream, whose own header and checksum are passed over.
 * EIO: it is damaged, or has more or fewer bytes; ENOMEM. */
int deflated_inflate(const unsigned char *bytes, size_t size, unsigned char *out, size_t out_size);

/* The CRC-32 of bytes that follow those of `crc`; 0 for the first. */
uint32_t deflated_crc(uint32_t crc, const void *bytes, size_t size);

#endif
