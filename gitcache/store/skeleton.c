#include "gitcache/store/skeleton.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gitcache/base/disk.h"
#include "gitcache/base/regular.h"

#define MAX_FILE ((size_t)64 << 10)
#define COUNT(a) (sizeof(a) / sizeof *(a))

/* Each before what is in it. */
static const char *const folders[] = {"objects",   "objects/pack", "objects/info",     "refs",
                                      "refs/tags", "refs/heads",   "refs/startpointfs"};

static const struct {
    const char *name, *text;
} files[] = {
    {"HEAD", "ref: refs/heads/master\n"},
    {"config", "[core]\n"
               "\trepositoryformatversion = 0\n"
               "\tfilemode = true\n"
               "\tbare = true\n"
               "\tautocrlf = false\n"
               "[gc]\n"
               "\tauto = 0\n"},
};

/* Files that are made anew elsewhere: here they must only not be something else, nor larger than
 * anything that we write. */
static const char *const others[] = {"shallow", "packed-refs", "startpointfs-listing",
                                     "startpointfs-pins", "startpointfs-reads"};

int skeleton_write(const char *folder, struct error *e)
{
    int r = 0;

    for (size_t i = 0; i < COUNT(folders) && r == 0; i++) {
        char *path = disk_path(folder, folders[i]);
        r = path ? disk_make_folders(path, e) : error_no_memory(e);
        free(path);
    }
    for (size_t i = 0; i < COUNT(files) && r == 0; i++) {
        char *path = disk_path(folder, files[i].name);
        r = path ? disk_write(path, files[i].text, e) : error_no_memory(e);
        free(path);
    }
    return r ? r : disk_sync_folder(folder, e);
}

/* A folder must be one, and no link to one. 1 if it was made again. */
static int mend_folder(const char *path, struct error *e)
{
    struct stat st;

    if (lstat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return 0;
        unlink(path);
    }
    if (mkdir(path, 0777) == 0 || (errno == EEXIST && lstat(path, &st) == 0 && S_ISDIR(st.st_mode)))
        return 1;
    return error_set(e, errno, "cannot make the folder %s: %s", path, strerror(errno));
}

/* Whether a file that is not as we wrote it may be somebody's work: another size, and the keys that
 * git needs are in it. A flipped byte leaves the size as it was. */
static bool is_plausible(size_t i, const char *text, size_t size)
{
    if (size == strlen(files[i].text) || strlen(text) != size)
        return false;
    if (strcmp(files[i].name, "HEAD") == 0)
        return strncmp(text, "ref: refs/", 10) == 0 && text[size - 1] == '\n';
    return strstr(text, "repositoryformatversion = 0\n") && strstr(text, "bare = true\n") &&
           text[size - 1] == '\n';
}

static int check_file(const char *path, size_t i, bool *good, struct error *e)
{
    char *text = NULL;
    size_t size;
    int r = disk_read(path, MAX_FILE, &text, &size, e);

    *good = r == 0 && (strcmp(text, files[i].text) == 0 || is_plausible(i, text, size));
    free(text);
    return r;
}

static bool is_folder(const char *folder, const char *name)
{
    char *path = disk_path(folder, name);
    struct stat st;
    bool is = path && lstat(path, &st) == 0 && S_ISDIR(st.st_mode);

    free(path);
    return is;
}

/* It may also be missing. */
static bool is_other(const char *path)
{
    struct stat st;

    return lstat(path, &st) < 0 || (S_ISREG(st.st_mode) && st.st_size <= (off_t)SKELETON_FILE_MOST);
}

bool skeleton_is_sound(const char *folder)
{
    bool sound = true;

    for (size_t i = 0; i < COUNT(folders) && sound; i++)
        sound = is_folder(folder, folders[i]);
    for (size_t i = 0; i < COUNT(others) && sound; i++) {
        char *path = disk_path(folder, others[i]);
        sound = !path || is_other(path);
        free(path);
    }
    for (size_t i = 0; i < COUNT(files) && sound; i++) {
        char *path = disk_path(folder, files[i].name);
        if (path)
            check_file(path, i, &sound, NULL);
        free(path);
    }
    return sound;
}

/* 1 if it was made again. */
static int mend_file(const char *path, size_t i, struct error *e)
{
    bool good;
    int r = check_file(path, i, &good, e);

    if (good)
        return 0;
    if (r < 0 && r != -ENOENT && r != -EIO && r != -EFBIG)
        return r;
    disk_remove(path);
    r = disk_write(path, files[i].text, e);
    return r ? r : 1;
}

static int remove_what_is_no_other(const char *path)
{
    if (is_other(path))
        return 0;
    disk_remove(path);
    return 1;
}

/* Says what was done, if something was. */
static int said(int r, const struct cache *cache, const char *shown, const char *name)
{
    if (r > 0)
        cache_say(cache, "%s: %s was damaged in the cache; made again", shown, name);
    return r < 0 ? r : 0;
}

int skeleton_mend(const struct cache *cache, const char *folder, const char *shown, struct error *e)
{
    int r = 0;

    for (size_t i = 0; i < COUNT(folders) && r == 0; i++) {
        char *path = disk_path(folder, folders[i]);
        r = said(path ? mend_folder(path, e) : error_no_memory(e), cache, shown, folders[i]);
        free(path);
    }
    for (size_t i = 0; i < COUNT(files) && r == 0; i++) {
        char *path = disk_path(folder, files[i].name);
        r = said(path ? mend_file(path, i, e) : error_no_memory(e), cache, shown, files[i].name);
        free(path);
    }
    for (size_t i = 0; i < COUNT(others) && r == 0; i++) {
        char *path = disk_path(folder, others[i]);
        r = said(path ? remove_what_is_no_other(path) : error_no_memory(e), cache, shown,
                 others[i]);
        free(path);
    }
    return r;
}
