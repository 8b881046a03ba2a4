#include "gitcache/store/last_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gitcache/base/clock.h"
#include "gitcache/base/disk.h"
#include "gitcache/base/regular.h"
#include "gitcache/store/known_pins.h"
#include "gitcache/store/pins.h"

#define PACKED_REFS "packed-refs"
#define READS_FILE  "startpointfs-reads"

int last_read_lock(const char *repository_folder, int how)
{
    char *path = disk_path(repository_folder, READS_FILE);
    struct stat st;
    int fd = path ? regular_open(path, O_RDWR | O_CREAT, &st, NULL) : -ENOMEM, r;

    if (fd == -EIO) { /* what is no plain file there is nobody's lock */
        disk_remove(path);
        fd = regular_open(path, O_RDWR | O_CREAT, &st, NULL);
    }
    free(path);
    if (fd < 0)
        return fd;
    do
        r = flock(fd, how);
    while (r < 0 && errno == EINTR);
    if (r == 0)
        return fd;
    r = -errno;
    close(fd);
    return r;
}

bool last_read_touch(const char *repository_folder, const char *ref)
{
    char *path = disk_path(repository_folder, ref);
    /* What may not be touched is there all the same. */
    bool there =
        path && (utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT);

    free(path);
    return there;
}

void last_read_of_packed(const char *repository_folder, struct timespec *out)
{
    char *path = disk_path(repository_folder, PACKED_REFS);
    struct stat st;

    *out = path && stat(path, &st) == 0 ? st.st_mtim : (struct timespec){.tv_nsec = UTIME_OMIT};
    if (out->tv_nsec != UTIME_OMIT && clock_is_ahead(out->tv_sec))
        out->tv_nsec = UTIME_NOW;
    free(path);
}

void last_read_set_packed(const char *repository_folder, const struct timespec *time)
{
    const struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, *time};
    char *path = disk_path(repository_folder, PACKED_REFS);
    /* Where it fails they were read "now": they stay longer, that is all. */
    int r = path ? utimensat(AT_FDCWD, path, times, 0) : -1;

    (void)r;
    free(path);
}

static bool time_of(const char *folder, const char *name, int64_t *out)
{
    char *path = disk_path(folder, name);
    struct stat st;
    bool known = path && stat(path, &st) == 0;

    free(path);
    if (known)
        *out = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    return known;
}

int64_t last_read_at(const char *repository_folder, const char *ref)
{
    int64_t time;

    if (time_of(repository_folder, ref, &time) || time_of(repository_folder, PACKED_REFS, &time))
        return time;
    return INT64_MAX;
}

bool last_read_lies_ahead(int64_t at)
{
    return at != INT64_MAX && clock_is_ahead(at / 1000000000);
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

/* Who cannot write in the cache takes no part (README, rule 8), and on a full disk reading goes on. Whoever
 * has no memory or descriptor at this moment may not read what gc could take away meanwhile. */
static bool takes_no_part(int r)
{
    return r != -ENOMEM && r != -EMFILE && r != -ENFILE && r != -ENOLCK;
}

/* Whether the ref is there still. */
static bool touch_ref(struct repository *repository, const char *ref)
{
    struct version version;

    if (last_read_touch(repository_folder(repository), ref))
        return true;
    known_pins_forget(repository, ref);
    if (pins_find(repository, ref, &version, NULL) < 0)
        return false;
    last_read_set_packed(repository_folder(repository), &(struct timespec){.tv_nsec = UTIME_NOW});
    return true;
}

int last_read_now(struct repository *repository, const struct version *version)
{
    struct names names = {.commit = &version->commit};
    int r = known_pins_each(repository, add_name, &names), lock = -1;
    size_t there = 0;

    if (r == 0 && !cache_is_read_only(repository_cache(repository)))
        lock = last_read_lock(repository_folder(repository), LOCK_SH);
    if (r == 0 && lock < 0 && !takes_no_part(lock))
        r = lock;
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
