#include "fs/sets/folder_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gitcache/base/disk.h"

#define DEPTH_MAX 200 /* each level keeps a descriptor open */

struct folder_files {
    int fd;
    size_t entries; /* folders too */
    struct error error;
};

struct folder_walk {
    struct folder_files *files;
    start_point_visit *visit;
    void *visitor;
    char path[PATH_LENGTH];
};

static bool has(const char *folder, const char *name)
{
    char path[PATH_MAX];

    return snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path &&
           access(path, F_OK) == 0;
}

bool folder_files_is_plain(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode) || has(path, ".git"))
        return false;
    return !(has(path, "HEAD") && has(path, "objects") && has(path, "refs"));
}

bool folder_files_is_worktree(const char *path)
{
    return has(path, ".git");
}

int folder_files_new(struct folder_files **out, const char *path, struct error *e)
{
    struct folder_files *files = calloc(1, sizeof *files);

    if (!files)
        return error_no_memory(e);
    files->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (files->fd < 0) {
        free(files);
        return error_set(e, errno, "cannot read the folder %s: %s", path, strerror(errno));
    }
    *out = files;
    return 0;
}

void folder_files_free(struct folder_files *files)
{
    if (!files)
        return;
    close(files->fd);
    free(files);
}

static int failed(struct folder_files *files, const char *path)
{
    return error_set(&files->error, errno, "cannot read %s: %s", *path ? path : "the folder",
                     strerror(errno));
}

static int walk_folder(struct folder_walk *walk, int fd, size_t length, int depth);

/* Takes one name of the folder at walk->path, which is open as fd. */
static int walk_name(struct folder_walk *walk, int fd, const char *name, size_t length, int depth)
{
    size_t start = length ? length + 1 : 0, name_length = strlen(name);
    struct stat st;
    int r = 0;

    if (++walk->files->entries > PATHS_MAX)
        return error_set(&walk->files->error, E2BIG, "has more than %d files and folders",
                         PATHS_MAX);
    if (start + name_length >= sizeof walk->path)
        return 0;
    if (length)
        walk->path[length] = '/';
    memcpy(walk->path + start, name, name_length + 1);
    if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        r = errno == ENOENT ? 0 : failed(walk->files, walk->path);
    } else if (S_ISDIR(st.st_mode)) {
        int below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (below < 0)
            r = errno == ENOENT ? 0 : failed(walk->files, walk->path);
        else if (depth == DEPTH_MAX)
            r = error_set(&walk->files->error, ELOOP,
                          "has folders nested more than %d deep: %.60s...", DEPTH_MAX, walk->path);
        else
            r = walk_folder(walk, below, start + name_length, depth + 1);
        if (below >= 0)
            close(below);
    } else if (S_ISREG(st.st_mode) || S_ISLNK(st.st_mode)) {
        r = walk->visit(walk->visitor, walk->path, S_ISLNK(st.st_mode) ? PATH_SYMLINK : PATH_FILE,
                        (uint64_t)st.st_size);
    }
    walk->path[length] = '\0';
    return r;
}

static int walk_folder(struct folder_walk *walk, int fd, size_t length, int depth)
{
    int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* closedir closes it */
    DIR *dir = own < 0 ? NULL : fdopendir(own);
    struct dirent *entry;
    int r = 0;

    if (!dir) {
        r = failed(walk->files, walk->path);
        if (own >= 0)
            close(own);
        return r;
    }
    while (r == 0 && (errno = 0, entry = readdir(dir))) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") && strcmp(name, "..") && strcmp(name, ".git"))
            r = walk_name(walk, fd, name, length, depth);
    }
    if (r == 0 && errno)
        r = failed(walk->files, walk->path);
    closedir(dir);
    return r;
}

static int folder_walk(void *data, start_point_visit *visit, void *visitor)
{
    struct folder_files *files = data;
    struct folder_walk walk = {.files = files, .visit = visit, .visitor = visitor};

    files->entries = 0;
    return walk_folder(&walk, files->fd, 0, 0);
}

/* Opens the folder that a path's last part lies in; *last is that part. */
static int open_parent(const struct folder_files *files, const char *path, const char **last)
{
    int fd = fcntl(files->fd, F_DUPFD_CLOEXEC, 0);
    const char *slash;
    char part[NAME_MAX + 1];

    for (; fd >= 0 && (slash = strchr(path, '/')); path = slash + 1) {
        size_t length = (size_t)(slash - path);
        int below = -1;
        errno = ENAMETOOLONG;
        if (length < sizeof part) {
            memcpy(part, path, length);
            part[length] = '\0';
            below = openat(fd, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        }
        int why = errno;
        close(fd);
        errno = why;
        fd = below;
    }
    *last = path;
    return fd < 0 ? -errno : fd;
}

static int read_target(int fd, const char *name, void **bytes, size_t *size)
{
    char target[PATH_LENGTH];
    ssize_t length = readlinkat(fd, name, target, sizeof target);

    if (length < 0)
        return -errno;
    *bytes = malloc((size_t)length + 1);
    if (!*bytes)
        return -ENOMEM;
    memcpy(*bytes, target, (size_t)length);
    *size = (size_t)length;
    return 0;
}

static int read_file(int parent, const char *name, uint64_t max, void **bytes, size_t *size)
{
    /* O_NONBLOCK: a pipe that took the file's place since the walk must not make us wait. */
    int fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;

    if (fd < 0)
        return -errno;
    int r = fstat(fd, &st) < 0    ? -errno
            : S_ISREG(st.st_mode) ? disk_read_all(fd, max, (char **)bytes, size)
                                  : -EINVAL;
    close(fd);
    return r;
}

static int folder_read(void *data, const char *path, uint64_t max, void **bytes, size_t *size)
{
    struct folder_files *files = data;
    const char *last;
    int parent = open_parent(files, path, &last), r = parent;

    if (parent >= 0) {
        r = read_target(parent, last, bytes, size);
        if (r == -EINVAL) /* no symlink */
            r = read_file(parent, last, max, bytes, size);
        close(parent);
    }
    if (r < 0)
        error_set(&files->error, -r, "cannot read %s: %s", path, strerror(-r));
    return r;
}

struct start_point_files folder_files_callbacks(struct folder_files *files)
{
    return (struct start_point_files){folder_walk, folder_read, files};
}

const struct error *folder_files_error(const struct folder_files *files)
{
    return &files->error;
}
