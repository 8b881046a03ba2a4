/* output.h - where converted bytes go: into memory, from some size on into a spool; or nowhere, so
 * that they are only counted. Private to gitcache/checkout. */
#ifndef GITCACHE_CHECKOUT_OUTPUT_H
#define GITCACHE_CHECKOUT_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gitcache/checkout/content.h"
#include "gitcache/checkout/version_reader.h"

struct output {
    bool counts_only;
    const struct version_reader *reader; /* max_file, spool_folder and spool_above count */
    uint64_t size;                       /* bytes so far */
    char *data;                          /* malloc'd, or NULL: those that are not in the spool */
    size_t used, room;
    int fd; /* the spool, or -1 */
};

void output_init(struct output *output, const struct version_reader *reader);

/* Room for so many bytes, if it is known how many come. A failure shows when they do. */
void output_expect(struct output *output, uint64_t size);

/* -ENOMEM, -EFBIG (more than max_file), or the errno of the spool. */
int output_append(struct output *output, const char *bytes, size_t size);

/* Begins anew. */
int output_restart(struct output *output);

/* Hands the bytes out, which are the caller's then. Errors as output_append. */
int output_finish(struct output *output, struct content *out);

void output_release(struct output *output);

#endif
