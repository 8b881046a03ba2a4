/* known_pins.h - what this process has seen of a repository's pins, in memory. Private to
 * gitcache/store/.
 *
 * Each function takes the repository's `lock` for itself. */
#ifndef GITCACHE_STORE_KNOWN_PINS_H
#define GITCACHE_STORE_KNOWN_PINS_H

#include <stdbool.h>

#include "gitcache/store/versions.h"

struct pin {
    char *ref;         /* full name; first: the array is searched by it */
    struct oid target; /* what the ref holds: a tag object or a commit */
    struct version version;
    uint64_t seen; /* the scan that saw it last */
};

/* Adds a pin, or changes the one of that ref. 0 or -ENOMEM. */
int known_pins_add(struct repository *repository, const char *ref, const struct oid *target,
                   const struct version *version);
/* False if the ref has not been seen. */
bool known_pins_find(struct repository *repository, const char *ref, struct oid *target,
                     struct version *out);
/* Calls visit for each pin until one returns non-zero, which is then returned. Holds `lock` shared. */
int known_pins_each(struct repository *repository, int (*visit)(void *data, const struct pin *pin),
                    void *data);
/* Forgets what is known of a ref. */
void known_pins_forget(struct repository *repository, const char *ref);

/* A scan sees each ref that is there, and then forgets those that it has not seen, unless they were added meanwhile: gc
 * has taken them. */
uint64_t known_pins_scan(struct repository *repository);
/* False if it was not known. */
bool known_pins_see(struct repository *repository, const char *ref, uint64_t scan);
void known_pins_forget_unseen(struct repository *repository, uint64_t scan);
/* Whether a scan has come to its end: until then there may be pins on disk that are not known. */
bool known_pins_are_all(struct repository *repository);
void known_pins_release(struct repository *repository);

#endif
