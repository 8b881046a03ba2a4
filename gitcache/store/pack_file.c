#include "gitcache/store/pack_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADER_SIZE 12
#define MAX_INDEX   ((uint64_t)1 << 32)
#define CHUNK       ((size_t)256 << 10)

static char *path_of(const char *base, const char *suffix)
{
    char *path;
    return asprintf(&path, "%s%s", base, suffix) < 0 ? NULL : path;
}

/* Opens one of the two files. */
static int open_part(const char *base, const char *suffix, struct stat *st, struct error *e)
{
    char *path = path_of(base, suffix);
    int fd = path ? regular_open(path, O_RDONLY, st, e) : error_no_memory(e);

    free(path);
    return fd;
}

/* Reads exactly that. EIO if the file is too short. */
static int read_exactly(int fd, void *bytes, size_t size, uint64_t offset, const char *base,
                        struct error *e)
{
    size_t got = 0;

    while (got < size) {
        ssize_t n = pread(fd, (char *)bytes + got, size - got, (off_t)(offset + got));
        int errnum = errno;

        if (n < 0 && errnum == EINTR)
            continue;
        if (n < 0)
            return error_set(e, errnum, "cannot read the pack %s: %s", base, strerror(errnum));
        if (n == 0)
            return error_set(e, EIO, "the pack %s is damaged: it is cut short", base);
        got += (size_t)n;
    }
    return 0;
}

static int read_index(struct pack_file *pack, uint64_t pack_size, struct error *e)
{
    struct stat st;
    int fd = open_part(pack->base, ".idx", &st, e), r;
    unsigned char *bytes = NULL;

    if (fd < 0)
        return fd;
    pack->index_stamp = regular_stamp_of(&st);
    if ((uint64_t)st.st_size > MAX_INDEX) {
        r = error_set(e, EIO, "the pack's index %s.idx is damaged: it is too large", pack->base);
    } else {
        bytes = malloc((size_t)st.st_size + 1);
        r = bytes ? read_exactly(fd, bytes, (size_t)st.st_size, 0, pack->base, e)
                  : error_no_memory(e);
    }
    close(fd);
    if (r == 0)
        r = pack_index_parse(&pack->index, bytes, (size_t)st.st_size, pack_size, pack->base, e);
    if (r < 0)
        free(bytes);
    return r;
}

/* The pack's beginning and end are what the index says. */
static int check_pair(struct pack_file *pack, int fd, uint64_t size, struct error *e)
{
    const uint32_t count = pack->index.count;
    const unsigned char wanted[HEADER_SIZE] = {'P',
                                               'A',
                                               'C',
                                               'K',
                                               0,
                                               0,
                                               0,
                                               2,
                                               (unsigned char)(count >> 24),
                                               (unsigned char)(count >> 16),
                                               (unsigned char)(count >> 8),
                                               (unsigned char)count};
    unsigned char header[HEADER_SIZE], sum[SHA1_SIZE];
    int r = read_exactly(fd, header, sizeof header, 0, pack->base, e);

    if (r == 0)
        r = read_exactly(fd, sum, sizeof sum, size - sizeof sum, pack->base, e);
    if (r < 0)
        return r;
    if (memcmp(header, wanted, sizeof header) != 0)
        return error_set(e, EIO, "the pack %s is damaged: its header does not match its index",
                         pack->base);
    if (memcmp(sum, pack->index.pack_sum, sizeof sum) != 0)
        return error_set(e, EIO, "the pack %s is damaged: it does not belong to its index",
                         pack->base);
    return 0;
}

int pack_file_open(struct pack_file **out, const char *base, struct pack_descriptors *descriptors,
                   struct error *e)
{
    struct pack_file *pack = calloc(1, sizeof *pack);
    struct stat st;
    int fd, r;

