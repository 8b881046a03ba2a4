#include "fs/service/start_points.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* One start-point while it is added. */
struct adding {
    struct start_points *start_points;
    const char *name;
    const struct error *files_error;
    struct paths paths;
    const char *file; /* the manifest.json */
    char folder[PATH_LENGTH];
};

static bool is_manifest(const char *path)
{
    const char *slash = strrchr(path, '/'), *last = slash ? slash + 1 : path;

    return strcmp(last, "manifest.json") == 0 && path[0] != '.' && !strstr(path, "/.");
}

/* A failure of a callback, or of manifest/ itself. */
static int files_failed(const struct adding *adding, const char *name, int r, struct error *e)
{
    const char *why = adding->files_error->errnum == -r ? adding->files_error->text : strerror(-r);

    if (name == adding->file)
        return error_set(e, -r, "%s", r == -EFBIG ? "is too large" : why);
    if (r == -EFBIG)
        return error_set(e, -r, "names the file %s, which is too large", name);
    return error_set(e, -r, "names the file %s: %s", name, why);
}

/* Reads what `name`, seen from `folder`, leads to. Sentences begin with "names the file". */
static int read_file(const struct adding *adding, const char *folder, const char *name, size_t most,
                     char **bytes, size_t *size, struct error *e)
{
    const struct start_point_files *files = adding->paths.files;
    const struct path *path;
    void *read = NULL;
    int r = paths_resolve(&adding->paths, folder, name, &path);

    if (r == PATH_IS_FOLDER)
        return error_set(e, EINVAL, "names the file %s, which is a folder", name);
    if (r == PATH_OUTSIDE)
        return error_set(e, EINVAL, "names the file %s, which is outside the start-point", name);
    if (r > 0)
        return error_set(e, EINVAL, "names the file %s, which does not exist", name);
    if (r == 0)
        r = files->read(files->data, path->name, most, &read, size);
    if (r < 0)
        return files_failed(adding, name, r, e);
    *bytes = read;
    return 0;
}

static int read_neighbour(void *data, const char *name, char **bytes, size_t *size, struct error *e)
{
    const struct adding *adding = data;
    return read_file(adding, adding->folder, name, MANIFEST_FILE_MOST, bytes, size, e);
}

static int append(struct start_points *start_points, const struct manifest_text *manifest,
                  struct error *e)
{
    size_t count = start_points->count;

    start_points->bytes += manifest->size;
    if (start_points->bytes > START_POINTS_MOST)
        return error_set(e, EFBIG, "the start-points have more than %zu bytes of text",
                         START_POINTS_MOST);
    if ((count & (count - 1)) == 0) { /* full at each power of two */
        struct manifest_text *items =
            reallocarray(start_points->items, count ? count * 2 : 1, sizeof *items);
        if (!items)
            return error_no_memory(e);
        start_points->items = items;
    }
    start_points->items[start_points->count++] = *manifest;
    return 0;
}

static void set_folder(struct adding *adding, const char *file)
{
    const char *slash = strrchr(file, '/');

    adding->file = file;
    snprintf(adding->folder, sizeof adding->folder, "%.*s", slash ? (int)(slash - file) : 0, file);
}

static int add_manifest(struct adding *adding, struct error *e)
{
    struct manifest_neighbours neighbours = {.read = read_neighbour, .data = adding};
    struct manifest_text manifest;
    char *bytes = NULL;
    size_t size = 0;
    int r = read_file(adding, "", adding->file, MANIFEST_TEXT_MOST, &bytes, &size, e);

    if (r == 0)
        r = manifest_text_make(&manifest, bytes, size, &neighbours, e);
    free(bytes);
    if (r < 0)
        return r;
    r = append(adding->start_points, &manifest, e);
    if (r < 0)
        manifest_text_release(&manifest);
    return r;
}

int start_points_add(struct start_points *start_points, const char *name,
                     const struct start_point_files *files, const struct error *files_error,
                     struct error *e)
{
    struct adding adding = {.start_points = start_points, .name = name, .files_error = files_error};
    struct error inner = {0};
    int r = paths_load(&adding.paths, files);

    if (r < 0)
        r = error_set(e, -r, "%s cannot be read: %s", name,
                      files_error->errnum == -r ? files_error->text : strerror(-r));
    for (size_t i = 0; r == 0 && i < adding.paths.count; i++) {
        if (!is_manifest(adding.paths.items[i].name))
            continue;
        set_folder(&adding, adding.paths.items[i].name);
        r = add_manifest(&adding, &inner);
        if (r < 0)
            error_set(e, -r, "%s: %s %s", name, adding.file, inner.text);
    }
    paths_release(&adding.paths);
    return r;
}

void start_points_release(struct start_points *start_points)
{
    for (size_t i = 0; i < start_points->count; i++)
        manifest_text_release(&start_points->items[i]);
    free(start_points->items);
    *start_points = (struct start_points){0};
}
