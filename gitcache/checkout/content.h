/* content.h - the bytes of a file as it is checked out: in memory, or in a file without a name. */
#ifndef GITCACHE_CHECKOUT_CONTENT_H
#define GITCACHE_CHECKOUT_CONTENT_H

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

struct content {
    char *data; /* malloc'd, with a NUL behind; NULL: they are in the file */
    size_t size;
    int fd; /* -1 where there is no file */
};

static inline void content_release(struct content *content)
{
    free(content->data);
    if (content->fd >= 0)
        close(content->fd);
    *content = (struct content){.fd = -1};
}

#endif
