#include "gitcache/store/repository.h"
#include "gitcache/store/odb.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gitcache/base/clock.h"
#include "gitcache/base/disk.h"
#include "gitcache/base/url.h"
#include "gitcache/store/cache_folder.h"
#include "gitcache/store/known_pins.h"
#include "gitcache/store/repository_state.h"
#include "gitcache/store/skeleton.h"

#define LISTING_FILE  "startpointfs-listing"
#define LISTING_SMALL 65536   /* bytes; they are read within a millisecond */
#define NEW_PREFIX    ".new-" /* no part of a URL begins with a dot there */
#define SHOWN_SIZE    600

/* Takes ownership of the listing on success; NULL: there is none. `is_read`: it is what the cache has, and if another
 * one is known by now, that one is newer. */
static int know_listing(struct repository *repository, struct listing *listing, bool is_read)
{
    struct shared_listing *shared = listing ? malloc(sizeof *shared) : NULL, *old = shared;

    if (listing && !shared)
        return -ENOMEM;
    if (listing) {
        shared->listing = *listing;
        atomic_init(&shared->users, 1);
    }
    pthread_rwlock_wrlock(&repository->lock);
    if (!is_read || !repository->listing_known) {
        old = repository->listing;
        repository->listing = shared;
        repository->listing_known = true;
    }
    pthread_rwlock_unlock(&repository->lock);
    if (old)
        repository_listing_put(repository, &old->listing);
    return 0;
}

/* What fails only now: for want of memory or descriptors. */
static bool is_passing(int r)
{
    return r == -ENOMEM || r == -EMFILE || r == -ENFILE;
}

/* A damaged listing counts as none, and so does one that cannot be read: the remote is asked again. */
static void read_listing(struct repository *repository)
{
    char *path = disk_path(repository->folder, LISTING_FILE), *text = NULL;
    struct listing listing;
    size_t size;
    int r = path ? disk_read(path, SKELETON_FILE_MOST, &text, &size, NULL) : -ENOMEM;

    if (r == 0)
        r = listing_parse(&listing, text, size, NULL);
    bool is_there = r == 0;
    if (is_there && clock_is_ahead(listing.listed_at))
        listing.listed_at = 0;
    if (!is_passing(r))
        r = know_listing(repository, is_there ? &listing : NULL, true);
    if (is_there && r < 0)
        listing_release(&listing);
    atomic_store(&repository->listing_fault, r);
    free(text);
    free(path);
}

/* A small listing is read when somebody needs it: who opens ten thousand repositories does not wait for theirs. A large
 * one is read now, as a request must not. -ENOTDIR: the repository's folder, or one above it, is none. */
static int look_for_listing(struct repository *repository)
{
    char *path = disk_path(repository->folder, LISTING_FILE);
    struct stat st;
    int r = !path ? -ENOMEM : lstat(path, &st) < 0 ? -errno : 0;

    if (r == -ENOENT)
        know_listing(repository, NULL, true);
    else if (r == 0 && st.st_size > LISTING_SMALL)
        read_listing(repository);
    free(path);
    return r;
}

/* Takes ownership of the folder's name. */
static int open_at(struct repository **out, struct cache *cache, const char *url, char *folder,
                   struct error *e)
{
    struct repository *repository = calloc(1, sizeof *repository);
    char shown[SHOWN_SIZE];
    struct stat st;
    int r = 0;

    if (!repository) {
        free(folder);
        return error_no_memory(e);
    }
    repository->cache = cache;
    pthread_rwlock_init(&repository->lock, NULL);
    pthread_mutex_init(&repository->record_lock, NULL);
    pthread_rwlock_init(&repository->odb_lock, NULL);
    repository->url = strdup(url);
    repository->shown = strdup(url_display(url, shown, sizeof shown));
    repository->folder = folder;
    if (!repository->url || !repository->shown || !repository->folder)
        r = error_no_memory(e);
    else if (look_for_listing(repository) == -ENOTDIR && stat(repository->folder, &st) == 0 &&
             cache_is_read_only(cache))
        r = error_set(e, EIO, "%s is in the way of the cached repository; remove it",
                      repository->folder);
    if (r < 0) {
        repository_close(repository);
        return r;
    }
    *out = repository;
    return 0;
}

