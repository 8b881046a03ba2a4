#include "fs/tree/lists_saved.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/shared/last_reading.h"
#include "gitcache/base/memory_file.h"

/* Strings, one after the other, each with a NUL behind it: "+TEXT", or "-" for none. In order:
 *
 *     FORMAT
 *     folders: COUNT, each PATH DEVICE HOLDS_SETS
 *     sets:    COUNT, each NAME PATH FOLDER TYPE, and
 *              sources: COUNT, each SPELLING TEXT GIVEN FILE LINE
 */
#define FORMAT "1"

/* ---- writing ---- */

static void put(FILE *out, const char *text)
{
    fputc(text ? '+' : '-', out);
    fputs(text ? text : "", out);
    fputc('\0', out);
}

static void put_number(FILE *out, uint64_t number)
{
    fprintf(out, "+%llu%c", (unsigned long long)number, '\0');
}

static void put_source(FILE *out, const struct source *source, const char *given)
{
    fputc('+', out);
    source_print(source, out);
    fputc('\0', out);
    put(out, source->text);
    put(out, given);
    put(out, source->file);
    put_number(out, source->line);
}

static void put_set(FILE *out, const struct mounted_set *mounted)
{
    const struct set *set = &mounted->set;

    put(out, set->name);
    put(out, mounted->path);
    put(out, mounted->found_in ? mounted->found_in->path : NULL);
    put(out, type_name(set->type));
    put_number(out, set->sources.count);
    for (size_t i = 0; i < set->sources.count; i++)
        put_source(out, &set->sources.items[i], set->given ? set->given[i] : NULL);
}

static void put_lists(FILE *out, const struct lists *lists)
{
    size_t folders = 0, sets = 0;

    for (const struct list_folder *folder = lists->folders; folder; folder = folder->next)
        folders++;
    for (const struct mounted_set *mounted = lists->first; mounted; mounted = mounted->next)
        sets++;
    put(out, FORMAT);
    put_number(out, folders);
    for (const struct list_folder *folder = lists->folders; folder; folder = folder->next) {
        put(out, folder->path);
        put_number(out, folder->device);
        put_number(out, folder->holds_sets);
    }
    put_number(out, sets);
    for (const struct mounted_set *mounted = lists->first; mounted; mounted = mounted->next)
        put_set(out, mounted);
}

int lists_saved_write(const struct lists *lists, int fd)
{
    char *bytes = NULL;
    size_t size = 0;
    FILE *out = memory_file_open(&bytes, &size);

    if (!out)
        return -ENOMEM;
    put_lists(out, lists);
    int r = fclose(out) == 0 ? 0 : -ENOMEM;
    if (r == 0)
        r = last_reading_put(fd, bytes, size);
    free(bytes);
    return r;
}

/* ---- reading ---- */

/* What is left. `bad` stays set: who reads looks at it when it matters. */
struct saved_reader {
    const char *at, *end;
    bool bad;
};

/* Borrowed; NULL for none, and for what is not there. */
static const char *take(struct saved_reader *reader)
{
    const char *text = reader->at;
    const char *nul = reader->at < reader->end
                          ? memchr(reader->at, '\0', (size_t)(reader->end - reader->at))
                          : NULL;

    if (reader->bad || !nul || (*text != '+' && *text != '-')) {
        reader->bad = true;
        return NULL;
    }
    reader->at = nul + 1;
    return *text == '+' ? text + 1 : NULL;
}

/* A string that must be there; "" if it is not. */
static const char *take_text(struct saved_reader *reader)
{
    const char *text = take(reader);

    reader->bad = reader->bad || !text;
    return text ? text : "";
}

static uint64_t take_number(struct saved_reader *reader)
{
    const char *text = take_text(reader);
    char *end;
    uint64_t number = strtoull(text, &end, 10);

    reader->bad = reader->bad || *end || end == text;
    return reader->bad ? 0 : number;
}

