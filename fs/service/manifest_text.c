#include "fs/service/manifest_text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "fs/service/json_object.h"
#include "fs/service/ruby_json.h"
#include "gitcache/base/memory_file.h"

/* Ruby's JSON.generate stops at 100, and the answer has two more around this. */
#define DEEPEST 98

/* One manifest while its text is made. */
struct making {
    const struct manifest_neighbours *neighbours;
    struct json_object object;
    struct manifest_text *made;
    FILE *out;
    struct error *e;
};

/* The line, from 1, of a byte. */
static unsigned line_of(const char *bytes, size_t at)
{
    unsigned line = 1;

    for (size_t i = 0; i < at; i++)
        line += bytes[i] == '\n';
    return line;
}

static int parse(struct making *making, const char *bytes, size_t size)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    size_t mark = strlen(byte_order_mark), fault;
    struct json_span value;

    if (size >= mark && memcmp(bytes, byte_order_mark, mark) == 0) {
        bytes += mark;
        size -= mark;
    }
    int r = json_text_check(bytes, size, DEEPEST, &value, &fault);
    if (r == -E2BIG)
        return error_set(making->e, EINVAL, "is nested deeper than %d, line %u", DEEPEST,
                         line_of(bytes, fault));
    if (r < 0)
        return error_set(making->e, EINVAL, "is not JSON, line %u", line_of(bytes, fault));
    r = json_object_init(&making->object, value);
    if (r == -EINVAL)
        return error_set(making->e, EINVAL, "is not a JSON object");
    return r < 0 ? error_no_memory(making->e) : 0;
}

/* A string that can be a C string; `what` names it in the sentence. */
static int take_string(struct making *making, struct json_span value, const char *what, char **out)
{
    size_t length;

    if (*value.at != '"')
        return error_set(making->e, EINVAL, "%s is not a string", what);
    *out = json_text_string(value, &length);
    if (!*out)
        return error_no_memory(making->e);
    if (strlen(*out) == length)
        return 0;
    free(*out);
    *out = NULL;
    return error_set(making->e, EINVAL, "%s contains a NUL", what);
}

/* The first of ["NAME", "VERSION"]; NULL without an error if there is no such pair. */
static int take_pair(struct making *making, const char *key, char **name)
{
    const struct json_member *member = json_object_find(&making->object, key);
    struct json_span rest, first;

    *name = NULL;
    if (!member || *member->value.at != '[')
        return 0;
    rest = json_text_enter(member->value);
    if (!json_text_next_element(&rest, &first) || *first.at != '"')
        return 0;
    return take_string(making, first, key, name);
}

static int take_pairs(struct making *making)
{
    char *language = NULL, *framework = NULL;
    int r = take_pair(making, "language", &language);

    if (r == 0)
        r = take_pair(making, "test_framework", &framework);
    if (r == 0 && language && framework &&
        asprintf(&making->made->pair_name, "%s, %s", language, framework) < 0) {
        making->made->pair_name = NULL;
        r = error_no_memory(making->e);
    }
    free(language);
    free(framework);
    return r;
}

static int take_names(struct making *making)
{
    const struct json_member *name = json_object_find(&making->object, "display_name");
    const struct json_member *image = json_object_find(&making->object, "image_name");
    int r = 0;

    if (!name)
        return error_set(making->e, EINVAL, "has no display_name");
    r = take_string(making, name->value, "display_name", &making->made->own_name);
    if (r == 0 && image && *image->value.at == '"')
        r = take_string(making, image->value, "image_name", &making->made->image_name);
    return r == 0 ? take_pairs(making) : r;
}

static int put_file(struct making *making, const char *name)
{
    const struct manifest_neighbours *neighbours = making->neighbours;
    char *bytes = NULL;
    size_t size = 0, fault;
    int r = neighbours->read(neighbours->data, name, &bytes, &size, making->e);

    if (r == 0 && !json_text_is_utf8(bytes, size, &fault))
        r = error_set(making->e, EINVAL,
                      "names the file %s, which is not UTF-8: byte %zu, line %u; convert it", name,
                      fault + 1, line_of(bytes, fault));
    if (r == 0)
        ruby_json_string(making->out, bytes, size);
    free(bytes);
    return r;
}

/* The values of visible_filenames, each once, at its first place. */
static int put_visible_file(struct making *making, struct json_span element)
{
    char *name;
    int r = take_string(making, element, "a name in visible_filenames", &name);

    if (r < 0)
        return r;
    ruby_json_string(making->out, name, strlen(name));
    fputs(":{\"content\":", making->out);
    r = put_file(making, name);
    fputc('}', making->out);
    free(name);
    return r;
}

