#include "gitcache/base/memory_file.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 1024

struct memory_file {
    char **text;
    size_t *size;
    size_t room; /* without the NUL */
    bool failed;
};

static bool make_room(struct memory_file *file, size_t more)
{
    size_t wanted = file->room;
    char *text;

    if (more <= file->room - *file->size)
        return true;
    while (wanted - *file->size < more && wanted < SIZE_MAX / 2)
        wanted *= 2;
    text = wanted - *file->size >= more ? realloc(*file->text, wanted + 1) : NULL;
    if (!text)
        return false;
    *file->text = text;
    file->room = wanted;
    return true;
}

/* Returns 0 for an error, as fopencookie(3) wants it. After one, nothing is taken any more. */
static ssize_t on_write(void *cookie, const char *bytes, size_t size)
{
    struct memory_file *file = cookie;

    file->failed = file->failed || !make_room(file, size);
    if (file->failed)
        return 0;
    memcpy(*file->text + *file->size, bytes, size);
    *file->size += size;
    (*file->text)[*file->size] = '\0';
    return (ssize_t)size;
}

/* For ftell alone: what is written stays where it is. */
static int on_seek(void *cookie, off64_t *offset, int whence)
{
    const struct memory_file *file = cookie;

    if (whence != SEEK_CUR || *offset != 0)
        return -1;
    *offset = (off64_t)*file->size;
    return 0;
}

static int on_close(void *cookie)
{
    struct memory_file *file = cookie;
    bool failed = file->failed;
    char *fitted = failed ? NULL : realloc(*file->text, *file->size + 1);

    if (failed) {
        free(*file->text);
        *file->text = NULL;
        *file->size = 0;
    } else if (fitted) {
        *file->text = fitted;
    }
    free(file);
    return failed ? EOF : 0;
}

FILE *memory_file_open(char **text, size_t *size)
{
    const cookie_io_functions_t functions = {.write = on_write, .seek = on_seek, .close = on_close};
    struct memory_file *file = malloc(sizeof *file);
    FILE *stream = NULL;

    *text = malloc(FIRST_ROOM + 1);
    *size = 0;
    if (file && *text) {
        **text = '\0';
        *file = (struct memory_file){.text = text, .size = size, .room = FIRST_ROOM};
        stream = fopencookie(file, "w", functions);
    }
    if (!stream) {
        free(file);
        free(*text);
        *text = NULL;
    }
    return stream;
}
