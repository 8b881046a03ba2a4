#include "gitcache/store/pack_folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "gitcache/base/disk.h"
#include "gitcache/base/folder.h"

/* A file system's times may be this coarse: what is younger may change without a trace. */
#define COARSE_NS ((int64_t)2000000000)

/* A pair of files in the folder. */
struct pack_slot {
    char *base;
    struct pack_file *pack;                 /* NULL: it did not pass, when its files were these: */
    struct regular_stamp index_at, pack_at; /* zeroes where there is none */
    bool seen;                              /* by the present scan */
};

static struct regular_stamp stamp_of(const char *base, const char *suffix)
{
    struct regular_stamp stamp = {.device = 0};
    struct stat st;
    char *path;

    if (asprintf(&path, "%s%s", base, suffix) < 0)
        return stamp;
    if (lstat(path, &st) == 0)
        stamp = regular_stamp_of(&st);
    free(path);
    return stamp;
}

static bool has_changed(const struct pack_slot *slot)
{
    const struct regular_stamp index = stamp_of(slot->base, ".idx");
    const struct regular_stamp pack = stamp_of(slot->base, ".pack");

    return !regular_stamp_equal(&index, &slot->index_at) ||
           !regular_stamp_equal(&pack, &slot->pack_at);
}

/* Tries to open a slot's pack. What is damaged is said, and no failure of ours. */
static int open_slot(struct pack_folder *packs, struct pack_slot *slot, struct error *e)
{
    struct error inner = {0};
    int r;

    slot->index_at = stamp_of(slot->base, ".idx");
    slot->pack_at = stamp_of(slot->base, ".pack");
    r = pack_file_open(&slot->pack, slot->base, cache_descriptors(packs->cache), &inner);
    if (r == 0)
        return 0;
    slot->pack = NULL;
    if (r != -EIO && r != -ENOENT) { /* it is tried again at the next scan */
        slot->index_at = slot->pack_at = (struct regular_stamp){.device = 0};
        return error_set(e, -r, "%s", inner.text);
    }
    if (slot->index_at.inode) /* else it was removed just now */
        cache_say(packs->cache, "%s; what is in it is fetched again when it is needed", inner.text);
    return 0;
}

static int add_slot(struct pack_folder *packs, const char *base, struct error *e)
{
    struct pack_slot *slot;

    if (packs->count == packs->room) {
        size_t room = packs->room ? 2 * packs->room : 4;
        struct pack_slot *slots = reallocarray(packs->slots, room, sizeof *slots);

        if (!slots)
            return error_no_memory(e);
        packs->slots = slots;
        packs->room = room;
    }
    slot = &packs->slots[packs->count];
    *slot = (struct pack_slot){.base = strdup(base), .seen = true};
    if (!slot->base)
        return error_no_memory(e);
    packs->count++;
    return open_slot(packs, slot, e);
}

static void drop_slot(struct pack_folder *packs, size_t i)
{
    pack_file_put(packs->slots[i].pack);
    free(packs->slots[i].base);
    packs->slots[i] = packs->slots[--packs->count];
}

static int see(struct pack_folder *packs, const char *base, struct error *e)
{
    for (size_t i = 0; i < packs->count; i++) {
        struct pack_slot *slot = &packs->slots[i];

        if (strcmp(slot->base, base) != 0)
            continue;
        slot->seen = true;
        return !slot->pack && has_changed(slot) ? open_slot(packs, slot, e) : 0;
    }
    return add_slot(packs, base, e);
}

/* A pack's index; what is being put there has other endings. */
static bool is_index(const char *name)
{
    size_t length = strlen(name);
    return length > 4 && strcmp(name + length - 4, ".idx") == 0;
}

static int read_folder(struct pack_folder *packs, DIR *stream, struct error *e)
{
    struct dirent *entry;
    int r = 0, end = 0;

    for (size_t i = 0; i < packs->count; i++)
        packs->slots[i].seen = false;
    while (r == 0 && (entry = folder_next(stream, &end))) {
        char *base;

        if (!is_index(entry->d_name))
            continue;
        entry->d_name[strlen(entry->d_name) - 4] = '\0';
        base = disk_path(packs->folder, entry->d_name);
        r = base ? see(packs, base, e) : error_no_memory(e);
        free(base);
    }
    if (r == 0 && end < 0)
        r = error_set(e, -end, "cannot read %s: %s", packs->folder, strerror(-end));
    for (size_t i = packs->count; r == 0 && i-- > 0;)
        if (!packs->slots[i].seen)
            drop_slot(packs, i);
    return r;
}

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* True if nothing can have been added or removed since the last scan: a change would show in the
 * folder's time; which may lie ahead, if a clock was wrong once. */
