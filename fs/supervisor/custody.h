/* custody.h - who, beside the supervisor, holds the descriptors that a next one needs to go on with the mount: systemd
 * (its descriptor store), a holder (holder.h), or nobody.
 *
 * Nothing here waits but custody_find, and nothing allocates. A holder that dies is looked for again five times a second, and
 * whoever listens at its place then is given the descriptors. */
#ifndef FS_SUPERVISOR_CUSTODY_H
#define FS_SUPERVISOR_CUSTODY_H

#include <stdbool.h>

#include "fs/log.h"
#include "fs/supervisor/held.h"
#include "fs/supervisor/notify.h"
#include "gitcache/base/error.h"

#define CUSTODY_SYSTEMD "systemd" /* in place of a holder's socket */

struct custody {
    const char *holder; /* its socket, or CUSTODY_SYSTEMD; NULL: nobody's */
    const char *mountpoint;
    const struct notify *notify;
    struct log *log;
    int found[HELD_COUNT]; /* what a supervisor before us has left; owned; -1: nothing */
    const int *fds;        /* what is to be held, once it is; borrowed */
    int socket;            /* to the holder; -1: it is not there */
    bool is_held;
    bool was_missed;       /* it is in the log that nobody holds */
    int64_t look_again_at; /* clock_now(); 0: never */
};

/* All is borrowed. Takes what systemd has handed over, at once: it lies where other descriptors would.
 * custody_close in any case. */
void custody_open(struct custody *custody, const char *holder, const char *mountpoint,
                  const struct notify *notify);
/* Fills `found`. 1; 0: there is nothing for this mount point; a negative errno with a sentence. */
int custody_find(struct custody *custody, struct error *e);
/* What was found is of no use: closed, and held no more. */
void custody_discard(struct custody *custody);
void custody_close(struct custody *custody);

/* Has these held from now on: HELD_COUNT, borrowed until the end. */
void custody_give(struct custody *custody, const int *fds, struct log *log);
/* Nobody shall hold them any more: the mount has ended. */
void custody_drop(struct custody *custody);

/* When poll(2) says that `socket` has something, and when look_again_at has come. */
void custody_on_event(struct custody *custody);
void custody_look_again(struct custody *custody);

/* "systemd", a socket's path, or NULL: nobody holds it at present. */
const char *custody_holder(const struct custody *custody);

#endif
