#include "gitcache/checkout/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
    char *data;

    if (output->counts_only || size <= output->room || size > output->max)
        return;
    data = realloc(output->data, size);
    if (data) {
        output->data = data;
        output->room = size;
    }
}

int output_append(struct output *output, const char *bytes, size_t size)
{
    if (!output->counts_only) {
        if (size > output->max - output->size)
            return -EFBIG;
        if (make_room(output, output->size + size))
            return -ENOMEM;
        memcpy(output->data + output->size, bytes, size);
    }
    output->size += size;
    return 0;
}

void output_restart(struct output *output)
{
    output->size = 0;
}

void output_release(struct output *output)
{
    free(output->data);
    *output = (struct output){.data = NULL};
}
