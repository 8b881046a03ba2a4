#include "gitcache/shallow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/disk.h"

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
        r = error_set(e, ENOMEM, "out of memory");
        goto out;
    }
    if (disk_read(path, MAX_SHALLOW, &old, &old_size, NULL) == 0)
        fwrite(old, 1, old_size, out);
    odb = repository_odb_get(repository);
    if (odb) {
        r = print_new(out, odb, old ? old : "", commits, count, &added, e);
        repository_odb_put(repository);
    }
    if (fclose(out) && !r)
        r = error_set(e, ENOMEM, "out of memory");
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
