/* Versions 0 and 1 of the protocol: what a server says first, what it is asked, what it answers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gitcache/net/advertisement.h"
#include "gitcache/net/fetch_command.h"
#include "gitcache/net/site.h"
#include "tests/unit/feed.h"

#define ONE "1111111111111111111111111111111111111111"
#define TWO "2222222222222222222222222222222222222222"
#define WORDS                                                                             \
    "multi_ack side-band-64k ofs-delta shallow agent=git/2 symref=HEAD:refs/heads/trunk " \
    "no-progress"

static const char *const branch_names[] = {"feature"};
static const struct lsrefs_command_branches branches = {branch_names, 1};

/* A packet: its length is written in front; bytes may hold a NUL. */
static size_t add_packet(char *out, size_t at, const char *bytes, size_t size)
{
    at += (size_t)sprintf(out + at, "%04zx", size + 4);
    memcpy(out + at, bytes, size);
    return at + size;
}

#define ADD(bytes) at = add_packet(text, at, bytes, sizeof bytes - 1)

static size_t make_advertisement(char *text, const char *first, size_t first_size)
{
    size_t at = 0;

    at = add_packet(text, at, first, first_size);
    ADD(ONE " refs/heads/feature\n");
    ADD(ONE " refs/heads/other\n");
    ADD(ONE " refs/heads/trunk\n");
    ADD(TWO " refs/tags/annotated\n");
    ADD(ONE " refs/tags/annotated^{}\n");
    ADD(ONE " refs/tags/light");
    ADD("shallow " ONE);
    memcpy(text + at, "0000", 4);
    return at + 4;
}

static int read_advertisement(const char *bytes, size_t size, size_t piece, struct listing *out,
                              struct capabilities *can, struct error *e)
{
    struct lsrefs_command lsrefs;
    struct advertisement advertisement;
    struct answer answer;
    int r;

    lsrefs_command_init(&lsrefs, "it", &branches, 100000, NULL);
    advertisement_init(&advertisement, "it", &lsrefs, 100000);
    answer = advertisement_answer(&advertisement);
    r = feed_in_pieces(answer, bytes, size, piece, e);
    if (r == 0 && !answer.is_whole(answer.parser))
        r = -EAGAIN;
    *can = advertisement.found;
    *out = lsrefs.listing;
    lsrefs.listing = (struct listing){0};
    advertisement_release(&advertisement);
    lsrefs_command_release(&lsrefs);
    return r;
}

static void assert_ref(const struct listing *listing, const char *name, char oid, char peeled)
{
    const struct ref *ref = listing_find(listing, name);
    char hex[OID_HEX_SIZE];

    assert_non_null(ref);
    assert_int_equal(*oid_format(&ref->oid, hex), oid);
    assert_int_equal(*oid_format(&ref->peeled, hex), peeled);
}

static void test_advertisement(void **state)
{
    static const char first[] = ONE " HEAD\0" WORDS "\n";
    char text[2000];
    size_t size = make_advertisement(text, first, sizeof first - 1);
    struct capabilities can;
    struct listing listing;
    struct error e = {0};

    (void)state;
    for (size_t i = 0; i < FEED_PIECES; i++) {
        assert_int_equal(read_advertisement(text, size, feed_pieces[i], &listing, &can, &e), 0);
        assert_true(can.known && can.version_0 && can.multi_ack && can.side_band_64k &&
                    can.ofs_delta && can.shallow && can.agent && can.no_progress);
        assert_false(can.side_band || can.multi_ack_detailed || can.filter);
        assert_int_equal(listing.count, 5);
        assert_ref(&listing, "HEAD", '1', '1');
        assert_ref(&listing, "refs/heads/feature", '1', '1');
        assert_ref(&listing, "refs/heads/trunk", '1', '1'); /* HEAD leads to it */
        assert_ref(&listing, "refs/tags/annotated", '2', '1');
        assert_ref(&listing, "refs/tags/light", '1', '1');
        assert_string_equal(listing.head, "refs/heads/trunk");
        listing_release(&listing);
    }
    for (size_t n = 0; n < size; n++) {
        assert_int_equal(read_advertisement(text, n, 1000, &listing, &can, &e), -EAGAIN);
        assert_false(can.known);
        listing_release(&listing);
    }
}

