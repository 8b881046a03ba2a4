/* load.h - reads the start-points that `serve` was given, and makes their answers.
 *
 * An operand is a folder laid out as /app/repos (a mount's set, an image's files), a list, or a
 * set's name. A folder stands alone; several lists and sets are one, in their order. */
#ifndef FS_SERVICE_LOAD_H
#define FS_SERVICE_LOAD_H

#include "fs/service/catalogue.h"
#include "fs/settings.h"

struct load_origin {
    const struct settings *settings;
    char *const *operands;
    size_t count; /* 0: no start-points */
};

/* What a load found besides. */
struct load_notes {
    bool has_branches; /* some start-points may be elsewhere at their remotes by now */
};

/* The folder that the origin is, borrowed; NULL: it is lists and sets. */
const char *load_folder(const struct load_origin *origin);

/* Reads the lists and sets alone, and fetches nothing: what is wrong with an operand shows. */
int load_check(const struct load_origin *origin, struct error *e);

/* Reads everything; versions that the cache lacks are fetched, and with `newest` branches are what
 * they are at their remotes now. Errors name the source and the file: one start-point that cannot
 * be served fails all. -EINTR after SIGINT or SIGTERM. The caller is the one user of *out. */
int load_run(struct catalogue **out, struct load_notes *notes, const struct load_origin *origin,
             bool newest, struct error *e);

#endif
