/* folder.h - reading a folder: where it ends, and where it only cannot be read any further. */
#ifndef GITCACHE_BASE_FOLDER_H
#define GITCACHE_BASE_FOLDER_H

#include <dirent.h>
#include <errno.h>
#include <stddef.h>

/* The next name, borrowed until the next call. NULL at the end, with *end 0; or with a negative errno: who
 * took that for the end would think that what comes behind is not there. */
static inline struct dirent *folder_next(DIR *stream, int *end)
{
    struct dirent *entry;

    errno = 0;
    entry = readdir(stream);
    *end = entry ? 0 : -errno;
    return entry;
}

#endif
