/* output.h - where converted bytes go: into memory, or nowhere, so that they are only counted.
 * Private to gitcache/checkout. */
#ifndef GITCACHE_CHECKOUT_OUTPUT_H
#define GITCACHE_CHECKOUT_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct output {
    bool counts_only;
    uint64_t max;  /* bytes in memory; one more is EFBIG */
    uint64_t size; /* bytes so far */
    char *data;    /* malloc'd, or NULL */
    size_t room;
};

/* Room for so many bytes, if it is known how many come. A failure shows when they do. */
void output_expect(struct output *output, uint64_t size);

/* -ENOMEM, -EFBIG. */
int output_append(struct output *output, const char *bytes, size_t size);

/* Begins anew. */
void output_restart(struct output *output);

void output_release(struct output *output);

#endif
