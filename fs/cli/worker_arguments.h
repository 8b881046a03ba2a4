/* worker_arguments.h - how what `mount` was called with comes to the mount's workers: through a
 * descriptor, since it may hold passwords, and everybody can read a command line. */
#ifndef FS_CLI_WORKER_ARGUMENTS_H
#define FS_CLI_WORKER_ARGUMENTS_H

#include "fs/cli/verb.h"

/* Writes what a worker needs: the settings, with absolute paths; the folder that we are in; the
 * sources. Returns a descriptor, owned, out of the way of those that a worker inherits; or a
 * negative errno. */
int worker_arguments_write(const struct arguments *arguments, struct error *e);

struct worker_arguments {
    struct arguments arguments; /* the first operand is that folder */
    char *bytes;
    char **argv;
};

/* Reads and parses them, as for that verb. 0 or a negative errno; in any case,
 * worker_arguments_release. The descriptor stays open. */
int worker_arguments_read(struct worker_arguments *out, int fd, const struct verb *verb,
                          struct error *e);
void worker_arguments_release(struct worker_arguments *arguments);

#endif