static void test_other_beginnings(void **state)
{
    static const char no_refs[] =
        "0000000000000000000000000000000000000000 capabilities^{}\0shallow";
    static const char sha256[] = ONE "111111111111111111111111 HEAD\0object-format=sha256";
    char text[2000];
    struct capabilities can;
    struct listing listing;
    struct error e = {0};
    size_t at = 0;

    (void)state;
    ADD("# service=git-upload-pack\n");
    memcpy(text + at, "0000", 4);
    at += 4;
    ADD("version 1\n");
    at = add_packet(text, at, no_refs, sizeof no_refs - 1);
    memcpy(text + at, "0000", 4);
    assert_int_equal(read_advertisement(text, at + 4, 3, &listing, &can, &e), 0);
    assert_true(can.version_0 && can.shallow);
    assert_int_equal(listing.count, 0);
    at = add_packet(text, 0, sha256, sizeof sha256 - 1);
    assert_int_equal(read_advertisement(text, at, 3, &listing, &can, &e), -EIO);
    assert_non_null(strstr(e.text, "SHA-256"));
    assert_int_equal(read_advertisement("0000", 4, 1, &listing, &can, &e), 0);
    listing_release(&listing);
}

/* A byte at a time, so that one more is one too many. */
static void test_its_length_is_bounded(void **state)
{
    static const char first[] = ONE " HEAD\0" WORDS "\n";
    char text[2000];
    size_t size = make_advertisement(text, first, sizeof first - 1);

    (void)state;
    for (size_t most = size - 1; most <= size; most++) {
        struct lsrefs_command lsrefs;
        struct advertisement advertisement;
        struct error e = {0};

        lsrefs_command_init(&lsrefs, "it", &branches, 100000, NULL);
        advertisement_init(&advertisement, "it", &lsrefs, most);
        struct answer answer = advertisement_answer(&advertisement);
        assert_int_equal(feed_in_pieces(answer, text, size, 1, &e), most < size ? -EIO : 0);
        assert_int_equal(answer.useful(answer.parser), size);
        if (most < size)
            assert_non_null(strstr(e.text, "it: the listing has more than"));
        advertisement_release(&advertisement);
        lsrefs_command_release(&lsrefs);
    }
}

static void assert_request(const struct fetch_command_request *request,
                           const struct capabilities *can, const char *expected)
{
    struct pktline_buffer buffer = {0};

    fetch_command_build(&buffer, can, request);
    assert_int_equal(buffer.length, strlen(expected));
    assert_memory_equal(buffer.bytes, expected, buffer.length);
    pktline_buffer_release(&buffer);
}

static void test_request(void **state)
{
    struct oid wants[2];
    struct fetch_command_request request = {.wants = wants, .count = 2, .depth = 1};
    struct capabilities none = {.known = true, .version_0 = true}, can = none;

    (void)state;
    oid_parse(&wants[0], ONE, 40);
    oid_parse(&wants[1], TWO, 40);
    capabilities_note_all(&can, WORDS, strlen(WORDS));
    assert_request(&request, &can,
                   "007bwant " ONE " multi_ack side-band-64k ofs-delta no-progress shallow "
                   "agent=startpointfs\n0032want " TWO "\n000ddeepen 1\n00000009done\n");
    /* Nothing is asked for that was not offered. */
    request.commits_only = true;
    assert_request(&request, &none, "0032want " ONE "\n0032want " TWO "\n00000009done\n");
}

struct taken {
    char bytes[200];
    size_t length;
};

static int take(void *data, const void *bytes, size_t size)
{
    struct taken *taken = data;

    memcpy(taken->bytes + taken->length, bytes, size);
    taken->length += size;
    return 0;
}

static int read_answer(const struct capabilities *can, const char *bytes, size_t size, size_t piece,
                       struct taken *taken, struct error *e)
{
    struct fetch_command_request request = {.depth = 1};
    struct fetch_command fetch;
    struct answer answer;
    int r;

    *taken = (struct taken){.length = 0};
    fetch_command_init(&fetch, "it", 100, take, taken, NULL);
    fetch_command_expect(&fetch, can, &request);
    answer = fetch_command_answer(&fetch);
    r = feed_in_pieces(answer, bytes, size, piece, e);
    if (r == 0 && !answer_is_whole_at_end(&answer))
        r = -EAGAIN;
    fetch_command_release(&fetch);
    return r;
}

