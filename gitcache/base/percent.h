/* percent.h - decodes the %-escapes of URLs. Pure. */
#ifndef GITCACHE_BASE_PERCENT_H
#define GITCACHE_BASE_PERCENT_H

#include <stdbool.h>
#include <stddef.h>

/* Writes what text[0..length) means to out, which has room for length + 1 bytes and may be text
 * itself. A broken escape, and %00 (which no string can hold), stay as they are; then it returns
 * false. */
bool percent_decode(char *out, const char *text, size_t length);

#endif
