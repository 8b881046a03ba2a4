/* fuzz_listing.c - any bytes as a kept listing: what is accepted is exactly what would be written, but
 * for the version without a checksum. */
#include "gitcache/base/listing.h"
#include "tests/fuzz/pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct listing listing;
    struct error e = {0};
    int r = listing_parse(&listing, (const char *)data, size, &e);

    check_error(r, &e);
    if (r == 0) {
        size_t length;
        char *text = listing_format(&listing, &length);
        if (!text || (!listing.unproven && (length != size || memcmp(text, data, size) != 0)))
            abort();
        free(text);
        listing_release(&listing);
    }
    return 0;
}
