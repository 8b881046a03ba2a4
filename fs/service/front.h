/* front.h - the HTTP side of the service, over libmicrohttpd: takes requests, bounded in every way,
 * and answers them from what the shelf holds.
 *
 * A few threads serve all connections, by epoll; no request waits for another, nor for a load. A
 * body is FRONT_BODY_MOST bytes at most (413), headers fit into a connection's memory (431), and
 * connections have deadlines (clients.h). Which answers are compressed was decided when they were
 * made. */
#ifndef FS_SERVICE_FRONT_H
#define FS_SERVICE_FRONT_H

#include "fs/log.h"
#include "fs/service/figures.h"
#include "fs/service/mount_probe.h"

#define FRONT_BODY_MOST   65536
#define FRONT_CONNECTIONS 2048 /* at most; fewer where the limit of open files says so */
#define FRONT_MEMORY_MOST 8192 /* bytes of a connection: its headers, and those of the answer */

struct front;

struct front_options {
    int listener;        /* a listening socket; taken over */
    struct shelf *shelf; /* borrowed, as the rest */
    bool has_set;
    const char *sha; /* may be NULL */
    /* The mount whose health and numbers are shown; NULL: none. */
    mount_probe_ask *ask_mount;
    void *mount;
    struct log *log;
};

/* Begins to serve. 0 or a negative errno. */
int front_open(struct front **out, const struct front_options *options, struct error *e);
/* Takes no more connections, ends when the requests in hand are answered, within some seconds.
 * False: as of mount_probe_close. */
bool front_close(struct front *front);

/* Ends what is over. To be called a few times a second. */
void front_tick(struct front *front);

/* The version of libmicrohttpd. */
const char *front_library(void);

#endif
