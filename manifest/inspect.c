#include "manifest/inspect.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manifest/shown.h"

static int compare_display_names(const void *a, const void *b)
{
    const struct manifest *const *left = a, *const *right = b;
    return strcmp((*left)->display_name, (*right)->display_name);
}

static int compare_image_names(const void *a, const void *b)
{
    const struct manifest *const *left = a, *const *right = b;
    return strcmp((*left)->image_name, (*right)->image_name);
}

/* The manifests that have a display name, or an image name, in that name's order. */
static const struct manifest **sorted(const struct manifest_list *list, bool images, size_t *count)
{
    const struct manifest **items = calloc(list->count + 1, sizeof(*items));
    if (!items)
        return NULL;
    *count = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct manifest *manifest = &list->items[i];
        if (images ? manifest->image_name != NULL : manifest->display_name != NULL)
            items[(*count)++] = manifest;
    }
    qsort(items, *count, sizeof(*items), images ? compare_image_names : compare_display_names);
    return items;
}

static int set_string(json_t *object, const char *key, const char *value)
{
    return value ? json_object_set_new(object, key, json_string(value)) : 0;
}

static json_t *manifest_json(const struct manifest *manifest)
{
    json_t *object = json_object();
    if (!object)
        return NULL;
    if (set_string(object, "url", manifest->url) < 0 ||
        set_string(object, "sha", manifest->sha) < 0 ||
        set_string(object, "image_name", manifest->image_name) < 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

char *inspect_list(const struct manifest_list *list)
{
    char *text = NULL;
    size_t count, i = 0;
    const struct manifest **items = sorted(list, false, &count);
    json_t *object = json_object();
    if (items && object) {
        while (i < count &&
               json_object_set_new(object, items[i]->display_name, manifest_json(items[i])) == 0)
            i++;
        if (i == count)
            text = shown_json(object);
    }
    json_decref(object);
    free(items);
    return text;
}

char *inspect_images(const struct manifest_list *list)
{
    char *text = NULL;
    size_t size = 0, count;
    const struct manifest **items = sorted(list, true, &count);
    FILE *out = items ? open_memstream(&text, &size) : NULL;
    if (!out) {
        free(items);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || strcmp(items[i]->image_name, items[i - 1]->image_name) != 0)
            fprintf(out, "%s\n", items[i]->image_name);
    }
    free(items);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
