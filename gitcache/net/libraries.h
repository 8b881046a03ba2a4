/* libraries.h - the versions of the libraries below this layer, as they are at run time. */
#ifndef GITCACHE_NET_LIBRARIES_H
#define GITCACHE_NET_LIBRARIES_H

#include <stddef.h>

/* "libgit2 1.5.1, libcurl 7.88.1"; returns buffer. */
const char *libraries_describe(char *buffer, size_t size);

#endif
