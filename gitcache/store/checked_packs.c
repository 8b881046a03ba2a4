#include "gitcache/store/checked_packs.h"

#include <errno.h>
#include <stdlib.h>

#include "gitcache/base/library.h"
#include "gitcache/store/object_hash.h"
#include "gitcache/store/pack_folder.h"
#include "gitcache/store/pack_object.h"

struct checked_packs {
    git_odb_backend parent; /* first, so that a pointer to it is one to this */
    struct pack_folder packs;
};

static struct pack_folder *packs_of(git_odb_backend *backend)
{
    return &((struct checked_packs *)backend)->packs;
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
static int ask_all(struct pack_folder *packs, const git_oid *git_id, struct question *question,
                   struct error *failure)
{
    struct error e = {0};
    struct pack_file *pack;
    uint32_t position;
    bool renewed = false, stopped = false;
    struct oid id;
    int r = -ENOENT;

    library_oid_from_git(&id, git_id);
    for (size_t i = 0; r < 0 && !stopped && (pack = pack_folder_find(packs, &id, &i, &position));) {
        r = ask_pack(pack, position, question, &e);
        if (r == 0 && question->wanted == WANTED_BYTES &&
            !object_hash_fits(git_id, question->type, question->data, question->size)) {
            release(question, question->data);
            question->data = NULL;
            r = error_set(&e, EIO, "an object in the pack %s is damaged: its hash does not match",
                          pack->base);
        }
        if (r == -ESTALE || r == -ENOENT) {
            pack_folder_renew(packs, pack);
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

static int ask(struct pack_folder *packs, const git_oid *id, struct question *question)
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
    pack = pack_folder_find(packs_of(backend), &id, &i, &position);
    pack_file_put(pack);
    return pack != NULL;
}

static int backend_refresh(git_odb_backend *backend)
{
    struct error e = {0};
    int r = pack_folder_scan(packs_of(backend), &e);

    return r == 0 ? 0 : fail(r, &e);
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
    size_t count;
    /* A copy: the visitor may ask for objects. */
    struct pack_file **items = pack_folder_list(packs_of(backend), &count);
    int r = 0;

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

/* From the pack that has the first one: a version comes in a pack of its own. */
void checked_packs_sizes(git_odb *odb, const struct oid *ids, size_t count, uint64_t *sizes)
{
    struct pack_file *pack = NULL;
    git_odb_backend *backend;
    struct pack_reader reader;
    uint32_t position;

    for (size_t i = 0; i < count; i++)
        sizes[i] = PACK_SIZES_UNKNOWN;
    for (size_t i = 0; count > 0 && !pack && i < git_odb_num_backends(odb); i++) {
        size_t from = 0;
        if (!git_odb_get_backend(&backend, odb, i) && backend->read == backend_read)
            pack = pack_folder_find(packs_of(backend), &ids[0], &from, &position);
    }
    if (pack && pack_file_begin(pack, &reader, NULL) == 0) {
        pack_sizes_find(&reader, ids, count, sizes);
        pack_file_end(pack, &reader);
    }
    pack_file_put(pack);
}

static void backend_free(git_odb_backend *backend)
{
    pack_folder_release(packs_of(backend));
    free(backend);
}

int checked_packs_new(git_odb_backend **out, struct cache *cache, const char *folder,
                      const char *base, struct error *e)
{
    struct checked_packs *packs = calloc(1, sizeof *packs);
    int r = packs ? pack_folder_open(&packs->packs, cache, folder, base, e) : error_no_memory(e);

    if (r < 0) {
        free(packs);
        return r;
    }
    git_odb_init_backend(&packs->parent, GIT_ODB_BACKEND_VERSION);
    packs->parent.read = backend_read;
    packs->parent.read_header = backend_read_header;
    packs->parent.exists = backend_exists;
    packs->parent.refresh = backend_refresh;
    packs->parent.foreach = backend_foreach;
    packs->parent.free = backend_free;
    *out = &packs->parent;
    return 0;
}
