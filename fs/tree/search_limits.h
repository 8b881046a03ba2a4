/* search_limits.h - how far and how often a repository's history is searched, and what is missing there.
 *
 * What anybody can make up has one set of limits; what a source names, or search=always lets through, has
 * another with more room. Neither uses up the other's. */
#ifndef FS_TREE_SEARCH_LIMITS_H
#define FS_TREE_SEARCH_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gitcache/base/oid.h"

#define SEARCH_MISSES 256 /* what is remembered; then the oldest is forgotten */

enum search_whose { SEARCH_ANYBODYS, SEARCH_NAMED, SEARCH_WHOSE };

/* Guarded by the repository's lock. */
struct search_limits {
    enum search_whose whose;
    char missed[SEARCH_MISSES][OID_HEX_SIZE];
    size_t next_miss;
    unsigned left; /* searches in a row */
    int64_t refilled_at;
};

void search_limits_init(struct search_limits *limits, enum search_whose whose);

/* Bytes of history that a search may receive in a pack. */
uint64_t search_limits_bytes(enum search_whose whose);

/* Takes one of a bounded number of searches; false: there are too many now. */
bool search_limits_take(struct search_limits *limits);

/* Commits that were looked for in vain, until the listing changes. */
bool search_limits_is_missed(const struct search_limits *limits, const char *digits);
void search_limits_remember(struct search_limits *limits, const char *digits);
void search_limits_forget(struct search_limits *limits);

#endif
