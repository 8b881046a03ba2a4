/* fuzz_capabilities.c - any bytes as what a server says it can do. */
#include "gitcache/net/capabilities.h"
#include "tests/fuzz/pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct advertisement advertisement;
    struct answer answer;
    struct error e = {0};
    int r;

    advertisement_init(&advertisement, "it", "hint");
    answer = advertisement_answer(&advertisement);
    r = feed_pieces(answer, data, size, &e);
    check_error(r, &e);
    if (advertisement.found.known != (advertisement.state == ADVERT_WHOLE) && r == 0)
        abort();
    if (advertisement.found.known && (!advertisement.found.ls_refs || !advertisement.found.fetch))
        abort();
    advertisement_release(&advertisement);
    return 0;
}
