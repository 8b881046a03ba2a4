#include "fs/service/catalogue.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "fs/service/ruby_json.h"
#include "gitcache/base/memory_file.h"

/* A manifest by one of its names. */
struct catalogue_name {
    char *name;
    size_t place;
};

struct catalogue_tables {
    atomic_uint users;
    struct reply *manifests; /* one a manifest that was added */
    size_t count;
    struct catalogue_name *served, *own; /* sorted, each name once */
    size_t served_count, own_count;
};

/* While it is made. */
struct catalogue_draft {
    struct catalogue *catalogue;
    const struct manifest_text *manifests;
    size_t count;
    const char **names; /* borrowed: under which each is served */
};

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int compare_names(const void *a, const void *b)
{
    const struct catalogue_name *left = a, *right = b;
    int order = strcmp(left->name, right->name);

    return order ? order : (left->place > right->place) - (left->place < right->place);
}

/* 1, 0 or -ENOMEM. */
static int has_repetition(const char *const *names, size_t count)
{
    const char **sorted = calloc(count + 1, sizeof *sorted);
    bool found = false;

    if (!sorted)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        sorted[i] = names[i];
    qsort(sorted, count, sizeof *sorted, compare_strings);
    for (size_t i = 1; i < count && !found; i++)
        found = strcmp(sorted[i - 1], sorted[i]) == 0;
    free(sorted);
    return found;
}

/* The pairs' names if all have them and no two are alike, else the own ones. */
static int choose_names(struct catalogue_draft *draft)
{
    bool pairs = true;
    int r = 1;

    for (size_t i = 0; i < draft->count; i++) {
        draft->names[i] = draft->manifests[i].pair_name;
        pairs = pairs && draft->names[i];
    }
    if (pairs)
        r = has_repetition(draft->names, draft->count);
    if (r <= 0)
        return r;
    for (size_t i = 0; i < draft->count; i++)
        draft->names[i] = draft->manifests[i].own_name;
    return 0;
}

/* The table of some names, in which the last manifest of a name has it. */
static int make_table(struct catalogue_name **out, size_t *count,
                      const struct catalogue_draft *draft, bool own)
{
    struct catalogue_name *table = calloc(draft->count + 1, sizeof *table);
    size_t kept = 0;

    if (!table)
        return -ENOMEM;
    *out = table;
    for (size_t i = 0; i < draft->count; i++) {
        table[i].place = i;
        table[i].name = strdup(own ? draft->manifests[i].own_name : draft->names[i]);
        *count = i + 1;
        if (!table[i].name)
            return -ENOMEM;
    }
    qsort(table, draft->count, sizeof *table, compare_names);
    for (size_t i = 0; i < draft->count; i++) {
        if (kept > 0 && strcmp(table[kept - 1].name, table[i].name) == 0) {
            table[kept - 1].place = table[i].place;
            free(table[i].name);
        } else {
            table[kept++] = table[i];
        }
    }
    *count = kept;
    return 0;
}

static const struct catalogue_name *find_name(const struct catalogue_name *table, size_t count,
                                              const char *name)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(table[middle].name, name);
        if (order == 0)
            return &table[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* Ends a text that memory_file_open made, and takes it for a reply. */
static int take_text(struct reply *reply, FILE *out, char **text, size_t *size)
{
    if (!out || fclose(out) != 0)
        return -ENOMEM;
    return reply_init(reply, *text, *size);
}

static int make_strings(struct reply *reply, const char *key, const char **strings, size_t count,
                        bool once)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_file_open(&text, &size);
    const char *comma = "";

    if (!out)
        return -ENOMEM;
    qsort(strings, count, sizeof *strings, compare_strings);
    fprintf(out, "{\"%s\":[", key);
    for (size_t i = 0; i < count; i++) {
        if (once && i > 0 && strcmp(strings[i - 1], strings[i]) == 0)
            continue;
        fputs(comma, out);
        ruby_json_string(out, strings[i], strlen(strings[i]));
        comma = ",";
    }
    fputs("]}", out);
    return take_text(reply, out, &text, &size);
}

/* Where the last manifest of the i-th one's name stands; -1 if the name was written before. */
static ssize_t place_to_write(const struct catalogue_draft *draft, bool *written, size_t i)
{
    const struct catalogue_tables *private = draft->catalogue->private;
    const struct catalogue_name *name =
        find_name(private->served, private->served_count, draft->names[i]);
    size_t row = (size_t)(name - private->served);

    if (written[row])
        return -1;
    written[row] = true;
    return (ssize_t)name->place;
}

