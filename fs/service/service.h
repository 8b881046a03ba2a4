/* service.h - the start-point service: answers over HTTP what cyber-dojo's other services ask about
 * a set of start-points, and Prometheus and Kubernetes about this program and a mount. */
#ifndef FS_SERVICE_SERVICE_H
#define FS_SERVICE_SERVICE_H

#include "fs/service/load.h"
#include "fs/service/mount_probe.h"

struct service_options {
    struct load_origin origin; /* none: only the mount's health and numbers */
    const char *host, *port;
    const char *sha;            /* may be NULL */
    mount_probe_ask *ask_mount; /* NULL: no mount */
    void *mount;
};

/* Serves until SIGTERM or SIGINT; SIGHUP loads again. Logs on stderr. 0; or a negative errno if it
 * could not begin. Where a thread hangs in a mount that does not answer, it ends the process. */
int service_run(const struct service_options *options, struct error *e);

/* The version of libmicrohttpd. */
const char *service_library(void);

#endif
