#include "gitcache/store/checked_odb.h"

#include <git2/sys/odb_backend.h>
#include <stdlib.h>

#include "gitcache/base/disk.h"
#include "gitcache/base/library.h"
#include "gitcache/store/checked_loose.h"
#include "gitcache/store/checked_packs.h"

/* libgit2 asks the backend with the higher number first; an alternate, whatever its number, before
 * others: so there are none. */
enum { LOOSE_BEHIND = 1, PACKS_BEHIND, LOOSE, PACKS };

static int add(git_odb *odb, git_odb_backend *backend, int priority, struct error *e)
{
    int r = git_odb_add_backend(odb, backend, priority);

    if (r == 0)
        return 0;
    backend->free(backend);
    return library_error(e, r, "cannot open a folder of objects");
}

static int add_folder(git_odb *odb, struct cache *cache, const char *objects, bool behind,
                      struct error *e)
{
    git_odb_backend *backend;
    char *packs = disk_path(objects, "pack");
    int r = packs ? checked_packs_new(&backend, cache, packs, NULL, e) : error_no_memory(e);

    if (r == 0)
        r = add(odb, backend, behind ? PACKS_BEHIND : PACKS, e);
    if (r == 0)
        r = checked_loose_new(&backend, objects, e);
    if (r == 0)
        r = add(odb, backend, behind ? LOOSE_BEHIND : LOOSE, e);
    free(packs);
    return r;
}

int checked_odb_open(git_odb **out, struct cache *cache, const char *objects, struct error *e)
{
    git_odb *odb = NULL;
    int r = git_odb_new(&odb) ? error_no_memory(e) : add_folder(odb, cache, objects, false, e);

    if (r < 0)
        git_odb_free(odb);
    else
        *out = odb;
    return r;
}

int checked_odb_add(git_odb *odb, struct cache *cache, const char *objects, struct error *e)
{
    return add_folder(odb, cache, objects, true, e);
}

int checked_odb_add_pack(git_odb *odb, struct cache *cache, const char *base, struct error *e)
{
    git_odb_backend *backend;
    int r = checked_packs_new(&backend, cache, NULL, base, e);

    return r < 0 ? r : add(odb, backend, PACKS, e);
}

int checked_odb_add_loose(git_odb *odb, const char *objects, struct error *e)
{
    git_odb_backend *backend;
    int r = checked_loose_new(&backend, objects, e);

    return r < 0 ? r : add(odb, backend, LOOSE, e);
}
