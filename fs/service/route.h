/* route.h - what a request means, and what it is answered. Pure: knows no HTTP but status codes. */
#ifndef FS_SERVICE_ROUTE_H
#define FS_SERVICE_ROUTE_H

#include "fs/service/catalogue.h"

enum route {
    ROUTE_ALIVE,
    ROUTE_READY,
    ROUTE_SHA,
    ROUTE_NAMES,
    ROUTE_MANIFESTS,
    ROUTE_MANIFEST,
    ROUTE_IMAGE_NAMES,
    ROUTE_METRICS,
    ROUTE_HEALTHZ,
    ROUTE_OTHER,
};
#define ROUTE_COUNT (ROUTE_OTHER + 1)

/* The route of a path without its first slash, and its name; "other" for what is none. */
enum route route_find(const char *path);
const char *route_name(enum route route);

/* What the routes of start-points answer from. */
struct route_facts {
    struct catalogue *catalogue; /* NULL: none is loaded */
    bool has_set;                /* false: no set was named, so its routes are not there */
    const char *sha;             /* NULL: none */
};

/* An answer: `reply` borrowed from the catalogue, else `text`, which is the caller's. */
struct route_answer {
    unsigned status;
    const struct reply *reply;
    char *text;
    size_t size;
};

/* Answers any route but metrics and healthz. A body is too large where the front says so. 0 or
 * -ENOMEM. */
int route_answer(struct route_answer *out, const struct route_facts *facts, const char *path,
                 const char *body, size_t size);

/* The answer to a request that was not taken: status, class and message. 0 or -ENOMEM. */
int route_refuse(struct route_answer *out, unsigned status, const char *path, const char *body,
                 size_t size, const char *kind, const char *message);

#endif
