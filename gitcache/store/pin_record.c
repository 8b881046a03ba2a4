#include "gitcache/store/pin_record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/disk.h"
#include "gitcache/base/memory_file.h"
#include "gitcache/base/sorted.h"
#include "gitcache/base/summed.h"
#include "gitcache/store/skeleton.h"

/* The text: this line, a line "ID REF" a pin, sorted by ref, and the checksum's. */
static const char first_line[] = "startpointfs pins 1\n";

/* Where the ref is, or belongs. */
static size_t place_of(const struct pin_record *record, const char *ref, bool *found)
{
    return sorted_place(record->items, record->count, sizeof *record->items, ref, found);
}

int pin_record_set(struct pin_record *record, const char *ref, const struct oid *target)
{
    bool found;
    size_t at = place_of(record, ref, &found);
    char *copy;

    if (found) {
        record->items[at].target = *target;
        return 0;
    }
    if (record->count == record->room) {
        size_t room = record->room ? 2 * record->room : 16;
        struct pin_record_item *items = reallocarray(record->items, room, sizeof *items);

        if (!items)
            return -ENOMEM;
        record->items = items;
        record->room = room;
    }
    copy = strdup(ref);
    if (!copy)
        return -ENOMEM;
    memmove(&record->items[at + 1], &record->items[at],
            (record->count++ - at) * sizeof *record->items);
    record->items[at] = (struct pin_record_item){copy, *target};
    /* cppcheck-suppress memleak ; the item above owns it */
    return 0;
}

void pin_record_remove(struct pin_record *record, const char *ref)
{
    bool found;
    size_t at = place_of(record, ref, &found);

    if (!found)
        return;
    free(record->items[at].ref);
    memmove(&record->items[at], &record->items[at + 1],
            (--record->count - at) * sizeof *record->items);
}

const struct oid *pin_record_find(const struct pin_record *record, const char *ref)
{
    bool found;
    size_t at = place_of(record, ref, &found);

    return found ? &record->items[at].target : NULL;
}

void pin_record_release(struct pin_record *record)
{
    for (size_t i = 0; i < record->count; i++)
        free(record->items[i].ref);
    free(record->items);
    *record = (struct pin_record){.items = NULL};
}

/* 0, -EIO for a line that is none, or -ENOMEM. */
static int parse_line(struct pin_record *record, const char *line)
{
    struct oid target;

    if (strlen(line) <= OID_HEX + 1 || line[OID_HEX] != ' ' || !oid_parse(&target, line, OID_HEX) ||
        strncmp(line + OID_HEX + 1, "refs/", 5) != 0)
        return -EIO;
    return pin_record_set(record, line + OID_HEX + 1, &target);
}

static int parse(struct pin_record *record, char *text, size_t length)
{
    int r = 0;

    if (!summed_check(text, &length) || length < strlen(first_line) ||
        memcmp(text, first_line, strlen(first_line)) != 0)
        return -EIO;
    text[length] = '\0';
    for (char *line = text + strlen(first_line), *end; r == 0 && (end = strchr(line, '\n'));
         line = end + 1) {
        *end = '\0';
        r = parse_line(record, line);
    }
    return r;
}

int pin_record_load(struct pin_record *out, const char *folder, struct error *e)
{
    char *path = disk_path(folder, PIN_RECORD_FILE), *text = NULL;
    size_t size;
    int r;

    *out = (struct pin_record){.items = NULL};
    r = path ? disk_read(path, SKELETON_FILE_MOST, &text, &size, e) : error_no_memory(e);
    if (r == 0)
        r = parse(out, text, size);
    if (r == -ENOMEM)
        error_no_memory(e);
    if (r == -ENOTDIR)
        r = -ENOENT;
    if (r == -EIO || r == -EFBIG)
        r = error_set(e, EIO, "the record of pins %s is damaged", path);
    if (r < 0)
        pin_record_release(out);
    free(text);
    free(path);
    return r;
}

int pin_record_save(const struct pin_record *record, const char *folder, struct error *e)
{
    char *path = disk_path(folder, PIN_RECORD_FILE), *text = NULL, hex[OID_HEX_SIZE];
    char line[SUMMED_LINE_SIZE + 1];
    size_t size;
    FILE *out = memory_file_open(&text, &size);
    int r = path && out ? 0 : error_no_memory(e);

    if (r == 0) {
        fputs(first_line, out);
        for (size_t i = 0; i < record->count; i++)
            fprintf(out, "%s %s\n", oid_format(&record->items[i].target, hex),
                    record->items[i].ref);
        if (fflush(out) == 0) {
            summed_line(text, size, line);
            fputs(line, out);
        }
    }
    if (out && fclose(out) && r == 0)
        r = error_no_memory(e);
    if (r == 0) /* without a sync: after a power failure its checksum says whether it is whole */
        r = disk_replace(path, text, size, false, e);
    free(text);
    free(path);
    return r;
}
