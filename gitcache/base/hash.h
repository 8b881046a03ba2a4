/* hash.h - the 64-bit FNV-1a hash, for tables and for noticing accidents; no defence against people
 * who choose the bytes. Pure. */
#ifndef GITCACHE_BASE_HASH_H
#define GITCACHE_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_BEGIN 14695981039346656037ull

/* What `hash` becomes when these bytes follow; begin with HASH_BEGIN. */
uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size);
/* The same for a string and its NUL; NULL counts as an empty string. */
uint64_t hash_string(uint64_t hash, const char *text);

#endif
