/* fuzz_fetch.c - any bytes as an answer to fetch, in version 2 and 0: the sink gets no more than the bound, and a whole
 * answer has a pack. */
#include <errno.h>

#include "gitcache/net/fetch_command.h"
#include "tests/fuzz/pieces.h"

#define MAX_PACK 1000

static int take(void *data, const void *bytes, size_t size)
{
    uint64_t *taken = data;

    if (!bytes || !size)
        abort();
    *taken += size;
    return *taken == 666 ? -ENOSPC : 0;
}

static void progress(void *data, uint64_t bytes, const char *line)
{
    const uint64_t *taken = data;

    if (bytes != *taken || (line && strlen(line) >= 200))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t taken = 0;
    struct watch watch = {progress, NULL, &taken, true};
    struct fetch_command fetch;
    struct answer answer;
    /* The first byte is also the pieces' size, so all four kinds of answer get all sizes near it. */
    unsigned kind = size ? data[0] % 4 : 0;
    struct capabilities can = {
        .known = kind > 0, .version_0 = kind > 0, .shallow = kind < 3, .side_band_64k = kind != 2};
    struct fetch_command_request request = {.depth = 1};
    struct error e = {0};
    int r;

    fetch_command_init(&fetch, "it", MAX_PACK, take, &taken, &watch);
    fetch_command_expect(&fetch, &can, &request);
    answer = fetch_command_answer(&fetch);
    r = feed_pieces(answer, data, size, &e);
    check_error(r, &e);
    if (taken > MAX_PACK || (r == 0 && answer_is_whole_at_end(&answer) && taken == 0))
        abort();
    fetch_command_release(&fetch);
    return 0;
}
