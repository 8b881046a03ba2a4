#include "gitcache/store/refs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gitcache/base/disk.h"
#include "gitcache/base/folder.h"
#include "gitcache/base/memory_file.h"
#include "gitcache/base/regular.h"
#include "gitcache/store/skeleton.h"

#define PACKED_REFS "packed-refs"
#define MAX_REF     ((size_t)4096)
#define DEPTH_MAX   64 /* folders below refs/ */

/* ---- one ref's file ---- */

/* 0, -ENOENT for a symbolic ref, -EIO. */
static int parse_ref(const char *text, struct oid *out)
{
    if (strncmp(text, "ref:", 4) == 0)
        return -ENOENT;
    if (!oid_parse(out, text, strlen(text) < OID_HEX ? strlen(text) : OID_HEX))
        return -EIO;
    return text[OID_HEX + strspn(text + OID_HEX, " \n")] ? -EIO : 0;
}

/* ENOENT also where a folder stands: of other refs, that this one's name begins. */
static int read_loose(const char *folder, const char *ref, struct oid *out, struct error *e)
{
    char *path = disk_path(folder, ref), *text = NULL;
    struct stat st;
    size_t size;
    int r;

    if (!path)
        return error_no_memory(e);
    if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
        r = -ENOENT;
    else
        r = disk_read(path, MAX_REF, &text, &size, e);
    if (r == -ENOTDIR)
        r = -ENOENT;
    if (r == -EFBIG)
        r = -EIO;
    if (r == 0)
        r = strlen(text) == size ? parse_ref(text, out) : -EIO;
    if (r == -EIO)
        error_set(e, EIO, "the ref %s in %s is damaged", ref, folder);
    free(text);
    free(path);
    return r;
}

/* ---- packed refs ---- */

struct packed {
    char *text, *at;
};

struct packed_ref {
    const char *name;
    struct oid target;
};

/* A file that is not there is an empty one, and so is what is no file, or larger than one of ours
 * can be (skeleton.h makes it again). */
static int open_packed(const char *folder, struct packed *out, struct error *e)
{
    char *path = disk_path(folder, PACKED_REFS);
    struct stat st;
    size_t size;
    char *text = NULL;
    int r;

    if (!path)
        return error_no_memory(e);
    r = disk_read(path, SKELETON_FILE_MOST, &text, &size, e);
    *out = (struct packed){text, text};
    if (r == -ENOENT || r == -ENOTDIR || r == -EFBIG ||
        (r == -EIO && lstat(path, &st) == 0 && !S_ISREG(st.st_mode)))
        r = 0;
    free(path);
    return r;
}

/* The next line that names a ref. False at the end. */
static bool next_packed(struct packed *packed, struct packed_ref *out)
{
    while (packed->at && *packed->at) {
        char *line = packed->at, *end = strchr(line, '\n');

        packed->at = end ? end + 1 : line + strlen(line);
        if (end)
            *end = '\0';
        if (strlen(line) > OID_HEX + 1 && line[OID_HEX] == ' ' &&
            oid_parse(&out->target, line, OID_HEX)) {
            out->name = line + OID_HEX + 1;
            return true;
        }
    }
    return false;
}

static int read_packed(const char *folder, const char *ref, struct oid *out, struct error *e)
{
    struct packed packed;
    struct packed_ref found;
    int r = open_packed(folder, &packed, e);

    if (r < 0)
        return r;
    r = -ENOENT;
    while (r < 0 && next_packed(&packed, &found))
        if (strcmp(found.name, ref) == 0) {
            *out = found.target;
            r = 0;
        }
    free(packed.text);
    return r;
}

int refs_read(const char *folder, const char *ref, struct oid *out, struct error *e)
{
    int r = read_loose(folder, ref, out, e);
    return r == -ENOENT ? read_packed(folder, ref, out, e) : r;
}

/* ---- all refs ---- */

struct visiting {
    const char *folder;
    int (*visit)(void *data, const char *ref, const struct oid *target);
    void *data;
    struct error *e;
};

static int visit_folder(const struct visiting *v, const char *name, int depth);

static int visit_name(const struct visiting *v, const char *ref, bool is_folder, int depth)
{
    struct oid target;
    int r;

    if (is_folder)
        return depth < DEPTH_MAX ? visit_folder(v, ref, depth + 1) : 0;
    r = read_loose(v->folder, ref, &target, v->e);
    if (r == -ENOENT)
        return 0;
    return r && r != -EIO ? r : v->visit(v->data, ref, r ? NULL : &target);
}

static bool ends_with_lock(const char *name)
{
    size_t length = strlen(name);
    return length > 5 && strcmp(name + length - 5, ".lock") == 0;
}

