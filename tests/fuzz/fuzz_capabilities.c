/* fuzz_capabilities.c - any bytes as the first thing that a server says. */
#include "gitcache/net/advertisement.h"
#include "tests/fuzz/pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct advertisement advertisement;
    struct answer answer;
    struct error e = {0};
    int r;

    advertisement_init(&advertisement, "it", NULL, 10000);
    answer = advertisement_answer(&advertisement);
    r = feed_pieces(answer, data, size, &e);
    check_error(r, &e);
    if (advertisement.found.known != (advertisement.state == ADVERTISEMENT_WHOLE) && r == 0)
        abort();
    if (advertisement.found.known && !advertisement.found.version_0 &&
        (!advertisement.found.ls_refs || !advertisement.found.fetch))
        abort();
    advertisement_release(&advertisement);
    return 0;
}
