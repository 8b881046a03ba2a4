/* repository_state.h - what a struct repository is made of. Private to gitcache/store/.
 *
 * Its three locks are never held while another is taken, nor while anything waits for a network:
 * `lock` and `record_lock` for microseconds (milliseconds when the record is read), `odb_lock` shared while one object is read. */
#ifndef GITCACHE_STORE_REPOSITORY_STATE_H
#define GITCACHE_STORE_REPOSITORY_STATE_H

#include <git2.h>
#include <pthread.h>
#include <stdatomic.h>

#include "gitcache/base/regular.h"
#include "gitcache/store/pin_record.h"
#include "gitcache/store/pins.h"
#include "gitcache/store/repository.h"

struct shared_listing {
    struct listing listing; /* first, so that a pointer to it is one to this */
    atomic_uint users;
};

struct repository {
    struct cache *cache;
    char *url;
    char *shown; /* url without credentials, for sentences */
    char *folder;

    pthread_rwlock_t lock; /* protects what follows */
    struct pin *pins;      /* sorted by ref; what this process has seen of the refs on disk */
    size_t pin_count, pin_room;
    uint64_t pin_scans; /* how often all refs on disk were looked through */
    bool pins_are_all;  /* one such look came to its end */
    struct shared_listing *listing;
    char **branches; /* that listings shall include */
    size_t branch_count;

    pthread_mutex_t record_lock; /* protects what follows */
    struct pin_record record;    /* as it was read when its file was this: */
    struct regular_stamp record_stamp;
    bool mend_tried; /* by this process, without waiting for the lock */

    atomic_bool listing_known; /* false: it has not been read from the cache yet; set with `lock` */
    atomic_int listing_fault;  /* why not, when it was tried last */
    atomic_bool listing_unkept; /* the last one could not be written */
    atomic_bool mend_wanted;    /* a pin was found in the record alone */

    pthread_rwlock_t odb_lock; /* protects the pointer; the odb itself is for all threads */
    git_odb *odb;              /* NULL until the folder is there */
};

/* The file whose lock the one process holds that writes the repository. */
#define LOCK_FILE "startpointfs-lock"

/* Opens what lies in a folder of the cache, whatever its URL was; repository_url is then the
 * folder. */
int repository_open_folder(struct repository **out, struct cache *cache, const char *folder,
                           struct error *e);

#endif
