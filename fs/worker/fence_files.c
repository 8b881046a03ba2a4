#include "fs/worker/fence_files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Newer than some headers. */
#define TRUNCATE       (UINT64_C(1) << 14)
#define SCOPE_ABSTRACT (UINT64_C(1) << 0)
#define SCOPE_SIGNAL   (UINT64_C(1) << 1)

#define READ_ACCESS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FILE_ACCESS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | TRUNCATE)
/* All but running programs and making devices. */
#define WRITE_ACCESS                                                                              \
    (READ_ACCESS | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | \
     LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SOCK |  \
     LANDLOCK_ACCESS_FS_REFER | TRUNCATE)
#define ALL_ACCESS                                                              \
    (WRITE_ACCESS | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | \
     LANDLOCK_ACCESS_FS_MAKE_BLOCK)

#define LEAST_VERSION    2 /* the first can rename nothing into another folder */
#define TRUNCATE_VERSION 3
#define SCOPED_VERSION   6

/* The kernel's struct landlock_ruleset_attr, whole. */
struct fence_ruleset {
    uint64_t files, network, scoped;
};

struct fence_entry {
    char *path;
    enum fence_files_access access;
    bool is_aside; /* the folder of one: only for what may come there */
    bool is_there, is_folder;
    dev_t device;
    ino_t inode;
};

struct fence_files {
    struct fence_entry *entries;
    size_t count;
};

struct fence_files *fence_files_new(void)
{
    return calloc(1, sizeof(struct fence_files));
}

void fence_files_free(struct fence_files *files)
{
    if (!files)
        return;
    for (size_t i = 0; i < files->count; i++)
        free(files->entries[i].path);
    free(files->entries);
    free(files);
}

bool fence_files_add(struct fence_files *files, const char *path, enum fence_files_access access)
{
    struct fence_entry *longer = reallocarray(files->entries, files->count + 1, sizeof *longer);

    if (!longer)
        return false;
    files->entries = longer;
    longer[files->count] = (struct fence_entry){.path = strdup(path), .access = access};
    return longer[files->count].path && ++files->count;
}

/* The folder of a path: "/etc" of "/etc/hosts". Malloc'd; NULL: out of memory. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == path || !slash ? strdup("/") : strndup(path, (size_t)(slash - path));
}

/* A folder that holds much that is none of ours: one at the top, a home. */
static bool is_broad(const char *folder)
{
    const char *home = getenv("HOME");
    const char *name = strrchr(folder, '/');
    size_t parent = name ? (size_t)(name - folder) : 0;

    return parent == 0 || (home && strcmp(folder, home) == 0) ||
           (parent == 5 && strncmp(folder, "/home", 5) == 0);
}

static bool add_folder_of(struct fence_files *files, const char *path)
{
    char *folder = folder_of(path), *real = folder ? realpath(folder, NULL) : NULL;
    bool added = folder != NULL;

    if (added && real && !is_broad(real) && !is_broad(folder))
        added = fence_files_add(files, real, FENCE_FILES_READ) &&
                (files->entries[files->count - 1].is_aside = true);
    free(real);
    free(folder);
    return added;
}

bool fence_files_add_changing(struct fence_files *files, const char *path)
{
    char *real = realpath(path, NULL);
    bool added = fence_files_add(files, path, FENCE_FILES_READ) && add_folder_of(files, path);

    if (added && real && strcmp(real, path) != 0)
        added = add_folder_of(files, real);
    free(real);
    return added;
}

bool fence_files_add_folders(struct fence_files *files, const struct fence_files *from)
{
    bool added = true;

    for (size_t i = 0; i < from->count && added; i++)
        if (from->entries[i].is_folder && !from->entries[i].is_aside)
            added = fence_files_add(files, from->entries[i].path, from->entries[i].access);
    return added;
}

/* ---- the kernel's rules ---- */

static uint64_t known_accesses(long version)
{
    return version < TRUNCATE_VERSION ? ALL_ACCESS & ~TRUNCATE : ALL_ACCESS;
}

static int make_ruleset(long version)
{
    struct fence_ruleset ruleset = {.files = known_accesses(version)};
    size_t size = offsetof(struct fence_ruleset, network);

    if (version >= SCOPED_VERSION) {
        ruleset.scoped = SCOPE_ABSTRACT | SCOPE_SIGNAL;
        size = sizeof ruleset;
    }
    long fd = syscall(SYS_landlock_create_ruleset, &ruleset, size, 0);
    return fd < 0 ? -errno : (int)fd;
}

static uint64_t accesses_of(const struct fence_entry *entry, long version)
{
    uint64_t wanted = entry->access == FENCE_FILES_WRITE ? WRITE_ACCESS : READ_ACCESS;

    return (entry->is_folder ? wanted : wanted & FILE_ACCESS) & known_accesses(version);
}

/* What cannot be looked at now (a home on a disk that is gone) is as if it were not there. */
static int allow(int ruleset, struct fence_entry *entry, long version)
{
    struct stat st;
    struct landlock_path_beneath_attr rule = {.parent_fd = open(entry->path, O_PATH | O_CLOEXEC)};
    int r = 0;

    if (rule.parent_fd < 0)
        return 0;
    if (fstat(rule.parent_fd, &st) == 0) {
        entry->is_there = true;
        entry->is_folder = S_ISDIR(st.st_mode);
        entry->device = st.st_dev;
        entry->inode = st.st_ino;
        rule.allowed_access = accesses_of(entry, version);
        r = (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    }
    /* EBADFD: of a pseudo file system, of which nothing is kept away. */
    r = r < 0 && errno != EBADFD ? -errno : 0;
    close(rule.parent_fd);
    return r;
}

int fence_files_close(struct fence_files *files)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    int fd, r = 0;

    if (version < LEAST_VERSION)
        return version < 0 ? -errno : -EOPNOTSUPP;
    fd = make_ruleset(version);
    if (fd < 0)
        return fd;
    for (size_t i = 0; i < files->count && r == 0; i++)
        r = allow(fd, &files->entries[i], version);
    if (r == 0 && syscall(SYS_landlock_restrict_self, fd, 0) < 0)
        r = -errno;
    close(fd);
    return r;
}

/* ---- what has changed since ---- */

static bool is_in_list(const struct fence_files *files, const struct stat *st)
{
    for (size_t i = 0; i < files->count; i++) {
        const struct fence_entry *entry = &files->entries[i];
        if (entry->is_there && entry->device == st->st_dev && entry->inode == st->st_ino)
            return true;
    }
    return false;
}

/* Whether it, or a folder above it, is in the list; also if that cannot be known at this moment: the next look tells. */
static bool is_within(const struct fence_files *files, const char *path)
{
    char *real = realpath(path, NULL);
    bool found = !real;
    struct stat st;

    while (!found && *real) {
        found = stat(real, &st) < 0 || is_in_list(files, &st);
        *strrchr(real, '/') = '\0';
    }
    free(real);
    return found;
}

const char *fence_files_lack(const struct fence_files *files, const struct fence_files *now)
{
    struct stat st;

    for (size_t i = 0; i < now->count; i++) {
        const char *path = now->entries[i].path;
        if (!now->entries[i].is_aside && stat(path, &st) == 0 && !is_within(files, path))
            return path;
    }
    return NULL;
}