/* Whether an element before `until` is written alike, when decoded. */
static int stood_before(struct json_span list, struct json_span until, bool *out)
{
    struct json_span rest = json_text_enter(list), element;
    size_t length, other_length;
    char *name = json_text_string(until, &length);
    int r = 0;

    *out = false;
    if (!name)
        return -ENOMEM;
    while (r == 0 && !*out && json_text_next_element(&rest, &element) && element.at != until.at) {
        if (*element.at != '"')
            continue;
        char *other = json_text_string(element, &other_length);
        r = other ? 0 : -ENOMEM;
        *out = other && length == other_length && memcmp(name, other, length) == 0;
        free(other);
    }
    free(name);
    return r;
}

#define VISIBLE_MOST 1000 /* files that a manifest may name */

static int put_visible_files(struct making *making)
{
    const struct json_member *member = json_object_find(&making->object, "visible_filenames");
    struct json_span rest, element;
    const char *comma = "";
    size_t count = 0;
    int r = 0;

    if (!member || *member->value.at != '[')
        return error_set(making->e, EINVAL, "has no list visible_filenames");
    fputc('{', making->out);
    rest = json_text_enter(member->value);
    while (r == 0 && json_text_next_element(&rest, &element)) {
        bool again = false;
        if (++count > VISIBLE_MOST)
            return error_set(making->e, EINVAL, "names more than %d files", VISIBLE_MOST);
        if (*element.at == '"' && stood_before(member->value, element, &again) < 0)
            return error_no_memory(making->e);
        if (again)
            continue;
        fputs(comma, making->out);
        r = put_visible_file(making, element);
        comma = ",";
    }
    fputc('}', making->out);
    return r;
}

static int put_rag_lambda(struct making *making, struct json_span value)
{
    char *name;
    int r = take_string(making, value, "rag_lambda", &name);

    if (r < 0)
        return r;
    r = put_file(making, name);
    free(name);
    return r;
}

static int put_value(struct making *making, const struct json_member *member)
{
    bool is_extension = strcmp(member->key, "filename_extension") == 0 && *member->value.at == '"';
    int r = 0;

    if (strcmp(member->key, "display_name") == 0) {
        making->made->name_at = (size_t)ftell(making->out);
        return 0;
    }
    if (strcmp(member->key, "rag_lambda") == 0)
        return put_rag_lambda(making, member->value);
    if (strcmp(member->key, "visible_files") == 0)
        return put_visible_files(making);
    fputs(is_extension ? "[" : "", making->out);
    r = ruby_json_value(making->out, member->value);
    fputs(is_extension ? "]" : "", making->out);
    return r < 0 ? error_no_memory(making->e) : 0;
}

/* A manifest that has a key visible_files of its own keeps its place, as in a Ruby Hash. */
static int put_members(struct making *making)
{
    const char *comma = "";
    bool has_files = json_object_find(&making->object, "visible_files") != NULL;
    int r = 0;

    fputc('{', making->out);
    for (size_t i = 0; r == 0 && i < making->object.count; i++) {
        const struct json_member *member = &making->object.items[i];
        if (strcmp(member->key, "visible_filenames") == 0)
            continue;
        fputs(comma, making->out);
        ruby_json_string(making->out, member->key, member->length);
        fputc(':', making->out);
        r = put_value(making, member);
        comma = ",";
    }
    if (r == 0 && !has_files) {
        fputs(",\"visible_files\":", making->out);
        r = put_visible_files(making);
    }
    fputc('}', making->out);
    return r;
}

int manifest_text_make(struct manifest_text *out, const char *bytes, size_t size,
                       const struct manifest_neighbours *neighbours, struct error *e)
{
    struct manifest_text made = {0};
    struct making making = {.neighbours = neighbours, .made = &made, .e = e};
    int r = parse(&making, bytes, size);

    if (r == 0)
        r = take_names(&making);
    if (r == 0) {
        making.out = memory_file_open(&made.text, &made.size);
        r = making.out ? put_members(&making) : error_no_memory(e);
    }
    if (making.out && fclose(making.out) != 0 && r == 0)
        r = error_no_memory(e);
    json_object_release(&making.object);
    if (r < 0)
        manifest_text_release(&made);
    else
        *out = made;
    return r;
}

void manifest_text_release(struct manifest_text *manifest)
{
    free(manifest->own_name);
    free(manifest->pair_name);
    free(manifest->image_name);
    free(manifest->text);
    *manifest = (struct manifest_text){0};
}

void manifest_text_write(const struct manifest_text *manifest, const char *name, FILE *out)
{
    fwrite(manifest->text, 1, manifest->name_at, out);
    ruby_json_string(out, name, strlen(name));
    fwrite(manifest->text + manifest->name_at, 1, manifest->size - manifest->name_at, out);
}
