/* fuzz_lsrefs.c - any bytes as an answer to ls-refs: a listing that is sorted, holds only names
 * that may become folders, and survives being kept. */
#include "gitcache/net/advertisement.h"
#include "gitcache/net/lsrefs_command.h"
#include "tests/fuzz/pieces.h"

static void check_listing(const struct listing *listing)
{
    struct listing again;
    struct error e = {0};
    size_t length;
    char *text = listing_format(listing, &length);

    if (!text || listing_parse(&again, text, length, &e) < 0 || again.count != listing->count)
        abort();
    for (size_t i = 0; i < listing->count; i++) {
        const char *name = listing->refs[i].name;
        if (strstr(name, "..") || strchr(name, '\\') || strpbrk(name, " \n\t\x7f") ||
            (strcmp(name, "HEAD") != 0 && strncmp(name, "refs/", 5) != 0) ||
            (i && strcmp(listing->refs[i - 1].name, name) >= 0) ||
            listing_find(listing, name) != &listing->refs[i])
            abort();
    }
    listing_default(listing);
    free(text);
    listing_release(&again);
}

/* The same bytes as what a server of version 0 says first. */
static void read_advertisement(const uint8_t *data, size_t size,
                               const struct lsrefs_command_branches *branches)
{
    struct lsrefs_command lsrefs;
    struct advertisement advertisement;
    struct answer answer;
    struct error e = {0};
    int r;

    lsrefs_command_init(&lsrefs, "it", branches, 4096, NULL);
    advertisement_init(&advertisement, "it", &lsrefs, 4096);
    answer = advertisement_answer(&advertisement);
    r = feed_pieces(answer, data, size, &e);
    check_error(r, &e);
    if (r == 0 && answer.is_whole(answer.parser) && advertisement.found.version_0)
        check_listing(&lsrefs.listing);
    advertisement_release(&advertisement);
    lsrefs_command_release(&lsrefs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"trunk", "a/b"};
    static const struct lsrefs_command_branches branches = {names, 2};
    struct lsrefs_command lsrefs;
    struct answer answer;
    struct error e = {0};
    int r;

    lsrefs_command_init(&lsrefs, "it", &branches, 4096, NULL);
    answer = lsrefs_command_answer(&lsrefs);
    r = feed_pieces(answer, data, size, &e);
    check_error(r, &e);
    if (r == 0 && answer.is_whole(answer.parser))
        check_listing(&lsrefs.listing);
    lsrefs_command_release(&lsrefs);
    read_advertisement(data, size, &branches);
    return 0;
}