#define SHALLOW "0034shallow " ONE "0000"

static void test_answer(void **state)
{
    static const struct {
        bool shallow, side_band;
        const char *text;
    } cases[] = {
        {true, true, SHALLOW "0008NAK\n0009\1PACK0006\2?0006\1x0000"},
        {false, true, "0008NAK\n0009\1PACK0006\1x0000"},
        {true, false, SHALLOW "0008NAK\nPACKx"},
        {false, false, "0008NAK\nPACKx"},
    };
    struct taken taken;
    struct error e = {0};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct capabilities can = {.known = true,
                                   .version_0 = true,
                                   .shallow = cases[i].shallow,
                                   .side_band_64k = cases[i].side_band};
        for (size_t j = 0; j < FEED_PIECES; j++) {
            size_t size = strlen(cases[i].text);
            assert_int_equal(read_answer(&can, cases[i].text, size, feed_pieces[j], &taken, &e), 0);
            assert_int_equal(taken.length, 5);
            assert_memory_equal(taken.bytes, "PACKx", 5);
        }
    }
}

static void test_bad_answers(void **state)
{
    static const struct {
        const char *text;
        int r;
    } cases[] = {
        {"0008NAK\n", -EAGAIN},
        {"0008what", -EIO},
        {"0000", -EAGAIN},
        {"00000000", -EIO},
        {"0001", -EIO},
        {"0033ERR upload-pack: not our ref 11111111111111111111", -ENOENT},
        {SHALLOW "0034shallow " ONE, -EIO},
    };
    struct capabilities can = {.known = true, .version_0 = true, .shallow = true};
    struct taken taken;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error e = {0};
        int r = read_answer(&can, cases[i].text, strlen(cases[i].text), 7, &taken, &e);
        if (r != cases[i].r)
            fail_msg("%s: %d, %s", cases[i].text, r, e.text);
    }
}

/* A pack's header may claim what it likes. */
static void test_a_claim_of_4_billion_objects(void **state)
{
    static const char text[] = "0008NAK\nPACK\0\0\0\2\377\377\377\377rest";
    struct capabilities can = {.known = true, .version_0 = true};
    struct taken taken;
    struct error e = {0};

    (void)state;
    for (size_t i = 0; i < FEED_PIECES; i++)
        assert_int_equal(read_answer(&can, text, sizeof text - 1, feed_pieces[i], &taken, &e),
                         -EIO);
    assert_non_null(strstr(e.text, "4294967295 objects"));
}

static void test_what_is_kept_of_a_site(void **state)
{
    struct sites sites = {0};
    struct site *site = site_get(&sites, "https://me:secret@example.org/x/");
    char *text;

    (void)state;
    assert_string_equal(site->base, "https://example.org/x");
    assert_null(site_format(site));
    site_parse(site, "0 https://example.org/x.git multi_ack shallow nonsense");
    assert_true(site->can.known && site->can.version_0 && site->can.shallow && site->can.multi_ack);
    text = site_format(site);
    assert_string_equal(text, "0 https://example.org/x.git shallow multi_ack");
    free(text);
    site_forget(site);
    assert_false(site->can.known);
    /* Nothing that a damaged file says leads to a weaker place. */
    for (size_t i = 0; i < 4; i++) {
        static const char *const bad[] = {"2 http://example.org/x", "2 file:///etc", "2",
                                          "7 https://a/b"};
        site_parse(site, bad[i]);
        assert_string_equal(site->base, "https://example.org/x");
        assert_false(site->version_2);
    }
    site_parse(site, "2 https://mirror.example.org/x");
    assert_true(site->version_2);
    text = site_format(site);
    assert_string_equal(text, "2 https://mirror.example.org/x");
    free(text);
    site_release_all(&sites);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_advertisement),
        cmocka_unit_test(test_other_beginnings),
        cmocka_unit_test(test_its_length_is_bounded),
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_bad_answers),
        cmocka_unit_test(test_a_claim_of_4_billion_objects),
        cmocka_unit_test(test_what_is_kept_of_a_site),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
