#include "gitcache/base/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

int spool_open(const char *folder, struct error *e)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    int errnum = errno;

    return fd >= 0 ? fd
                   : error_set(e, errnum, "cannot make a temporary file in %s: %s", folder,
                               strerror(errnum));
}

int spool_reserve(int fd, uint64_t size, const char *folder, struct error *e)
{
    /* What a file system cannot do for us is seen when the bytes are written. */
    if (size == 0 || fallocate(fd, 0, 0, (off_t)size) == 0 || errno != ENOSPC)
        return 0;
    return error_set(e, ENOSPC, "there is no room in %s for a file of %llu bytes", folder,
                     (unsigned long long)size);
}
