#include "fs/shared/last_reading.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gitcache/base/hash.h"

#define LAYOUT 1

/* Where a reading is. */
struct reading_place {
    uint64_t number; /* counts up; 0: none */
    uint64_t offset, size;
    uint64_t hash;  /* of the bytes */
    uint64_t check; /* of all above */
};

struct reading_head {
    char magic[8];
    uint64_t layout;
    struct reading_place places[2];
};

static const char magic[8] = "startpfs";

int last_reading_create(struct error *e)
{
    int fd = memfd_create("startpointfs-lists", 0);

    return fd >= 0 ? fd
                   : error_set(e, errno, "cannot make memory for the lists: %s", strerror(errno));
}

static uint64_t check_of(const struct reading_place *place)
{
    return hash_bytes(HASH_BEGIN, place, offsetof(struct reading_place, check));
}

static int read_at(int fd, void *bytes, size_t size, uint64_t offset)
{
    char *to = bytes;

    while (size > 0) {
        ssize_t n = pread(fd, to, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        to += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

static int write_at(int fd, const void *bytes, size_t size, uint64_t offset)
{
    const char *from = bytes;

    while (size > 0) {
        ssize_t n = pwrite(fd, from, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        from += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

/* 0; -ENOENT: the memory is empty; -EPROTO; or another negative errno. */
static int read_head(int fd, struct reading_head *head)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_size == 0)
        return -ENOENT;
    int r = read_at(fd, head, sizeof *head, 0);
    if (r < 0)
        return r;
    return memcmp(head->magic, magic, sizeof magic) == 0 && head->layout == LAYOUT ? 0 : -EPROTO;
}

/* The newest place that is whole; NULL: there is none. */
static struct reading_place *newest(int fd, struct reading_head *head)
{
    struct reading_place *found = NULL;
    struct stat st;

    if (fstat(fd, &st) < 0)
        return NULL;
    for (size_t i = 0; i < 2; i++) {
        struct reading_place *place = &head->places[i];
        uint64_t end = place->offset + place->size;
        bool fits = end >= place->offset && end <= (uint64_t)st.st_size;
        if (place->number > 0 && place->check == check_of(place) && fits &&
            (!found || place->number > found->number))
            found = place;
    }
    return found;
}

/* After the newest reading, or before it where that has room. */
static uint64_t free_offset(const struct reading_place *used, size_t size)
{
    if (!used || used->offset - sizeof(struct reading_head) >= size)
        return sizeof(struct reading_head);
    return used->offset + used->size;
}

int last_reading_put(int fd, const void *bytes, size_t size)
{
    struct reading_head head = {.layout = 0};
    int r = read_head(fd, &head);

    if (r == -ENOENT || r == -EPROTO || r == -EIO) {
        head = (struct reading_head){.layout = LAYOUT};
        memcpy(head.magic, magic, sizeof magic);
        r = ftruncate(fd, 0) < 0 ? -errno : write_at(fd, &head, sizeof head, 0);
    }
    if (r < 0)
        return r;
    const struct reading_place *used = newest(fd, &head);
    struct reading_place *next = used == &head.places[0] ? &head.places[1] : &head.places[0];
    *next = (struct reading_place){.number = used ? used->number + 1 : 1,
                                   .offset = free_offset(used, size),
                                   .size = size,
                                   .hash = hash_bytes(HASH_BEGIN, bytes, size)};
    next->check = check_of(next);
    r = write_at(fd, bytes, size, next->offset);
    if (r == 0)
        r = write_at(fd, next, sizeof *next, (uint64_t)((char *)next - (char *)&head));
    return r;
}

int last_reading_get(int fd, char **bytes, size_t *size)
{
    struct reading_head head = {.layout = 0};
    int r = read_head(fd, &head);

    if (r < 0)
        return r;
    const struct reading_place *place = newest(fd, &head);
    if (!place)
        return head.places[0].number || head.places[1].number ? -EIO : -ENOENT;
    char *copy = malloc(place->size + 1);
    if (!copy)
        return -ENOMEM;
    r = read_at(fd, copy, place->size, place->offset);
    if (r == 0 && hash_bytes(HASH_BEGIN, copy, place->size) != place->hash)
        r = -EIO;
    if (r < 0) {
        free(copy);
        return r;
    }
    copy[place->size] = '\0';
    *bytes = copy;
    *size = place->size;
    return 0;
}
