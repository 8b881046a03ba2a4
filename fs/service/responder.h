/* responder.h - answers an HTTP request that is there, whole. */
#ifndef FS_SERVICE_RESPONDER_H
#define FS_SERVICE_RESPONDER_H

#include <microhttpd.h>

#include "fs/log.h"
#include "fs/service/exchange.h"

/* From what it answers; all borrowed. */
struct responder {
    struct shelf *shelf;
    bool has_set;
    const char *sha;           /* may be NULL */
    struct mount_probe *probe; /* NULL: no mount is asked */
    struct clients *clients;
    struct figures *figures;
    struct log *log;
};

/* A header of the request, borrowed; NULL if it has none of that name. */
const char *responder_header(struct MHD_Connection *connection, const char *name);

/* Queues the answer; or suspends the connection until the mount has said how it is, and is to be
 * called again then. MHD_NO: the connection cannot be served any more. */
enum MHD_Result responder_answer(struct responder *responder, struct MHD_Connection *connection,
                                 struct exchange *exchange, const char *method);

/* Queues 413. */
enum MHD_Result responder_refuse_body(struct responder *responder,
                                      struct MHD_Connection *connection, struct exchange *exchange);

#endif
