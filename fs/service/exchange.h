/* exchange.h - one request and its answer. */
#ifndef FS_SERVICE_EXCHANGE_H
#define FS_SERVICE_EXCHANGE_H

#include "fs/service/figures.h"
#include "fs/service/mount_probe.h"

struct exchange {
    char *path; /* as it was sent: not decoded, without its first slash and its query */
    enum route route;
    char *body;
    size_t size, dropped; /* bytes kept, and those that were too many */
    bool has_begun, is_too_large, has_probed;
    unsigned status;  /* of the answer; 0: none yet */
    int64_t begun_at; /* nanoseconds */
    struct client *client;
    struct mount_probe_waiter waiter;
};

/* `target` is that of the request line. NULL: out of memory. */
struct exchange *exchange_new(const char *target);
void exchange_free(struct exchange *exchange);

/* Takes a piece of the body; what is more than `most` bytes is not kept. 0, -ENOMEM, or -EFBIG: so
 * much of it came that it is not worth waiting for the end. */
int exchange_feed(struct exchange *exchange, const char *bytes, size_t size, size_t most);

/* Nanoseconds since it was made. */
int64_t exchange_age(const struct exchange *exchange);

#endif
