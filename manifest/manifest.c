/* manifest.c - see manifest.h. */
#include "manifest/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manifest/document.h"
#include "manifest/list_names.h"
#include "manifest/rules.h"

void manifest_list_init(struct manifest_list *list, enum start_point_type type, bool strict)
{
    *list = (struct manifest_list){.type = type, .strict = strict};
}

/* Copies a string into *to; NULL stays NULL. */
static int copy(char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return from && !*to ? -ENOMEM : 0;
}

static const char *string_of(struct document *document, const char *key, struct value *value)
{
    const char *string =
        document_find(document, key, value) ? json_string_value(value->json) : NULL;
    return string && *string ? string : NULL;
}

/* The first of ["NAME", "VERSION"]; NULL if there is none. */
static const char *first_of(struct document *document, const char *key)
{
    struct value value;

    return document_find(document, key, &value) && json_is_array(value.json)
               ? json_string_value(json_array_get(value.json, 0))
               : NULL;
}

static int keep_pair(struct manifest *manifest, struct document *document)
{
    const char *language = first_of(document, "language");
    const char *framework = first_of(document, "test_framework");

    if (!language || !framework)
        return 0;
    if (asprintf(&manifest->pair_name, "%s, %s", language, framework) >= 0)
        return 0;
    manifest->pair_name = NULL;
    return -ENOMEM;
}

/* Keeps what inspect, images and the check of display names need. */
static int keep_manifest(struct manifest_list *list, const struct start_point *start_point,
                         const struct check *check)
{
    size_t count = list->count;
    if ((count & (count - 1)) == 0) { /* full at each power of two */
        struct manifest *items = reallocarray(list->items, count ? count * 2 : 1, sizeof(*items));
        if (!items)
            return -ENOMEM;
        list->items = items;
    }
    struct manifest *manifest = &list->items[list->count++];
    memset(manifest, 0, sizeof(*manifest));
    struct value value;
    const char *image = string_of(check->document, "image_name", &value);
    const char *name = string_of(check->document, "display_name", &value);
    if (name)
        document_locate(check->document, value.span.start, &manifest->where);
    if (copy(&manifest->display_name, name) < 0 || copy(&manifest->url, start_point->url) < 0 ||
        copy(&manifest->sha, start_point->sha) < 0 ||
        copy((char **)&manifest->where.source, check->where.source) < 0 ||
        copy((char **)&manifest->where.file, check->where.file) < 0 ||
        keep_pair(manifest, check->document) < 0)
        return -ENOMEM;
    if (manifest->url)
        shown_clean(manifest->url);
    return list->type == TYPE_EXERCISES ? 0 : copy(&manifest->image_name, image);
}

static void check_document(struct manifest_list *list, const struct start_point *start_point,
                           struct check *check)
{
    char folder[PATH_LENGTH] = "";
    const char *slash = strrchr(check->where.file, '/');
    if (slash)
        memcpy(folder, check->where.file, (size_t)(slash - check->where.file));
    check->folder = folder;
    rules_check(check);
    int r = keep_manifest(list, start_point, check);
    if (r < 0)
        findings_fail(&list->findings, r);
}

static void refuse_file(struct manifest_list *list, const struct where *where, const char *why)
{
    findings_add(&list->findings, SEVERITY_ERROR, CODE_NOT_JSON, where, "%s", why);
    list->ended = true;
}

/* Reads a manifest, through symlinks. False if there is nothing to check; a finding says why. */
static bool read_manifest(struct manifest_list *list, const struct paths *paths,
                          const struct where *where, void **bytes, size_t *size)
{
    static const char too_big[] = "is larger than 1 MiB, which no manifest needs";
    const struct path *path;
    int r = paths_resolve(paths, "", where->file, &path);
    if (r > PATH_FOUND) {
        refuse_file(list, where, "is a symlink that leads to no file of this start-point");
        return false;
    }
    if (r == PATH_FOUND && path->size > MANIFEST_MAX) {
        refuse_file(list, where, too_big);
        return false;
    }
    if (r == PATH_FOUND)
        r = paths->files->read(paths->files->data, path->name, MANIFEST_MAX, bytes, size);
    if (r == -EFBIG)
        refuse_file(list, where, too_big);
    else if (r < 0)
        findings_fail(&list->findings, r);
    return r == PATH_FOUND;
}

static void check_manifest(struct manifest_list *list, const struct start_point *start_point,
                           const struct paths *paths, const char *file)
{
    void *bytes = NULL;
    size_t size = 0;
    struct document document = {0};
    struct check check = {
        .type = list->type,
        .strict = list->strict,
        .tag = start_point->tag,
        .paths = paths,
        .document = &document,
        .where = {.source = start_point->source, .file = file, .in_folder = start_point->is_folder},
        .findings = &list->findings,
    };
    if (!read_manifest(list, paths, &check.where, &bytes, &size))
        return;
    if (document_load(&document, bytes, size, &check.where, &list->findings))
        check_document(list, start_point, &check);
    else
        list->ended = true;
    document_release(&document);
    free(bytes);
}

/* A file manifest.json in no folder whose name begins with a dot. */
static bool is_manifest(const char *path)
{
    const char *part = path;
    for (const char *slash; (slash = strchr(part, '/')) != NULL; part = slash + 1) {
        if (*part == '.')
            return false;
    }
    return strcmp(part, "manifest.json") == 0;
}

int manifest_list_add(struct manifest_list *list, const struct start_point *start_point)
{
    if (list->ended)
        return 0;
    struct paths paths;
    size_t manifests = 0;
    int r = paths_load(&paths, start_point->files);
    for (size_t i = 0; r == 0 && !list->ended && i < paths.count; i++) {
        if (!is_manifest(paths.items[i].name))
            continue;
        manifests++;
        check_manifest(list, start_point, &paths, paths.items[i].name);
        r = list->findings.error;
    }
    if (r == 0 && manifests == 0) {
        struct where where = {.source = start_point->source, .in_folder = start_point->is_folder};
        findings_add(&list->findings, SEVERITY_ERROR, CODE_NO_MANIFEST, &where,
                     "has no manifest.json; folders whose name begins with a dot don't count");
        list->ended = true;
    }
    paths_release(&paths);
    return r;
}

int manifest_list_finish(struct manifest_list *list)
{
    if (list->ended)
        return list->findings.error;
    list_names_check_own(list);
    list_names_check_pairs(list);
    return list->findings.error;
}

void manifest_list_release(struct manifest_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct manifest *manifest = &list->items[i];
        free(manifest->display_name);
        free(manifest->image_name);
        free(manifest->pair_name);
        free(manifest->url);
        free(manifest->sha);
        free((char *)manifest->where.source);
        free((char *)manifest->where.file);
    }
    free(list->items);
    findings_release(&list->findings);
    memset(list, 0, sizeof(*list));
}
