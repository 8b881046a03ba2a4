#include "gitcache/store/shallow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/disk.h"
#include "gitcache/base/library.h"
#include "gitcache/store/commit.h"
#include "gitcache/store/odb.h"
#include "gitcache/store/repository_state.h"

#define MAX_SHALLOW ((size_t)64 << 20)

/* Of the commits, prints those that are cut and not in the text yet; counts them. */
static int print_new(FILE *out, git_odb *odb, const char *text, const struct oid *commits,
                     size_t count, size_t *added, struct error *e)
{
    char hex[OID_HEX_SIZE];
    bool cut;
    int r = 0;

    for (size_t i = 0; i < count && !r; i++) {
        r = commit_is_cut(odb, &commits[i], &cut, e);
        if (!r && cut && !strstr(text, oid_format(&commits[i], hex))) {
            fprintf(out, "%s\n", hex);
            ++*added;
        }
    }
    return r;
}

int shallow_add(struct repository *repository, const struct oid *commits, size_t count,
                struct error *e)
{
    char *path = disk_path(repository->folder, "shallow"), *old = NULL, *new = NULL;
    size_t old_size = 0, new_size, added = 0;
    git_odb *odb = NULL;
    FILE *out;
    int r = 0;

    out = open_memstream(&new, &new_size);
    if (!path || !out) {
        r = error_no_memory(e);
        goto out;
    }
    if (disk_read(path, MAX_SHALLOW, &old, &old_size, NULL) == 0)
        fwrite(old, 1, old_size, out);
    odb = odb_get(repository);
    if (odb) {
        r = print_new(out, odb, old ? old : "", commits, count, &added, e);
        odb_put(repository);
    }
    if (fclose(out) && !r)
        r = error_no_memory(e);
    out = NULL;
    if (!r && added)
        r = disk_replace(path, new, new_size, true, e);
out:
    if (out)
        fclose(out);
    free(new);
    free(old);
    free(path);
    return r;
}

/* A walk over all objects. */
struct cut_search {
    git_odb *odb;
    FILE *out;
    struct error *e;
};

static int print_if_cut(const git_oid *id, void *data)
{
    struct cut_search *search = data;
    git_object_t type;
    char hex[OID_HEX_SIZE];
    struct oid oid;
    size_t size;
    bool cut;
    int r;

    if (git_odb_read_header(&size, &type, search->odb, id) || type != GIT_OBJECT_COMMIT)
        return 0;
    oid_from_git(&oid, id);
    r = commit_is_cut(search->odb, &oid, &cut, search->e);
    if (!r && cut)
        fprintf(search->out, "%s\n", oid_format(&oid, hex));
    return r;
}

int shallow_rewrite(struct repository *repository, git_odb *odb, bool keep_old, struct error *e)
{
    char *path = disk_path(repository->folder, "shallow"), *old = NULL, *new = NULL;
    struct cut_search search = {.odb = odb, .e = e};
    size_t old_size = 0, new_size;
    int r;

    search.out = open_memstream(&new, &new_size);
    if (!path || !search.out) {
        r = error_no_memory(e);
        goto out;
    }
    if (keep_old && disk_read(path, MAX_SHALLOW, &old, &old_size, NULL) == 0)
        fwrite(old, 1, old_size, search.out);
    r = git_odb_foreach(odb, print_if_cut, &search);
    if (fclose(search.out) && !r)
        r = error_no_memory(e);
    search.out = NULL;
    if (!r)
        r = disk_replace(path, new, new_size, true, e);
out:
    if (search.out)
        fclose(search.out);
    free(new);
    free(old);
    free(path);
    return r;
}