int repository_open(struct repository **out, struct cache *cache, const char *url, struct error *e)
{
    return open_at(out, cache, url, cache_folder_of_url(cache_folder(cache), url), e);
}

int repository_open_folder(struct repository **out, struct cache *cache, const char *folder,
                           struct error *e)
{
    return open_at(out, cache, folder, strdup(folder), e);
}

void repository_close(struct repository *repository)
{
    if (!repository)
        return;
    if (repository->listing)
        repository_listing_put(repository, &repository->listing->listing);
    repository_free_branches(repository->branches, repository->branch_count);
    known_pins_release(repository);
    pin_record_release(&repository->record);
    git_odb_free(repository->odb);
    pthread_rwlock_destroy(&repository->lock);
    pthread_mutex_destroy(&repository->record_lock);
    pthread_rwlock_destroy(&repository->odb_lock);
    free(repository->url);
    free(repository->shown);
    free(repository->folder);
    free(repository);
}

struct cache *repository_cache(const struct repository *repository)
{
    return repository->cache;
}

const char *repository_shown(const struct repository *repository)
{
    return repository->shown;
}

const char *repository_url(const struct repository *repository)
{
    return repository->url;
}

const char *repository_folder(const struct repository *repository)
{
    return repository->folder;
}

int repository_name_branch(struct repository *repository, const char *branch)
{
    char **branches, *copy = strdup(branch);
    bool known = false;
    int r = copy ? 0 : -ENOMEM;

    pthread_rwlock_wrlock(&repository->lock);
    for (size_t i = 0; i < repository->branch_count && !known; i++)
        known = strcmp(repository->branches[i], branch) == 0;
    if (r == 0 && !known) {
        branches = reallocarray(repository->branches, repository->branch_count + 1, sizeof copy);
        if (branches) {
            repository->branches = branches;
            branches[repository->branch_count++] = copy;
            copy = NULL;
        } else {
            r = -ENOMEM;
        }
    }
    pthread_rwlock_unlock(&repository->lock);
    free(copy);
    return r;
}

void repository_free_branches(char **branches, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(branches[i]);
    free(branches);
}

int repository_copy_branches(struct repository *repository, char ***out, size_t *count)
{
    char **branches;
    size_t n = 0;
    int r = 0;

    pthread_rwlock_rdlock(&repository->lock);
    branches = calloc(repository->branch_count + 1, sizeof *branches);
    r = branches ? 0 : -ENOMEM;
    for (; r == 0 && n < repository->branch_count; n++) {
        branches[n] = strdup(repository->branches[n]);
        if (!branches[n])
            r = -ENOMEM;
    }
    pthread_rwlock_unlock(&repository->lock);
    if (r < 0)
        repository_free_branches(branches, n);
    *out = branches;
    *count = n;
    return r;
}

const struct listing *repository_listing_get(struct repository *repository)
{
    struct shared_listing *shared;

    if (!atomic_load(&repository->listing_known))
        read_listing(repository);
    pthread_rwlock_rdlock(&repository->lock);
    shared = repository->listing;
    if (shared)
        atomic_fetch_add(&shared->users, 1);
    pthread_rwlock_unlock(&repository->lock);
    return shared ? &shared->listing : NULL;
}

int repository_listing_fault(struct repository *repository)
{
    return atomic_load(&repository->listing_known) ? 0 : atomic_load(&repository->listing_fault);
}

void repository_listing_put(struct repository *repository, const struct listing *listing)
{
    struct shared_listing *shared = (struct shared_listing *)listing;

    (void)repository;
    if (shared && atomic_fetch_sub(&shared->users, 1) == 1) {
        listing_release(&shared->listing);
        free(shared);
    }
}

void repository_close_packs(struct repository *repository)
{
    odb_reopen(repository);
}

