#include "gitcache/store/odb.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "gitcache/base/disk.h"
#include "gitcache/store/checked_odb.h"
#include "gitcache/store/repository_state.h"

/* Whether it is open; then it is locked shared. */
static bool get_open(git_odb **out, struct repository *repository)
{
    pthread_rwlock_rdlock(&repository->odb_lock);
    *out = repository->odb;
    if (!*out)
        pthread_rwlock_unlock(&repository->odb_lock);
    return *out != NULL;
}

static int open_odb(struct repository *repository, struct error *e)
{
    char *objects = disk_path(repository->folder, "objects");
    int r = 0;

    if (!objects)
        return error_no_memory(e);
    pthread_rwlock_wrlock(&repository->odb_lock);
    if (!repository->odb && access(objects, X_OK) < 0)
        r = errno == ENOMEM ? error_no_memory(e)
                            : error_set(e, EIO, "%s is no longer there; fetch the version again",
                                        repository->folder);
    else if (!repository->odb)
        r = checked_odb_open(&repository->odb, repository->cache, objects, e);
    if (r < 0)
        repository->odb = NULL;
    pthread_rwlock_unlock(&repository->odb_lock);
    free(objects);
    return r;
}

int odb_get(git_odb **out, struct repository *repository, struct error *e)
{
    /* Another thread may close it again in between, but not for ever. */
    while (!get_open(out, repository)) {
        int r = open_odb(repository, e);
        if (r < 0)
            return r;
    }
    return 0;
}

void odb_put(struct repository *repository)
{
    pthread_rwlock_unlock(&repository->odb_lock);
}

void odb_reopen(struct repository *repository)
{
    pthread_rwlock_wrlock(&repository->odb_lock);
    git_odb_free(repository->odb);
    repository->odb = NULL;
    pthread_rwlock_unlock(&repository->odb_lock);
}
