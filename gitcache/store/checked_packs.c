#include "gitcache/store/checked_packs.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gitcache/base/disk.h"
#include "gitcache/base/library.h"
#include "gitcache/store/object_hash.h"
#include "gitcache/store/pack_file.h"
#include "gitcache/store/pack_object.h"

/* A file system's times may be this coarse: what is younger may change without a trace. */
#define COARSE_NS ((int64_t)2000000000)

/* A pair of files in the folder. */
struct slot {
    char *base;
    struct pack_file *pack;                 /* NULL: it did not pass, when its files were these: */
    struct regular_stamp index_at, pack_at; /* zeroes where there is none */
    bool seen;                              /* by the present scan */
};

struct checked_packs {
    git_odb_backend parent; /* first, so that a pointer to it is one to this */
    struct cache *cache;
    char *folder;         /* NULL: one pack alone */
    pthread_mutex_t lock; /* guards what follows, not the packs themselves */
    struct slot *slots;
    size_t count, room;
    struct regular_stamp scanned; /* the folder when it was read */
    int64_t scanned_at;
};

static struct checked_packs *packs_of(git_odb_backend *backend)
{
    return (struct checked_packs *)backend;
}

/* For libgit2: library_error makes an errno of it again. */
static int fail(int r, const struct error *e)
{
    if (r == -ENOENT)
        return GIT_ENOTFOUND;
    if (r == -ENOMEM)
        git_error_set_oom();
    else
        git_error_set_str(r == -EIO ? GIT_ERROR_ODB : GIT_ERROR_OS, e->text);
    return GIT_ERROR;
}

/* ---- which packs there are ---- */

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

static bool has_changed(const struct slot *slot)
{
    const struct regular_stamp index = stamp_of(slot->base, ".idx");
    const struct regular_stamp pack = stamp_of(slot->base, ".pack");

    return !regular_stamp_equal(&index, &slot->index_at) ||
           !regular_stamp_equal(&pack, &slot->pack_at);
}

/* Tries to open a slot's pack. What is damaged is said, and no failure of ours. */
static int open_slot(struct checked_packs *packs, struct slot *slot)
{
    struct error e = {0};
    int r;

    slot->index_at = stamp_of(slot->base, ".idx");
    slot->pack_at = stamp_of(slot->base, ".pack");
    r = pack_file_open(&slot->pack, slot->base, cache_descriptors(packs->cache), &e);
    if (r == 0)
        return 0;
    slot->pack = NULL;
    if (r != -EIO && r != -ENOENT)
        return fail(r, &e);
    if (slot->index_at.inode) /* else it was removed just now */
        cache_say(packs->cache, "%s; what is in it is fetched again when it is needed", e.text);
    return 0;
}

static int add_slot(struct checked_packs *packs, const char *base)
{
    struct slot *slot;

    if (packs->count == packs->room) {
        size_t room = packs->room ? 2 * packs->room : 4;
        struct slot *slots = reallocarray(packs->slots, room, sizeof *slots);

        if (!slots)
            return fail(-ENOMEM, NULL);
        packs->slots = slots;
        packs->room = room;
    }
    slot = &packs->slots[packs->count];
    *slot = (struct slot){.base = strdup(base), .seen = true};
    if (!slot->base)
        return fail(-ENOMEM, NULL);
    packs->count++;
    return open_slot(packs, slot);
}

static void drop_slot(struct checked_packs *packs, size_t i)
{
    pack_file_put(packs->slots[i].pack);
    free(packs->slots[i].base);
    packs->slots[i] = packs->slots[--packs->count];
}

static int see(struct checked_packs *packs, const char *base)
{
    for (size_t i = 0; i < packs->count; i++) {
        struct slot *slot = &packs->slots[i];

        if (strcmp(slot->base, base) != 0)
            continue;
        slot->seen = true;
        return !slot->pack && has_changed(slot) ? open_slot(packs, slot) : 0;
    }
    return add_slot(packs, base);
}

/* A pack's index; what is being put there has other endings. */
static bool is_index(const char *name)
{
    size_t length = strlen(name);
    return length > 4 && strcmp(name + length - 4, ".idx") == 0;
}