/* What stands in the place of a folder between the cache's and the repository's, and is none, goes. */
static void clear_way(const struct repository *repository)
{
    const char *cache = cache_folder(repository->cache);
    char *path = strdup(repository->folder);
    struct stat st;

    for (char *end = path && strlen(path) > strlen(cache) ? path + strlen(cache) : NULL; end;
         end = strchr(end + 1, '/')) {
        char *next = strchr(end + 1, '/');

        if (next)
            *next = '\0';
        if ((stat(path, &st) < 0 ? errno == ELOOP : !S_ISDIR(st.st_mode)) && unlink(path) == 0)
            cache_say(repository->cache, "%s was no folder; removed", path);
        if (!next)
            break;
        *next = '/';
    }
    free(path);
}

/* Makes the bare repository's folder if it is not there. Safe against other processes doing so. */
static int make_repository(struct repository *repository, struct error *e)
{
    char *slash = strrchr(repository->folder, '/'), *temporary = NULL;
    struct stat st;
    int r;

    /* Whole or damaged: skeleton_mend sees to that. */
    if (stat(repository->folder, &st) == 0 && S_ISDIR(st.st_mode))
        return 0;
    clear_way(repository);
    /* Made beside, then renamed: whoever comes second finds it whole. The name ends in no .git,
     * so that a half-made one that a crash left is never taken for a repository. */
    if (asprintf(&temporary, "%.*s/" NEW_PREFIX "XXXXXX", (int)(slash - repository->folder),
                 repository->folder) < 0)
        return error_no_memory(e);
    temporary[slash - repository->folder] = '\0';
    r = disk_make_folders(temporary, e);
    disk_remove_leftovers(temporary, NEW_PREFIX);
    temporary[slash - repository->folder] = '/';
    if (r == 0 && !mkdtemp(temporary))
        r = error_set(e, errno, "cannot make a folder in the cache %s: %s", repository->folder,
                      strerror(errno));
    if (r == 0) {
        r = chmod(temporary, 0755) < 0 ? error_set(e, errno, "cannot change the mode of %s: %s",
                                                   temporary, strerror(errno))
                                       : skeleton_write(temporary, e);
        if (r == 0 && rename(temporary, repository->folder) && errno != EEXIST &&
            errno != ENOTEMPTY)
            r = error_set(e, errno, "cannot make the folder %s: %s", repository->folder,
                          strerror(errno));
        disk_remove(temporary);
    }
    free(temporary);
    return r;
}

static int write_listing(struct repository *repository, const struct listing *listing,
                         struct error *e)
{
    char *path = disk_path(repository->folder, LISTING_FILE), *text;
    size_t size;
    int r;

    text = listing_format(listing, &size);
    if (!path || !text)
        r = error_no_memory(e);
    else
        r = make_repository(repository, e);
    if (r == 0)
        r = disk_replace(path, text, size, false, e);
    free(text);
    free(path);
    return r;
}

int repository_keep_listing(struct repository *repository, struct listing *listing, struct error *e)
{
    struct error why = {0};

    /* It is used all the same. Said once, until it can be kept again. */
    if (!cache_is_read_only(repository->cache)) {
        bool lost = write_listing(repository, listing, &why) < 0;
        if (lost && !atomic_exchange(&repository->listing_unkept, lost))
            cache_say(repository->cache,
                      "%s: its listing cannot be saved, and is lost when this process ends: %s",
                      repository->shown, why.text);
        atomic_store(&repository->listing_unkept, lost);
    }
    return know_listing(repository, listing, false) < 0 ? error_no_memory(e) : 0;
}

int repository_lock(struct repository *repository, const struct watch *watch, struct error *e)
{
    char *path;
    int fd = make_repository(repository, e), r;

    if (fd < 0)
        return fd;
    path = disk_path(repository->folder, LOCK_FILE);
    if (!path)
        return error_no_memory(e);
    fd = disk_lock(path, watch, e);
    free(path);
    if (fd < 0)
        return fd;
    r = skeleton_mend(repository->cache, repository->folder, repository->shown, e);
    if (r < 0)
        close(fd);
    return r < 0 ? r : fd;
}
