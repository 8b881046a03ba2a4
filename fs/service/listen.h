/* listen.h - the socket that the service listens on. */
#ifndef FS_SERVICE_LISTEN_H
#define FS_SERVICE_LISTEN_H

#include "gitcache/base/error.h"

#define LISTEN_SHOWN_SIZE 128

/* Listens on a host (a name, an IPv4 or IPv6 address) and port ("0": any that is free). Returns the
 * socket, or a negative errno; `shown` is then "127.0.0.1:4524", "[::1]:4524". */
int listen_open(const char *host, const char *port, char shown[LISTEN_SHOWN_SIZE], struct error *e);

#endif
