/* bytes.h - some bytes in memory, and how many. */
#ifndef GITCACHE_BASE_BYTES_H
#define GITCACHE_BASE_BYTES_H

#include <stddef.h>

struct bytes {
    char *data; /* malloc'd by who fills it */
    size_t size;
};

#endif
