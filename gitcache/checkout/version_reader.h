/* version_reader.h - what tree.h and blob.h have to know about the version that they read from. */
#ifndef GITCACHE_CHECKOUT_VERSION_READER_H
#define GITCACHE_CHECKOUT_VERSION_READER_H

#include <stdint.h>

#include "gitcache/base/oid.h"
#include "gitcache/base/watch.h"
#include "gitcache/checkout/checkout_cache.h"
#include "gitcache/store/repository.h"

/* All is borrowed. Any number of threads may read one repository at once, each with its own. */
struct version_reader {
    struct repository *repository;
    const struct oid *commit;
    struct checkout_cache *cache;
    /* `cancelled` is asked every few milliseconds of work; then the call ends with ECANCELED. May be
     * NULL. */
    const struct watch *watch;
    uint64_t max_file; /* bytes; what a larger file holds is not asked for */
    /* Not 0: a folder is read only if its tree has no more bytes, and no .gitattributes says anything of it; else
     * E2BIG. */
    uint64_t max_tree;
    /* Files of more bytes are read into spools (spool.h) in this folder; NULL: into memory. */
    const char *spool_folder;
    uint64_t spool_above; /* SPOOL_ABOVE, but for tests */
};

#endif
