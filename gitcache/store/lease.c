#include "gitcache/store/lease.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gitcache/base/clock.h"
#include "gitcache/base/disk.h"
#include "gitcache/base/folder.h"
#include "gitcache/base/starts_with.h"

#define USERS_FOLDER "startpointfs-users"
#define BRINGS_NAME  "mount-" /* how the files of LEASE_BRINGS begin */
/* Nanoseconds; and who began just after us is no such case. */
#define LEASES_DIFFER (CLOCKS_DIFFER * INT64_C(1000000000))

struct lease {
    char *path;
    int fd;
    int64_t since;
};

static int64_t modified_at(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

/* Between making the file and locking it, gc may take it for a dead user's: then once more. */
static int make_locked(const char *folder, enum lease_kind kind, char **path, struct stat *st)
{
    const char *name = kind == LEASE_BRINGS ? BRINGS_NAME : "user-";

    for (int attempt = 0; attempt < 10; attempt++) {
        int fd = asprintf(path, "%s/%sXXXXXX", folder, name) < 0 ? -1 : mkostemp(*path, O_CLOEXEC);

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

/* Whatever else stands in its place goes. */
static bool make_users_folder(const char *folder)
{
    struct stat st;

    if (lstat(folder, &st) == 0 && !S_ISDIR(st.st_mode))
        unlink(folder);
    return disk_make_folders(folder, NULL) == 0;
}

struct lease *lease_begin(const char *cache_folder, enum lease_kind kind)
{
    char *folder = disk_path(cache_folder, USERS_FOLDER);
    struct lease *lease = calloc(1, sizeof *lease);
    struct stat st;

    if (lease && folder && disk_make_private_folder(cache_folder, NULL) == 0 &&
        make_users_folder(folder)) {
        lease->fd = make_locked(folder, kind, &lease->path, &st);
        if (lease->fd >= 0)
            lease->since = modified_at(&st);
    }
    free(folder);
    if (lease && lease->since)
        return lease;
    if (lease)
        free(lease->path);
    free(lease);
    return NULL;
}

void lease_end(struct lease *lease)
{
    if (!lease)
        return;
    unlink(lease->path);
    close(lease->fd);
    free(lease->path);
    free(lease);
}

int64_t lease_since(const struct lease *lease)
{
    return lease->since;
}

/* When the file's owner began; INT64_MAX if that has died: then the file goes. 0, as if there were one
 * since ever, where that cannot be found out. */
static int64_t look_at(int folder, const char *name)
{
    int64_t since = INT64_MAX;
    struct stat st;

    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? INT64_MAX : 0;
    if (!S_ISREG(st.st_mode))
        return INT64_MAX;
    int fd = openat(folder, name, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? INT64_MAX : 0;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        unlinkat(folder, name, 0);
    else
        since = fstat(fd, &st) == 0 ? modified_at(&st) : 0;
    close(fd);
    return since;
}

int lease_oldest_other(const struct lease *lease, bool of_all, int64_t *out)
{
    const char *own = strrchr(lease->path, '/') + 1;
    char *folder = strndup(lease->path, (size_t)(own - lease->path));
    DIR *users = folder ? opendir(folder) : NULL;
    int end = users ? 0 : folder ? -errno : -ENOMEM;
    int64_t oldest = INT64_MAX;
    struct dirent *entry;

    while (users && (entry = folder_next(users, &end))) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, own) == 0)
            continue;
        int64_t since = look_at(dirfd(users), entry->d_name);
        if (!of_all && starts_with(entry->d_name, BRINGS_NAME))
            continue;
        /* It began when a clock was wrong, or that is wrong now: then all may be in use. */
        if (since != INT64_MAX && since > lease->since + LEASES_DIFFER)
            since = 0;
        oldest = since < oldest ? since : oldest;
    }
    if (users)
        closedir(users);
    free(folder);
    *out = oldest;
    return end;
}