static int read_folder(struct checked_packs *packs, DIR *stream)
{
    struct dirent *entry;
    int r = 0;

    for (size_t i = 0; i < packs->count; i++)
        packs->slots[i].seen = false;
    while (r == 0 && (entry = readdir(stream))) {
        char *base;

        if (!is_index(entry->d_name))
            continue;
        entry->d_name[strlen(entry->d_name) - 4] = '\0';
        base = disk_path(packs->folder, entry->d_name);
        r = base ? see(packs, base) : fail(-ENOMEM, NULL);
        free(base);
    }
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

/* True if nothing can have been added or removed since the last scan. */
static bool is_known(const struct checked_packs *packs, const struct regular_stamp *folder)
{
    for (size_t i = 0; i < packs->count; i++)
        if (!packs->slots[i].pack)
            return false;
    return regular_stamp_equal(folder, &packs->scanned) &&
           packs->scanned_at - folder->changed > COARSE_NS;
}

/* The caller holds the lock. */
static int scan(struct checked_packs *packs)
{
    struct regular_stamp stamp;
    struct stat st;
    DIR *stream;
    int r;

    if (!packs->folder)
        return 0;
    /* Not opendir: the folder may have become a link, or anything. */
    if (lstat(packs->folder, &st) < 0 || !S_ISDIR(st.st_mode)) {
        while (packs->count)
            drop_slot(packs, packs->count - 1);
        return 0;
    }
    stamp = regular_stamp_of(&st);
    if (is_known(packs, &stamp))
        return 0;
    stream = opendir(packs->folder);
    if (!stream) {
        struct error e;
        r = error_set(&e, errno, "cannot read %s: %s", packs->folder, strerror(errno));
        return fail(r == -ENOENT ? -EIO : r, &e);
    }
    packs->scanned_at = now_ns();
    r = read_folder(packs, stream);
    closedir(stream);
    packs->scanned = r == 0 ? stamp : (struct regular_stamp){.device = 0};
    return r;
}

/* ---- one object ---- */

/* The first pack from slot *i on that has the object, with one user more; NULL if none has. */
static struct pack_file *find(struct checked_packs *packs, const struct oid *id, size_t *i,
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

/* A pack that is not as it was: opened anew, or let go. */
static void renew(struct checked_packs *packs, const struct pack_file *pack)
{
    pthread_mutex_lock(&packs->lock);
    for (size_t i = 0; i < packs->count; i++) {
        struct slot *slot = &packs->slots[i];

        if (slot->pack != pack)
            continue;
        pack_file_put(slot->pack);
        slot->pack = NULL;
        open_slot(packs, slot);
    }
    pthread_mutex_unlock(&packs->lock);
}

/* What is wanted of an object. */
enum wanted { WANTED_SIZE, WANTED_BYTES, WANTED_FILE };

struct question {
    git_odb_backend *backend;
    enum wanted wanted;
    bool not_for_libgit2;                      /* its bytes are malloc'd */
    const struct pack_stream_request *request; /* of WANTED_FILE */
    void *data;
    size_t size;
    git_object_t type;
};

static void *allocate(void *data, size_t size)
{
    struct question *question = data;
    return question->not_for_libgit2 ? malloc(size)
                                     : git_odb_backend_data_alloc(question->backend, size);
}

static void release(void *data, void *bytes)
{
    struct question *question = data;
    if (question->not_for_libgit2)
        free(bytes);
    else
        git_odb_backend_data_free(question->backend, bytes);
}

static int ask_pack(const struct pack_file *pack, uint32_t position, struct question *question,
                    struct error *e)
{
    struct pack_reader reader;
    int r = pack_file_begin(pack, &reader, e);

    if (r < 0)
        return r;
    reader.allocate = allocate;
    reader.release = release;
    reader.data = question;
    reader.bases = cache_bases(packs_of(question->backend)->cache);
    switch (question->wanted) {
    case WANTED_SIZE:
        r = pack_entry_size(&reader, position, &question->size, &question->type, e);
        break;
    case WANTED_BYTES:
        r = pack_object_read(&reader, position, &question->data, &question->size, &question->type,
                             e);
        break;
    case WANTED_FILE:
        r = pack_stream_write(&reader, position, question->request, e);
        break;
    }
    pack_file_end(pack, &reader);
    return r;
}

/* Asks one pack after the other until one has the object undamaged. ENOENT: none has it. */
static int ask_all(struct checked_packs *packs, const git_oid *git_id, struct question *question,
                   struct error *failure)
{
    struct error e = {0};
    struct pack_file *pack;
    uint32_t position;
    bool renewed = false, stopped = false;
    struct oid id;
    int r = -ENOENT;

    library_oid_from_git(&id, git_id);
    for (size_t i = 0; r < 0 && !stopped && (pack = find(packs, &id, &i, &position));) {
        r = ask_pack(pack, position, question, &e);
        if (r == 0 && question->wanted == WANTED_BYTES &&
            !object_hash_fits(git_id, question->type, question->data, question->size)) {
            release(question, question->data);
            question->data = NULL;
            r = error_set(&e, EIO, "an object in the pack %s is damaged: its hash does not fit",
                          pack->base);
        }
        if (r == -ESTALE || r == -ENOENT) {
            renew(packs, pack);
            i = renewed ? i : 0; /* once more from the start, but not for ever */
            renewed = true;
        } else if (r < 0) {
            *failure = e;
        }
        stopped = r == -ECANCELED || r == -ENOSPC;
        pack_file_put(pack);
    }
    return r == 0 || !failure->errnum ? r : -failure->errnum;
}

static int ask(struct checked_packs *packs, const git_oid *id, struct question *question)
{
    struct error failure = {0};
    int r = ask_all(packs, id, question, &failure);

    return r == 0 ? 0 : failure.errnum ? fail(r, &failure) : GIT_ENOTFOUND;
}

static int backend_read(void **bytes, size_t *size, git_object_t *type, git_odb_backend *backend,
                        const git_oid *id)
{
    struct question question = {.backend = backend, .wanted = WANTED_BYTES};
    int r = ask(packs_of(backend), id, &question);

    *bytes = question.data;
    *size = question.size;
    *type = question.type;
    return r;
}

static int backend_read_header(size_t *size, git_object_t *type, git_odb_backend *backend,
                               const git_oid *id)
{
    struct question question = {.backend = backend, .wanted = WANTED_SIZE};
    int r = ask(packs_of(backend), id, &question);

    *size = question.size;
    *type = question.type;
    return r;
}

static int backend_exists(git_odb_backend *backend, const git_oid *git_id)
{
    struct pack_file *pack;
    uint32_t position;
    size_t i = 0;
    struct oid id;

    library_oid_from_git(&id, git_id);
    pack = find(packs_of(backend), &id, &i, &position);
    pack_file_put(pack);
    return pack != NULL;
}

static int backend_refresh(git_odb_backend *backend)
{
    struct checked_packs *packs = packs_of(backend);
    int r;

    pthread_mutex_lock(&packs->lock);
    r = scan(packs);
    pthread_mutex_unlock(&packs->lock);
    return r;
}

static int visit_pack(const struct pack_file *pack, git_odb_foreach_cb visit, void *data)
{
    int r = 0;

    for (uint32_t i = 0; r == 0 && i < pack->index.count; i++) {
        struct oid id;
        git_oid git_id;

        pack_index_id(&pack->index, i, &id);
        library_oid_to_git(&git_id, &id);
        r = visit(&git_id, data);
    }
    return r;
}

static int backend_foreach(git_odb_backend *backend, git_odb_foreach_cb visit, void *data)
{
    struct checked_packs *packs = packs_of(backend);
    struct pack_file **items;
    size_t count = 0;
    int r = 0;

    /* A copy: the visitor may ask for objects. */
    pthread_mutex_lock(&packs->lock);
    items = calloc(packs->count + 1, sizeof(struct pack_file *));
    for (size_t i = 0; items && i < packs->count; i++)
        if (packs->slots[i].pack) {
            pack_file_get(packs->slots[i].pack);
            items[count++] = packs->slots[i].pack;
        }
    pthread_mutex_unlock(&packs->lock);
    if (!items)
        return fail(-ENOMEM, NULL);
    for (size_t i = 0; i < count; i++) {
        if (r == 0)
            r = visit_pack(items[i], visit, data);
        pack_file_put(items[i]);
    }
    free(items);
    return r;
}

/* Asks the odb's folders of packs, one after the other. */
static int ask_odb(git_odb *odb, const struct oid *oid, struct question *question, struct error *e)
{
    struct error failure = {0};
    int r = -ENOENT;
    git_oid id;

    library_oid_to_git(&id, oid);
    for (int round = 0; round < 2 && r == -ENOENT; round++) {
        if (round > 0 && git_odb_refresh(odb)) /* a new pack may have it */
            break;
        for (size_t i = 0; i < git_odb_num_backends(odb) && (r == -ENOENT || r == -EIO); i++) {
            if (git_odb_get_backend(&question->backend, odb, i) ||
                question->backend->read != backend_read)
                continue;
            r = ask_all(packs_of(question->backend), &id, question, &failure);
        }
    }
    if (r < 0 && failure.errnum)
        *e = failure;
    return r < 0 && failure.errnum ? -failure.errnum : r;
}

int checked_packs_write(git_odb *odb, const struct pack_stream_request *request, struct error *e)
{
    struct question question = {.wanted = WANTED_FILE, .request = request};

    return ask_odb(odb, &request->id, &question, e);
}

int checked_packs_read(git_odb *odb, const struct oid *id, git_object_t *type, struct bytes *out,
                       struct error *e)
{
    struct question question = {.wanted = WANTED_BYTES, .not_for_libgit2 = true};
    int r = ask_odb(odb, id, &question, e);

    *type = question.type;
    *out = (struct bytes){question.data, question.size};
    return r;
}

static void backend_free(git_odb_backend *backend)
{
    struct checked_packs *packs = packs_of(backend);

    while (packs->count)
        drop_slot(packs, packs->count - 1);
    free(packs->slots);
    free(packs->folder);
    pthread_mutex_destroy(&packs->lock);
    free(packs);
}

static struct checked_packs *new_backend(struct cache *cache)
{
    struct checked_packs *packs = calloc(1, sizeof *packs);

    if (!packs)
        return NULL;
    git_odb_init_backend(&packs->parent, GIT_ODB_BACKEND_VERSION);
    packs->parent.read = backend_read;
    packs->parent.read_header = backend_read_header;
    packs->parent.exists = backend_exists;
    packs->parent.refresh = backend_refresh;
    packs->parent.foreach = backend_foreach;
    packs->parent.free = backend_free;
    packs->cache = cache;
    pthread_mutex_init(&packs->lock, NULL);
    return packs;
}

int checked_packs_new(git_odb_backend **out, struct cache *cache, const char *folder,
                      const char *base, struct error *e)
{
    struct checked_packs *packs = new_backend(cache);
    int r = packs ? 0 : -ENOMEM;

    if (r == 0 && folder) {
        packs->folder = strdup(folder);
        r = packs->folder ? scan(packs) : -ENOMEM;
        if (r == GIT_ERROR)
            r = library_error(e, r, "cannot open the packs in %s", folder);
    } else if (r == 0) {
        struct slot slot = {.base = strdup(base)};

        r = slot.base ? pack_file_open(&slot.pack, base, NULL, e) : -ENOMEM;
        packs->slots = r == 0 ? calloc(1, sizeof slot) : NULL;
        if (packs->slots) {
            packs->slots[packs->count++] = slot;
        } else {
            r = r ? r : -ENOMEM;
            pack_file_put(slot.pack);
            free(slot.base);
        }
    }
    if (r == -ENOMEM)
        error_no_memory(e);
    if (r < 0 && packs)
        backend_free(&packs->parent);
    else if (r == 0)
        *out = &packs->parent;
    return r;
}
