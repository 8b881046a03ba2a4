#include "gitcache/checkout/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gitcache/base/disk.h"
#include "gitcache/base/spool.h"

void output_init(struct output *output, const struct version_reader *reader)
{
    *output = (struct output){.reader = reader, .fd = -1};
}

static int make_room(struct output *output, size_t wanted)
{
    size_t room = output->room;
    char *data;

    if (wanted <= output->room)
        return 0;
    while (room < wanted)
        room += room / 2 + 256;
    data = realloc(output->data, room);
    if (!data)
        return -ENOMEM;
    output->data = data;
    output->room = room;
    return 0;
}

void output_expect(struct output *output, uint64_t size)
{
    if (!output->counts_only && size <= output->reader->max_file && size <= SPOOL_ABOVE)
        make_room(output, (size_t)size + 1);
}

/* Writes to the spool what is in memory. */
static int spill(struct output *output)
{
    int r = 0;

    if (output->fd < 0)
        output->fd = spool_open(output->reader->spool_folder, NULL);
    if (output->fd < 0)
        return output->fd;
    r = disk_write_all(output->fd, output->data, output->used);
    output->used = 0;
    return r;
}

int output_append(struct output *output, const char *bytes, size_t size)
{
    int r;

    if (output->counts_only) {
        output->size += size;
        return 0;
    }
    if (size > output->reader->max_file - output->size)
        return -EFBIG;
    r = make_room(output, output->used + size + 1);
    if (r < 0)
        return r;
    memcpy(output->data + output->used, bytes, size);
    output->used += size;
    output->size += size;
    return output->used > output->reader->spool_above && output->reader->spool_folder
               ? spill(output)
               : 0;
}

int output_restart(struct output *output)
{
    output->size = output->used = 0;
    if (output->fd >= 0 && (ftruncate(output->fd, 0) < 0 || lseek(output->fd, 0, SEEK_SET) < 0))
        return -errno;
    return 0;
}

int output_finish(struct output *output, struct content *out)
{
    int r = output->fd >= 0 ? spill(output) : make_room(output, output->used + 1);

    if (r < 0)
        return r;
    *out = (struct content){.size = (size_t)output->size, .fd = output->fd};
    if (output->fd < 0) {
        output->data[output->used] = '\0';
        out->data = output->data;
        output->data = NULL;
    }
    output->fd = -1;
    output_release(output);
    return 0;
}

void output_release(struct output *output)
{
    free(output->data);
    if (output->fd >= 0)
        close(output->fd);
    *output = (struct output){.fd = -1};
}