static int make_manifests(struct catalogue_draft *draft)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_file_open(&text, &size);
    bool *written = calloc(draft->count + 1, sizeof *written);
    const char *comma = "";

    if (out)
        fputs("{\"manifests\":{", out);
    for (size_t i = 0; out && written && i < draft->count; i++) {
        ssize_t place = place_to_write(draft, written, i);
        if (place < 0)
            continue;
        fputs(comma, out);
        ruby_json_string(out, draft->names[i], strlen(draft->names[i]));
        fputc(':', out);
        manifest_text_write(&draft->manifests[place], draft->names[i], out);
        comma = ",";
    }
    if (out)
        fputs("}}", out);
    int r = take_text(&draft->catalogue->manifests, out, &text, &size);
    if (!written)
        r = -ENOMEM;
    free(written);
    return r;
}

static int make_manifest(struct catalogue_draft *draft, size_t i)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_file_open(&text, &size);

    if (!out)
        return -ENOMEM;
    fputs("{\"manifest\":", out);
    manifest_text_write(&draft->manifests[i], draft->names[i], out);
    fputc('}', out);
    return take_text(&draft->catalogue->private->manifests[i], out, &text, &size);
}

static int make_image_names(struct catalogue_draft *draft)
{
    const struct catalogue_tables *private = draft->catalogue->private;
    const char **images = calloc(draft->count + 1, sizeof *images);
    size_t count = 0;

    if (!images)
        return -ENOMEM;
    for (size_t i = 0; i < private->served_count; i++) {
        const char *image = draft->manifests[private->served[i].place].image_name;
        if (image)
            images[count++] = image;
    }
    int r = make_strings(&draft->catalogue->image_names, "image_names", images, count, true);
    free(images);
    return r;
}

static int fill(struct catalogue_draft *draft)
{
    struct catalogue *catalogue = draft->catalogue;
    struct catalogue_tables *private = catalogue->private;

    int r = choose_names(draft);
    if (r == 0)
        r = make_table(&private->served, &private->served_count, draft, false);
    if (r == 0)
        r = make_table(&private->own, &private->own_count, draft, true);
    if (r == 0)
        r = make_manifests(draft);
    for (size_t i = 0; r == 0 && i < draft->count; i++) {
        r = make_manifest(draft, i);
        private->count = i + 1;
    }
    if (r == 0)
        r = make_image_names(draft);
    if (r == 0) /* sorts draft->names, so it comes last */
        r = make_strings(&catalogue->names, "names", draft->names, draft->count, false);
    catalogue->count = private->served_count;
    return r;
}

static int allocate(struct catalogue_draft *draft)
{
    struct catalogue *catalogue = calloc(1, sizeof *catalogue);

    draft->catalogue = catalogue;
    if (!catalogue)
        return -ENOMEM;
    catalogue->private = calloc(1, sizeof *catalogue->private);
    draft->names = calloc(draft->count + 1, sizeof *draft->names);
    if (!catalogue->private || !draft->names)
        return -ENOMEM;
    atomic_init(&catalogue->private->users, 1);
    catalogue->private->manifests = calloc(draft->count + 1, sizeof(struct reply));
    return catalogue->private->manifests ? 0 : -ENOMEM;
}

static void free_table(struct catalogue_name *table, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(table[i].name);
    free(table);
}

static void free_all(struct catalogue *catalogue)
{
    struct catalogue_tables *private = catalogue->private;

    if (private) {
        for (size_t i = 0; i < private->count; i++)
            reply_release(&private->manifests[i]);
        free(private->manifests);
        free_table(private->served, private->served_count);
        free_table(private->own, private->own_count);
        free(private);
    }
    reply_release(&catalogue->names);
    reply_release(&catalogue->manifests);
    reply_release(&catalogue->image_names);
    free(catalogue);
}

int catalogue_new(struct catalogue **out, const struct manifest_text *manifests, size_t count,
                  struct error *e)
{
    struct catalogue_draft draft = {.manifests = manifests, .count = count};
    int r = allocate(&draft);

    if (r == 0)
        r = fill(&draft);
    free(draft.names);
    if (r < 0) {
        if (draft.catalogue)
            free_all(draft.catalogue);
        return error_no_memory(e);
    }
    *out = draft.catalogue;
    return 0;
}

void catalogue_hold(struct catalogue *catalogue)
{
    atomic_fetch_add(&catalogue->private->users, 1);
}

void catalogue_put(struct catalogue *catalogue)
{
    if (catalogue && atomic_fetch_sub(&catalogue->private->users, 1) == 1)
        free_all(catalogue);
}

const struct reply *catalogue_find(const struct catalogue *catalogue, const char *name,
                                   size_t length)
{
    const struct catalogue_tables *private = catalogue->private;

    if (strlen(name) != length) /* a NUL in it */
        return NULL;
    const struct catalogue_name *found = find_name(private->served, private->served_count, name);
    if (!found)
        found = find_name(private->own, private->own_count, name);
    return found ? &private->manifests[found->place] : NULL;
}
