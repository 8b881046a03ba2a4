#include "gitcache/store/shallow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "gitcache/base/disk.h"
#include "gitcache/base/library.h"
#include "gitcache/base/memory_file.h"
#include "gitcache/base/oid_set.h"
#include "gitcache/store/checked_odb.h"
#include "gitcache/store/commit.h"
#include "gitcache/store/known_pins.h"
#include "gitcache/store/pins.h"
#include "gitcache/store/repository_state.h"

#define MAX_SHALLOW ((size_t)64 << 20)

/* One new text of the file. */
struct update {
    struct repository *repository;
    git_odb *odb; /* what is on the disk now: what is open may have been removed by a gc */
    FILE *out;
    struct oid_set listed; /* is in the text */
    bool changed;
    struct error *e;
};

/* 0 or -ENOMEM. */
static int print_commit(struct update *update, const struct oid *commit)
{
    char hex[OID_HEX_SIZE];

    if (oid_set_find(&update->listed, commit) != OID_SET_NONE)
        return 0;
    fprintf(update->out, "%s\n", oid_format(commit, hex));
    return oid_set_add(&update->listed, commit);
}

/* Takes over the lines that name commits which are here. 0 if others are in it: it is damaged
 * then, and others may be missing. 1 if it is sound. */
static int print_old(struct update *update, const char *text, size_t size)
{
    int sound = 1;

    for (const char *line = text, *end = text + size; line < end; line += OID_HEX + 1) {
        struct oid commit;
        git_oid id;

        if (end - line <= OID_HEX || line[OID_HEX] != '\n' || !oid_parse(&commit, line, OID_HEX))
            return 0;
        library_oid_to_git(&id, &commit);
        if (!git_odb_exists(update->odb, &id))
            sound = 0;
        else if (print_commit(update, &commit) < 0)
            return error_no_memory(update->e);
    }
    return sound;
}

static int print_if_new(struct update *update, const struct oid *commit)
{
    size_t before = update->listed.count;
    bool cut = false;
    int r = oid_set_find(&update->listed, commit) != OID_SET_NONE
                ? 0
                : commit_is_cut(update->odb, commit, &cut, update->e);

    if (r == 0 && oid_set_find(&update->listed, commit) == OID_SET_NONE && cut)
        r = print_commit(update, commit) < 0 ? error_no_memory(update->e) : 0;
    update->changed = update->changed || update->listed.count > before;
    return r;
}

static int print_pin(void *data, const struct pin *pin)
{
    int r = print_if_new(data, &pin->version.commit);
    return r == -EIO ? 0 : r; /* a damaged one is mended elsewhere */
}

static int print_all(struct update *update, const char *old, size_t old_size, bool whole,
                     const struct oid *commits, size_t count)
{
    int sound = old ? print_old(update, old, old_size) : 0, r = 0;

    if (sound < 0)
        return sound;
    if (!sound || whole) {
        update->changed = old && !sound;
        r = pins_scan(update->repository, update->e);
        if (r == 0)
            r = known_pins_each(update->repository, print_pin, update);
    }
    for (size_t i = 0; i < count && r == 0; i++)
        r = print_if_new(update, &commits[i]);
    return r;
}

/* What stands in the file now; NULL if there is none, or something else is in its place. That it cannot be
 * read is another thing: what is in it would be lost. */
static int read_old(const char *path, char **old, size_t *size, struct error *e)
{
    struct stat st;
    int r = disk_read(path, MAX_SHALLOW, old, size, e);

    if (r == -ENOENT || r == -EFBIG || (r < 0 && lstat(path, &st) == 0 && !S_ISREG(st.st_mode)))
        return 0;
    return r;
}

/* `whole`: all that the pins need, else the file is believed where it seems sound. */
static int write_anew(struct repository *repository, bool whole, const struct oid *commits,
                      size_t count, struct error *e)
{
    struct update update = {.repository = repository, .e = e};
    char *path = disk_path(repository->folder, "shallow"), *old = NULL, *new = NULL;
    char *objects = disk_path(repository->folder, "objects");
    size_t old_size = 0, new_size;
    int r = path && objects ? checked_odb_open(&update.odb, repository->cache, objects, e)
                            : error_no_memory(e);

    if (r == 0 && !(update.out = memory_file_open(&new, &new_size)))
        r = error_no_memory(e);
    if (r == 0)
        r = read_old(path, &old, &old_size, e);
    if (r == 0) {
        r = print_all(&update, old, old_size, whole, commits, count);
    }
    if (update.out && fclose(update.out) && r == 0)
        r = error_no_memory(e);
    if (r == 0 && update.changed)
        r = disk_replace(path, new, new_size, true, e);
    oid_set_release(&update.listed);
    git_odb_free(update.odb);
    free(new);
    free(old);
    free(objects);
    free(path);
    return r;
}

int shallow_add(struct repository *repository, const struct oid *commits, size_t count,
                struct error *e)
{
    return write_anew(repository, false, commits, count, e);
}

int shallow_mend(struct repository *repository, struct error *e)
{
    return write_anew(repository, true, NULL, 0, e);
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

    r = git_odb_read_header(&size, &type, search->odb, id);
    if (r < 0)
        return library_error(search->e, r, "an object cannot be read");
    if (type != GIT_OBJECT_COMMIT)
        return 0;
    library_oid_from_git(&oid, id);
    r = commit_is_cut(search->odb, &oid, &cut, search->e);
    if (r == 0 && cut)
        fprintf(search->out, "%s\n", oid_format(&oid, hex));
    return r;
}

static int each_object(struct cut_search *search)
{
    struct error before = {0}, *e = search->e ? search->e : &before;
    int r;

    *e = before;
    search->e = e;
    r = git_odb_foreach(search->odb, print_if_cut, search);
    if (r < 0 && !e->errnum)
        return library_error(e, r, "the objects cannot be read");
    return r < 0 ? -e->errnum : 0;
}

int shallow_rewrite(struct repository *repository, git_odb *odb, bool keep_old, struct error *e)
{
    char *path = disk_path(repository->folder, "shallow"), *old = NULL, *new = NULL;
    struct cut_search search = {.odb = odb, .e = e};
    size_t old_size = 0, new_size;
    int r;

    search.out = memory_file_open(&new, &new_size);
    if (!path || !search.out) {
        r = error_no_memory(e);
        goto out;
    }
    r = keep_old ? read_old(path, &old, &old_size, e) : 0;
    if (old)
        fwrite(old, 1, old_size, search.out);
    if (r == 0)
        r = each_object(&search);
    if (fclose(search.out) && r == 0)
        r = error_no_memory(e);
    search.out = NULL;
    if (r == 0)
        r = disk_replace(path, new, new_size, true, e);
out:
    if (search.out)
        fclose(search.out);
    free(new);
    free(old);
    free(path);
    return r;
}