static bool is_known(const struct pack_folder *packs, const struct regular_stamp *folder)
{
    for (size_t i = 0; i < packs->count; i++)
        if (!packs->slots[i].pack)
            return false;
    return regular_stamp_equal(folder, &packs->scanned) &&
           llabs(packs->scanned_at - folder->changed) > COARSE_NS;
}

/* The caller holds the lock. */
static int scan(struct pack_folder *packs, struct error *e)
{
    struct regular_stamp stamp;
    struct stat st;
    DIR *stream;
    int r;

    if (!packs->folder)
        return 0;
    /* Not opendir: the folder may have become a link, or anything. */
    r = lstat(packs->folder, &st);
    if (r < 0 && errno != ENOENT && errno != ENOTDIR)
        return error_set(e, errno, "cannot look at %s: %s", packs->folder, strerror(errno));
    if (r < 0 || !S_ISDIR(st.st_mode)) {
        while (packs->count)
            drop_slot(packs, packs->count - 1);
        packs->scanned = (struct regular_stamp){.device = 0}; /* it may come back as it was */
        return 0;
    }
    stamp = regular_stamp_of(&st);
    if (is_known(packs, &stamp))
        return 0;
    stream = opendir(packs->folder);
    if (!stream) {
        /* One that may not be read is a link to elsewhere, or somebody else's: it is damage. */
        int cause = errno == ENOENT || errno == EACCES ? EIO : errno;
        return error_set(e, cause, "cannot read %s: %s", packs->folder, strerror(errno));
    }
    packs->scanned_at = now_ns();
    r = read_folder(packs, stream, e);
    closedir(stream);
    packs->scanned = r == 0 ? stamp : (struct regular_stamp){.device = 0};
    return r;
}

int pack_folder_scan(struct pack_folder *packs, struct error *e)
{
    int r;

    pthread_mutex_lock(&packs->lock);
    r = scan(packs, e);
    pthread_mutex_unlock(&packs->lock);
    return r;
}

struct pack_file *pack_folder_find(struct pack_folder *packs, const struct oid *id, size_t *i,
                                   uint32_t *position)
{
    struct pack_file *pack = NULL;

    pthread_mutex_lock(&packs->lock);
    for (; *i < packs->count && !pack; ++*i) {
        pack = packs->slots[*i].pack;
        if (pack && !pack_index_find(&pack->index, id, position))
            pack = NULL;
    }
    if (pack)
        pack_file_get(pack);
    pthread_mutex_unlock(&packs->lock);
    return pack;
}

void pack_folder_renew(struct pack_folder *packs, const struct pack_file *pack)
{
    pthread_mutex_lock(&packs->lock);
    for (size_t i = 0; i < packs->count; i++) {
        struct pack_slot *slot = &packs->slots[i];

        if (slot->pack != pack)
            continue;
        pack_file_put(slot->pack);
        slot->pack = NULL;
        open_slot(packs, slot, NULL);
    }
    pthread_mutex_unlock(&packs->lock);
}

struct pack_file **pack_folder_list(struct pack_folder *packs, size_t *count)
{
    struct pack_file **items;

    *count = 0;
    pthread_mutex_lock(&packs->lock);
    items = calloc(packs->count + 1, sizeof(struct pack_file *));
    for (size_t i = 0; items && i < packs->count; i++)
        if (packs->slots[i].pack) {
            pack_file_get(packs->slots[i].pack);
            items[(*count)++] = packs->slots[i].pack;
        }
    pthread_mutex_unlock(&packs->lock);
    return items;
}

static int open_one(struct pack_folder *packs, const char *base, struct error *e)
{
    struct pack_slot *slot = calloc(1, sizeof *slot);
    int r;

    packs->slots = slot;
    if (!slot)
        return error_no_memory(e);
    packs->count = packs->room = 1;
    slot->base = strdup(base);
    r = slot->base ? pack_file_open(&slot->pack, base, NULL, e) : error_no_memory(e);
    if (r < 0)
        slot->pack = NULL;
    return r;
}

static int open_folder(struct pack_folder *packs, const char *folder, struct error *e)
{
    packs->folder = strdup(folder);
    return packs->folder ? scan(packs, e) : error_no_memory(e);
}

int pack_folder_open(struct pack_folder *out, struct cache *cache, const char *folder,
                     const char *base, struct error *e)
{
    int r;

    *out = (struct pack_folder){.cache = cache, .lock = PTHREAD_MUTEX_INITIALIZER};
    r = folder ? open_folder(out, folder, e) : open_one(out, base, e);
    if (r < 0)
        pack_folder_release(out);
    return r;
}

void pack_folder_release(struct pack_folder *packs)
{
    while (packs->count)
        drop_slot(packs, packs->count - 1);
    free(packs->slots);
    free(packs->folder);
    pthread_mutex_destroy(&packs->lock);
}
