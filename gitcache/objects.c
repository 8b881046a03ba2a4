#include "gitcache/objects.h"
#include "gitcache/raw_tree.h"
#include "gitcache/repository.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
static int cmp(const void *a, const void *b)
{
    return strcmp(((const struct tree_entry *)a)->name, ((const struct tree_entry *)b)->name);
}
int tree_read(struct repository *r, const struct oid *tree, const struct place *place,
              struct tree *out, struct error *e)
{
    (void)place;
    git_odb *odb = repository_odb_get(r);
    git_oid id;
    git_odb_object *o;
    memcpy(id.id, tree->id, 20);
    int c = git_odb_read(&o, odb, &id);
    if (c < 0) {
        repository_odb_put(r);
        return error_git(e, c, "tree");
    }
    size_t size = git_odb_object_size(o);
    memset(out, 0, sizeof *out);
    out->bytes = malloc(size + 1);
    memcpy(out->bytes, git_odb_object_data(o), size);
    git_odb_object_free(o);
    struct raw_tree t = {out->bytes, (char *)out->bytes + size};
    struct raw_entry en;
    out->entries = calloc(size / 24 + 1, sizeof *out->entries);
    while (raw_tree_next(&t, &en) == 1) {
        struct tree_entry *x = &out->entries[out->count++];
        x->name = en.name;
        x->name_length = en.name_length;
        x->oid = en.oid;
        x->kind = mode_is_tree(en.mode)      ? ENTRY_TREE
                  : mode_is_symlink(en.mode) ? ENTRY_SYMLINK
                  : mode_is_file(en.mode)    ? (en.mode & 0100 ? ENTRY_EXECUTABLE : ENTRY_FILE)
                                             : ENTRY_SUBMODULE;
        if (x->kind == ENTRY_FILE || x->kind == ENTRY_EXECUTABLE || x->kind == ENTRY_SYMLINK) {
            size_t n;
            git_object_t ty;
            memcpy(id.id, x->oid.id, 20);
            git_odb_read_header(&n, &ty, odb, &id);
            x->size = n;
        }
    }
    repository_odb_put(r);
    qsort(out->entries, out->count, sizeof *out->entries, cmp);
    return 0;
}
void tree_release(struct tree *t)
{
    free(t->entries);
    free(t->bytes);
}
int blob_read(struct repository *r, const struct oid *blob, const struct place *place, uint64_t max,
              void **out, size_t *size, struct error *e)
{
    (void)place;
    (void)max;
    git_odb *odb = repository_odb_get(r);
    git_oid id;
    git_odb_object *o;
    memcpy(id.id, blob->id, 20);
    int c = git_odb_read(&o, odb, &id);
    repository_odb_put(r);
    if (c < 0)
        return error_git(e, c, "blob");
    *size = git_odb_object_size(o);
    *out = malloc(*size + 1);
    memcpy(*out, git_odb_object_data(o), *size);
    git_odb_object_free(o);
    return 0;
}
