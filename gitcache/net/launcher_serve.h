/* launcher_serve.h - the launcher's own process. Private to gitcache/net/. */
#ifndef GITCACHE_NET_LAUNCHER_SERVE_H
#define GITCACHE_NET_LAUNCHER_SERVE_H

#include "gitcache/base/error.h"

/* Closes all descriptors that it has inherited but for the socket, which may move, and leaves the
 * terminal. 0 or a negative errno. */
int launcher_serve_settle(int *socket, struct error *e);

/* Answers until the other end is closed, and ends what was started then. */
void launcher_serve(int socket);

#endif
