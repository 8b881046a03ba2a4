#include "gitcache/store/use.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gitcache/base/disk.h"
#include "gitcache/store/last_read.h"
#include "gitcache/store/repository.h"

#define USERS_FOLDER "startpointfs-users"

struct use {
    char *path;
    int fd;
    int64_t since;
};

static int64_t modified_at(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

/* Between making the file and locking it, gc may take it for a dead user's: then once more. */
static int make_locked(const char *folder, char **path, struct stat *st)
{
    for (int attempt = 0; attempt < 10; attempt++) {
        int fd = asprintf(path, "%s/user-XXXXXX", folder) < 0 ? -1 : mkostemp(*path, O_CLOEXEC);

        if (fd < 0)
            break;
        if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, st) == 0 && st->st_nlink > 0)
            return fd;
        close(fd);
        free(*path);
        *path = NULL;
    }
    return -1;
}

struct use *use_begin(const char *cache_folder)
{
    char *folder = disk_path(cache_folder, USERS_FOLDER);
    struct use *use = calloc(1, sizeof *use);
    struct stat st;

    if (use && folder && disk_make_folders(folder, NULL) == 0) {
        use->fd = make_locked(folder, &use->path, &st);
        if (use->fd >= 0)
            use->since = modified_at(&st);
    }
    free(folder);
    if (use && use->since)
        return use;
    if (use)
        free(use->path);
    free(use);
    return NULL;
}

void use_end(struct use *use)
{
    if (!use)
        return;
    unlink(use->path);
    close(use->fd);
    free(use->path);
    free(use);
}

int64_t use_since(const struct use *use)
{
    return use->since;
}

/* When the file's owner began; INT64_MAX if that has died: then the file goes. */
static int64_t look_at(int folder, const char *name)
{
    int fd = openat(folder, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    int64_t since = INT64_MAX;
    struct stat st;

    if (fd < 0)
        return since;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        unlinkat(folder, name, 0);
    else if (fstat(fd, &st) == 0)
        since = modified_at(&st);
    close(fd);
    return since;
}

int64_t use_oldest_other(const struct use *use)
{
    const char *own = strrchr(use->path, '/') + 1;
    char *folder = strndup(use->path, (size_t)(own - use->path));
    DIR *users = folder ? opendir(folder) : NULL;
    int64_t oldest = INT64_MAX;
    struct dirent *entry;

    while (users && (entry = readdir(users))) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, own) == 0)
            continue;
        int64_t since = look_at(dirfd(users), entry->d_name);
        oldest = since < oldest ? since : oldest;
    }
    if (users)
        closedir(users);
    free(folder);
    return users ? oldest : 0;
}

/* The refs that name a commit. */
struct names {
    const struct oid *commit;
    char **items;
    size_t count;
};

static int add_name(void *data, const struct pin *pin)
{
    struct names *names = data;
    char **items, *name;

    if (!oid_equal(&pin->version.commit, names->commit))
        return 0;
    items = reallocarray(names->items, names->count + 1, sizeof *items);
    if (items)
        names->items = items;
    name = items ? strdup(pin->ref) : NULL;
    if (!name)
        return -ENOMEM;
    names->items[names->count++] = name;
    return 0;
}

/* Whether the ref is there still. */
static bool touch_ref(struct repository *repository, const char *ref)
{
    struct version version;

    if (last_read_touch(repository->folder, ref))
        return true;
    pins_forget(repository, ref);
    if (!pins_find(repository, ref, &version))
        return false;
    last_read_set_packed(repository->folder, &(struct timespec){.tv_nsec = UTIME_NOW});
    return true;
}

int repository_touch(struct repository *repository, const struct version *version)
{
    struct names names = {.commit = &version->commit};
    int r = pins_each(repository, add_name, &names), lock = -1;
    size_t there = 0;

    if (r == 0 && !cache_is_read_only(repository->cache))
        lock = last_read_lock(repository->folder, LOCK_SH);
    for (size_t i = 0; i < names.count && r == 0; i++)
        there += lock < 0 || touch_ref(repository, names.items[i]);
    if (lock >= 0)
        close(lock);
    for (size_t i = 0; i < names.count; i++)
        free(names.items[i]);
    free(names.items);
    if (r < 0)
        return r;
    return there ? 0 : -ENOENT;
}