static int visit_folder(const struct visiting *v, const char *name, int depth)
{
    char *path = disk_path(v->folder, name);
    DIR *stream = path ? opendir(path) : NULL;
    struct dirent *entry;
    struct stat st;
    int r = path ? 0 : error_no_memory(v->e), end = 0;

    if (path && !stream && errno != ENOENT && errno != ENOTDIR)
        r = error_set(v->e, errno, "cannot read %s: %s", path, strerror(errno));
    while (stream && r == 0 && (entry = folder_next(stream, &end))) {
        char *ref;

        if (entry->d_name[0] == '.' || ends_with_lock(entry->d_name))
            continue;
        if (fstatat(dirfd(stream), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
            if (errno != ENOENT)
                r = error_set(v->e, errno, "cannot look at %s/%s: %s", path, entry->d_name,
                              strerror(errno));
            continue;
        }
        ref = disk_path(name, entry->d_name);
        r = ref ? visit_name(v, ref, S_ISDIR(st.st_mode), depth) : error_no_memory(v->e);
        free(ref);
    }
    if (r == 0 && end < 0)
        r = error_set(v->e, -end, "cannot read %s: %s", path, strerror(-end));
    if (stream)
        closedir(stream);
    free(path);
    return r;
}

int refs_each(const char *folder,
              int (*visit)(void *data, const char *ref, const struct oid *target), void *data,
              struct error *e)
{
    const struct visiting v = {folder, visit, data, e};
    struct packed packed = {.text = NULL};
    struct packed_ref ref;
    struct oid loose;
    int r = visit_folder(&v, "refs", 0);

    if (r == 0)
        r = open_packed(folder, &packed, e);
    while (r == 0 && next_packed(&packed, &ref)) {
        r = read_loose(folder, ref.name, &loose, e);
        if (r == -ENOENT)
            r = visit(data, ref.name, &ref.target);
        else if (r == -EIO) /* visited as such already */
            r = 0;
    }
    free(packed.text);
    return r;
}

/* ---- writing ---- */

/* Makes the folder that a file is in, whatever stands in the way of it or its parents. */
static int make_folder_of(const char *folder, const char *ref, struct error *e)
{
    char *path = disk_path(folder, ref);
    struct stat st;
    int r = path ? 0 : error_no_memory(e);

    for (char *slash = path ? path + strlen(folder) + 1 : NULL;
         r == 0 && (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        if (lstat(path, &st) == 0 && !S_ISDIR(st.st_mode))
            unlink(path);
        if (mkdir(path, 0777) < 0 && errno != EEXIST)
            r = error_set(e, errno, "cannot make the folder %s: %s", path, strerror(errno));
        *slash = '/';
    }
    free(path);
    return r;
}

/* Writes through a file that also keeps git away, as git does it. */
static int replace_locked(const char *path, const char *text, struct error *e)
{
    char *lock;
    int r;

    if (asprintf(&lock, "%s.lock", path) < 0)
        return error_no_memory(e);
    disk_remove(lock);
    r = disk_write(lock, text, e);
    if (r == 0 && rename(lock, path) < 0)
        r = error_set(e, errno, "cannot write %s: %s", path, strerror(errno));
    if (r < 0) /* else no git could write the ref any more */
        unlink(lock);
    if (r == 0) {
        char *slash = strrchr(path, '/'), *folder = strndup(path, (size_t)(slash - path));
        r = folder ? disk_sync_folder(folder, e) : error_no_memory(e);
        free(folder);
    }
    free(lock);
    return r;
}

static int remove_if_empty(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)ftw;
    if (type == FTW_DP)
        rmdir(path);
    return 0;
}

/* Removes what a ref's file cannot replace: a folder, which must hold no ref. */
static int clear_place(const char *path, const char *ref, struct error *e)
{
    struct stat st;

    if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode))
        return 0;
    nftw(path, remove_if_empty, 16, FTW_DEPTH | FTW_PHYS);
    if (lstat(path, &st) < 0)
        return 0;
    return error_set(e, EEXIST, "cannot write the ref %s: there are refs below %s", ref, path);
}

int refs_write(const char *folder, const char *ref, const struct oid *target, struct error *e)
{
    char *path = disk_path(folder, ref), hex[OID_HEX_SIZE], text[OID_HEX_SIZE + 1];
    int r = path ? make_folder_of(folder, ref, e) : error_no_memory(e);

    snprintf(text, sizeof text, "%s\n", oid_format(target, hex));
    if (r == 0)
        r = clear_place(path, ref, e);
    if (r == 0)
        r = replace_locked(path, text, e);
    free(path);
    return r;
}

static bool is_of(const char *line, size_t length, const char *ref)
{
    return length > OID_HEX + 1 && length - OID_HEX - 1 == strlen(ref) &&
           memcmp(line + OID_HEX + 1, ref, length - OID_HEX - 1) == 0;
}

/* Writes packed-refs anew without a ref, and the line that says what its tag object names. */
static int remove_packed(const char *folder, const char *ref, struct error *e)
{
    char *path = disk_path(folder, PACKED_REFS), *text = NULL, *kept = NULL;
    size_t size, kept_size = 0;
    bool found = false, drops = false;
    FILE *out = memory_file_open(&kept, &kept_size);
    int r = path && out ? disk_read(path, SKELETON_FILE_MOST, &text, &size, e) : error_no_memory(e);

    for (char *line = r == 0 ? text : NULL; line && *line;) {
        size_t length = strcspn(line, "\n"), whole = length + (line[length] == '\n');

        drops = line[0] == '^' ? drops : is_of(line, length, ref);
        found = found || drops;
        if (!drops)
            fwrite(line, 1, whole, out);
        line += whole;
    }
    if (out && fclose(out) && r == 0)
        r = error_no_memory(e);
    if (r == 0 && found)
        r = replace_locked(path, kept, e);
    else if (r == -ENOENT || r == -EFBIG)
        r = 0;
    free(kept);
    free(text);
    free(path);
    return r;
}

/* A folder is no ref, and stays. */
static int remove_loose(const char *path, struct error *e)
{
    struct stat st;

    if (lstat(path, &st) == 0 && (S_ISDIR(st.st_mode) || unlink(path) == 0))
        return 0;
    if (errno == ENOENT || errno == ENOTDIR)
        return 0;
    return error_set(e, errno, "cannot remove %s: %s", path, strerror(errno));
}

int refs_remove(const char *folder, const char *ref, struct error *e)
{
    char *path = disk_path(folder, ref);
    /* Packed first: else what is there would be seen again in between. */
    int r = path ? remove_packed(folder, ref, e) : error_no_memory(e);

    if (r == 0)
        r = remove_loose(path, e);
    free(path);
    return r;
}
