/* fuzz_pktline.c - any bytes as packets: the same packets, however the bytes come divided. */
#include "gitcache/net/pktline.h"
#include "tests/fuzz/pieces.h"

struct seen {
    struct pktline_reader reader;
    uint64_t hash;
};

static int note(void *data, enum pktline_type type, const char *bytes, size_t length,
                struct error *e)
{
    struct seen *seen = data;

    (void)e;
    if (length > PKTLINE_MAX_DATA)
        abort();
    seen->hash = seen->hash * 31 + (unsigned)type + length;
    for (size_t i = 0; i < length; i++)
        seen->hash = seen->hash * 31 + (unsigned char)bytes[i];
    return 0;
}

static int feed(void *parser, const char *bytes, size_t size, struct error *e)
{
    struct seen *seen = parser;

    return pktline_reader_feed(&seen->reader, bytes, size, note, seen, e);
}

static int read_packets(const uint8_t *data, size_t size, uint64_t *hash)
{
    struct seen seen = {0};
    struct error e = {0};
    int r;

    pktline_reader_init(&seen.reader, "it");
    r = feed_pieces((struct answer){.feed = feed, .parser = &seen}, data, size, &e);
    check_error(r, &e);
    pktline_reader_release(&seen.reader);
    *hash = seen.hash;
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *whole = malloc(size + 1);
    uint64_t hash, whole_hash;
    int r;

    if (!whole)
        abort();
    memcpy(whole, data, size);
    whole[0] = 0;
    r = read_packets(data, size, &hash);
    if (read_packets(whole, size, &whole_hash) != r || hash != whole_hash)
        abort();
    free(whole);
    return 0;
}
