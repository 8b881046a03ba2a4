/* reload.h - a thread that loads the start-points, and loads them again when their list, set or
 * folder changes, or when it is told to. What cannot be loaded leaves the shelf as it was, and is
 * tried again, after 1 s at first and 60 s at most. Remotes are asked what their branches are now when
 * the start-points of the cache are served already. */
#ifndef FS_SERVICE_RELOAD_H
#define FS_SERVICE_RELOAD_H

#include <stdbool.h>

#include "fs/log.h"
#include "fs/service/load.h"
#include "fs/service/shelf.h"

struct reload;

struct reload_options {
    struct load_origin origin; /* borrowed, as the rest */
    struct shelf *shelf;
    struct log *log;
    /* SIGINT or SIGTERM has reached the thread instead of the program. */
    void (*interrupted)(void *data);
    void *data;
};

/* Starts it. 0 or a negative errno. */
int reload_open(struct reload **out, const struct reload_options *options, struct error *e);
/* Ends it. A fetch that is under way is ended by SIGTERM, which must have a handler. False: the
 * thread hangs, in a mount that does not answer; it is left behind with all that it uses, as the
 * program is ending. */
bool reload_close(struct reload *reload);

/* Loads soon. Safe in a signal handler. */
void reload_now(struct reload *reload);

#endif
