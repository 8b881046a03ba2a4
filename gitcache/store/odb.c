#include "gitcache/store/odb.h"

#include <stdlib.h>
#include <unistd.h>

#include "gitcache/base/disk.h"
#include "gitcache/store/checked_odb.h"
#include "gitcache/store/repository_state.h"

git_odb *odb_get(struct repository *repository)
{
    char *objects;

    pthread_rwlock_rdlock(&repository->odb_lock);
    if (repository->odb)
        return repository->odb;
    pthread_rwlock_unlock(&repository->odb_lock);
    objects = disk_path(repository->folder, "objects");
    pthread_rwlock_wrlock(&repository->odb_lock);
    if (objects && !repository->odb && access(objects, X_OK) == 0 &&
        checked_odb_open(&repository->odb, repository->cache, objects, NULL))
        repository->odb = NULL;
    pthread_rwlock_unlock(&repository->odb_lock);
    free(objects);
    pthread_rwlock_rdlock(&repository->odb_lock);
    if (repository->odb)
        return repository->odb;
    pthread_rwlock_unlock(&repository->odb_lock);
    return NULL;
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
