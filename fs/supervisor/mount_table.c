#include "fs/supervisor/mount_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* A file's lines, one after the other, without memory of its own. */
struct line_reader {
    int fd;
    size_t begin, end;
    char bytes[3 * PATH_MAX]; /* a longer line is passed over */
};

/* NULL: there are no more. */
static char *next_line(struct line_reader *reader)
{
    for (;;) {
        char *line = reader->bytes + reader->begin;
        char *newline = memchr(line, '\n', reader->end - reader->begin);
        if (newline) {
            *newline = '\0';
            reader->begin += (size_t)(newline - line) + 1;
            return line;
        }
        if (reader->begin == 0 && reader->end == sizeof reader->bytes)
            reader->end = 0;
        memmove(reader->bytes, line, reader->end - reader->begin);
        reader->end -= reader->begin;
        reader->begin = 0;
        ssize_t n =
            read(reader->fd, reader->bytes + reader->end, sizeof reader->bytes - reader->end);
        if (n <= 0)
            return NULL;
        reader->end += (size_t)n;
    }
}

/* The kernel writes blanks and backslashes as three octal digits. */
static void unescape(char *text)
{
    char *to = text;

    for (; *text; text++) {
        unsigned code;
        if (*text == '\\' && sscanf(text + 1, "%3o", &code) == 1) {
            *to++ = (char)code;
            text += 3;
        } else {
            *to++ = *text;
        }
    }
    *to = '\0';
}

static uint32_t owner_of(const char *options)
{
    const char *owner = strstr(options, "user_id=");

    return owner ? (uint32_t)strtoul(owner + strlen("user_id="), NULL, 10) : 0;
}

/* "36 35 98:0 /root /point options [tags...] - type source options" */
static bool read_row(char *line, struct mount_row *row)
{
    unsigned major, minor;
    int at = 0;

    if (sscanf(line, "%*u %*u %u:%u %*s %n", &major, &minor, &at) != 2 || !at)
        return false;
    char *point = line + at, *end = strchr(point, ' '), *rest = end ? strstr(end, " - ") : NULL;
    if (!rest || sscanf(rest, " - %63s", row->type) != 1 || (size_t)(end - point) >= PATH_MAX)
        return false;
    *end = '\0';
    row->owner = owner_of(strrchr(rest, ' '));
    unescape(point);
    strcpy(row->point, point);
    row->device = makedev(major, minor);
    return true;
}

int mount_table_each(const char *process, int (*visit)(void *data, const struct mount_row *row),
                     void *data)
{
    struct line_reader reader;
    struct mount_row row;
    char path[64], *line;
    int r = 0;

    snprintf(path, sizeof path, "/proc/%s/mountinfo", process);
    reader.fd = open(path, O_RDONLY | O_CLOEXEC);
    if (reader.fd < 0)
        return -errno;
    reader.begin = reader.end = 0;
    while (r == 0 && (line = next_line(&reader)))
        if (read_row(line, &row))
            r = visit(data, &row);
    close(reader.fd);
    return r;
}

/* Of those that lie upon one another, the kernel names the uppermost last. */
static int keep_if_there(void *data, const struct mount_row *row)
{
    struct mount_row *found = data;

    if (strcmp(row->point, found->point) == 0)
        *found = *row;
    return 0;
}

int mount_table_find(const char *mountpoint, struct mount_row *row)
{
    *row = (struct mount_row){.device = 0};
    if (strlen(mountpoint) >= sizeof row->point)
        return -ENAMETOOLONG;
    strcpy(row->point, mountpoint);
    int r = mount_table_each("self", keep_if_there, row);
    return r < 0 ? r : row->device != 0;
}