    if (!pack)
        return error_no_memory(e);
    atomic_init(&pack->users, 1);
    pack->descriptors = descriptors;
    pack->base = strdup(base);
    fd = pack->base ? open_part(base, ".pack", &st, e) : error_no_memory(e);
    r = fd < 0 ? fd : 0;
    if (r == 0) {
        pack->pack_stamp = regular_stamp_of(&st);
        r = read_index(pack, (uint64_t)st.st_size, e);
    }
    if (r == 0)
        r = check_pair(pack, fd, (uint64_t)st.st_size, e);
    if (fd >= 0)
        close(fd);
    if (r < 0)
        pack_file_put(pack);
    else
        *out = pack;
    return r;
}

void pack_file_get(struct pack_file *pack)
{
    atomic_fetch_add(&pack->users, 1);
}

void pack_file_put(struct pack_file *pack)
{
    if (!pack || atomic_fetch_sub(&pack->users, 1) != 1)
        return;
    if (pack->descriptors)
        pack_descriptors_forget(pack->descriptors, pack);
    pack_index_release(&pack->index);
    free(pack->base);
    free(pack);
}

static bool is_same(const struct pack_file *pack, const struct stat *st)
{
    const struct regular_stamp now = regular_stamp_of(st);

    return regular_stamp_equal(&now, &pack->pack_stamp);
}

/* The pack as it was checked, for reading. */
static int open_same(const struct pack_file *pack, struct error *e)
{
    struct stat st;
    int fd = open_part(pack->base, ".pack", &st, e);

    if (fd < 0 || is_same(pack, &st))
        return fd;
    close(fd);
    return error_set(e, ESTALE, "the pack %s has been written to since it was checked", pack->base);
}

/* One that is held, if the file has not changed: written, or removed. -1: there is none. */
static int take_held(const struct pack_file *pack)
{
    int fd = pack->descriptors ? pack_descriptors_take(pack->descriptors, pack) : -1;
    struct stat st;

    if (fd < 0 || (fstat(fd, &st) == 0 && is_same(pack, &st)))
        return fd;
    close(fd);
    return -1;
}

int pack_file_begin(const struct pack_file *pack, struct pack_reader *out, struct error *e)
{
    *out = (struct pack_reader){.index = &pack->index, .shown = pack->base};
    out->fd = take_held(pack);
    if (out->fd < 0)
        out->fd = open_same(pack, e);
    return out->fd < 0 ? out->fd : 0;
}

void pack_file_end(const struct pack_file *pack, struct pack_reader *reader)
{
    if (pack->descriptors)
        pack_descriptors_give(pack->descriptors, pack, reader->fd);
    else
        close(reader->fd);
}

int pack_file_check(const struct pack_file *pack, struct error *e)
{
    uint64_t left = pack->pack_stamp.size - SHA1_SIZE, at = 0;
    unsigned char *chunk = malloc(CHUNK), sum[SHA1_SIZE];
    int fd = chunk ? open_same(pack, e) : error_no_memory(e), r = fd < 0 ? fd : 0;
    struct sha1 sha1;

    sha1_begin(&sha1);
    while (r == 0 && left > 0) {
        size_t n = left < CHUNK ? (size_t)left : CHUNK;

        r = read_exactly(fd, chunk, n, at, pack->base, e);
        if (r == 0)
            sha1_add(&sha1, chunk, n);
        at += n;
        left -= n;
    }
    sha1_end(&sha1, sum);
    if (r == 0 && memcmp(sum, pack->index.pack_sum, sizeof sum) != 0)
        r = error_set(e, EIO, "the pack %s is damaged: its checksum does not match", pack->base);
    if (fd >= 0)
        close(fd);
    free(chunk);
    return r;
}

bool pack_file_is_good(const char *base, struct error *e)
{
    struct pack_file *pack;
    int r = pack_file_open(&pack, base, NULL, e);

    if (r < 0)
        return false;
    r = pack_file_check(pack, e);
    pack_file_put(pack);
    return r == 0;
}