/* A copy in *out, NULL for none. */
static int take_copy(struct saved_reader *reader, char **out)
{
    const char *text = take(reader);

    *out = text ? strdup(text) : NULL;
    return text && !*out ? -ENOMEM : 0;
}

static int take_source(struct saved_reader *reader, struct source *source, char **given)
{
    int r = source_parse(source, take_text(reader), "/", NULL);

    if (r < 0)
        return r == -ENOMEM ? r : -EIO;
    free(source->text);
    source->text = NULL;
    r = take_copy(reader, &source->text);
    if (r == 0)
        r = take_copy(reader, given);
    if (r == 0)
        r = take_copy(reader, &source->file);
    source->line = (unsigned)take_number(reader);
    return r == 0 && !source->text ? -EIO : r;
}

static int take_sources(struct saved_reader *reader, struct set *set)
{
    size_t count = take_number(reader);

    if (reader->bad || count > (size_t)(reader->end - reader->at)) /* each takes some bytes */
        return -EIO;
    set->sources.items = calloc(count + 1, sizeof *set->sources.items);
    set->given = calloc(count + 1, sizeof *set->given);
    if (!set->sources.items || !set->given)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        int r = take_source(reader, &set->sources.items[i], &set->given[i]);
        set->sources.count = i + 1; /* what is there is released with the set */
        if (r < 0)
            return r;
    }
    return 0;
}

static struct list_folder *find_folder(const struct lists *lists, const char *path)
{
    struct list_folder *folder = lists->folders;

    while (folder && strcmp(folder->path, path) != 0)
        folder = folder->next;
    return folder;
}

static int take_set(struct saved_reader *reader, struct lists *lists)
{
    struct mounted_set *mounted = calloc(1, sizeof *mounted);
    int r;

    if (!mounted)
        return -ENOMEM;
    lists_append(lists, mounted);
    r = take_copy(reader, &mounted->set.name);
    if (r == 0)
        r = take_copy(reader, &mounted->path);
    const char *folder = take(reader), *type = take(reader);
    mounted->found_in = folder ? find_folder(lists, folder) : NULL;
    mounted->set.type = type ? type_find(type) : TYPE_NONE;
    if (r == 0 && (reader->bad || (folder && !mounted->found_in)))
        r = -EIO;
    return r == 0 ? take_sources(reader, &mounted->set) : r;
}

static int take_folder(struct saved_reader *reader, struct lists *lists)
{
    struct list_folder *folder = lists_add_folder(lists, take_text(reader));

    if (!folder)
        return -ENOMEM;
    folder->device = take_number(reader);
    folder->holds_sets = take_number(reader);
    return reader->bad ? -EIO : 0;
}

static int take_lists(struct saved_reader *reader, struct lists *lists)
{
    int r = 0;

    if (strcmp(take_text(reader), FORMAT) != 0)
        return -EPROTO;
    for (size_t i = take_number(reader); i > 0 && r == 0; i--)
        r = take_folder(reader, lists);
    for (size_t i = take_number(reader); i > 0 && r == 0; i--)
        r = take_set(reader, lists);
    return r == 0 && (reader->bad || reader->at != reader->end) ? -EIO : r;
}

int lists_saved_read(struct lists *lists, int fd, struct error *e)
{
    char *bytes = NULL;
    size_t size;
    int r = fd < 0 ? -ENOENT : last_reading_get(fd, &bytes, &size);

    if (r == 0) {
        struct saved_reader reader = {.at = bytes, .end = bytes + size};
        r = take_lists(&reader, lists);
    }
    free(bytes);
    if (r == 0)
        return 0;
    lists_clear(lists);
    return error_set(e, -r, "what the lists said last %s",
                     r == -ENOENT   ? "was not saved by the previous worker"
                     : r == -EPROTO ? "was saved by another version of this program"
                     : r == -ENOMEM ? "cannot be read: out of memory"
                                    : "is damaged");
}
