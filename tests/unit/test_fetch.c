#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gitcache/net/fetch_command.h"
#include "tests/unit/feed.h"

#define ONE "1111111111111111111111111111111111111111"

static void assert_request(const struct fetch_command_request *request,
                           const struct capabilities *can, const char *expected)
{
    struct pktline_buffer buffer = {0};

    fetch_command_build(&buffer, can, request);
    assert_int_equal(buffer.length, strlen(expected));
    assert_memory_equal(buffer.bytes, expected, buffer.length);
    pktline_buffer_release(&buffer);
}

#define START "0012command=fetch\n0017agent=startpointfs\n00010032want " ONE "\n"
#define END   "0010no-progress\n000eofs-delta\n0009done\n0000"

static void test_request(void **state)
{
    struct oid want;
    struct fetch_command_request request = {.wants = &want, .count = 1, .depth = 1};
    struct capabilities unknown = {0};
    struct capabilities all = {.known = true, .agent = true, .shallow = true, .filter = true};
    struct capabilities none = {.known = true, .agent = true};

    (void)state;
    assert_true(oid_parse(&want, ONE, 40));
    assert_request(&request, &unknown, START "000ddeepen 1\n" END);
    assert_request(&request, &all, START "000ddeepen 1\n" END);
    assert_request(&request, &none, START END);
    request = (struct fetch_command_request){.wants = &want, .count = 1, .commits_only = true};
    assert_request(&request, &unknown, START END);
    assert_request(&request, &all, START "0012filter tree:0\n" END);
}

/* What a fetch gave: the pack's bytes and what the watch was told. */
struct seen {
    char pack[1000], lines[1000];
    uint64_t bytes;
    int sink_answer;
};

static int take(void *data, const void *bytes, size_t size)
{
    struct seen *seen = data;

    strncat(seen->pack, bytes, size);
    return seen->sink_answer;
}

static void progress(void *data, uint64_t bytes, const char *line)
{
    struct seen *seen = data;

    seen->bytes = bytes;
    if (line) {
        strcat(seen->lines, line);
        strcat(seen->lines, "|");
    }
}

static int read_answer(const char *bytes, size_t size, size_t piece, struct seen *seen,
                       struct error *e)
{
    struct watch watch = {.progress = progress, .data = seen, .lines = true};
    struct fetch_command fetch;
    struct answer answer;
    int r;

    seen->pack[0] = seen->lines[0] = '\0';
    fetch_command_init(&fetch, "it", 100, take, seen, &watch);
    answer = fetch_command_answer(&fetch);
    r = feed_in_pieces(answer, bytes, size, piece, e);
    if (r == 0 && !answer.is_whole(answer.parser))
        r = -EAGAIN;
    fetch_command_release(&fetch);
    return r;
}

#define SHALLOW "0011shallow-info\n0035shallow " ONE "\n0001"
#define PACK    "000dpackfile\n"

static void test_answer(void **state)
{
    static const char text[] = SHALLOW PACK "000f\2Counting 1" /* a line in two pieces */
                                            "000b\00223\rCo\n"
                                            "0009\1PACK"
                                            "0005\1" /* a keep-alive */
                                            "000b\2a\033b\177\n\n"
                                            "0008\1xyz"
                                            "0000";
    struct seen seen = {0};
    struct error e = {0};

    (void)state;
    for (size_t i = 0; i < FEED_PIECES; i++) {
        assert_int_equal(read_answer(text, sizeof text - 1, feed_pieces[i], &seen, &e), 0);
        assert_string_equal(seen.pack, "PACKxyz");
        assert_string_equal(seen.lines, "Counting 123|Co|a?b?|");
        assert_int_equal(seen.bytes, 7);
    }
    for (size_t n = 0; n < sizeof text - 1; n++)
        assert_int_equal(read_answer(text, n, 4, &seen, &e), -EAGAIN);
}

/* Of a pack, what has come of a packet counts as well; messages never do. */
static void test_what_is_getting_on(void **state)
{
    static const struct {
        const char *text;
        uint64_t useful;
    } cases[] = {
        {"00", 0},
        {SHALLOW PACK, 0},
        {PACK "0400\2Counting objects, as ever", 0},
        {PACK "0009\1PACK", 4},
        {PACK "0009\1PACK0400\1abc", 7},
        {PACK "0009\1PACK0400\2abc", 4},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct seen seen = {0};
        struct watch watch = {.progress = progress, .data = &seen};
        struct fetch_command fetch;
        struct error e = {0};

        fetch_command_init(&fetch, "it", 100, take, &seen, &watch);
        struct answer answer = fetch_command_answer(&fetch);
        assert_int_equal(feed_in_pieces(answer, cases[i].text, strlen(cases[i].text), 5, &e), 0);
        assert_int_equal(answer.useful(answer.parser), cases[i].useful);
        fetch_command_release(&fetch);
    }
}

static void test_other_sections(void **state)
{
    static const char text[] =
        "0014acknowledgments\n0008NAK\n0031ACK " ONE "\n000aready\n0001" PACK "0009\1PACK0000";
    struct seen seen = {0};
    struct error e = {0};

    (void)state;
    assert_int_equal(read_answer(text, sizeof text - 1, 11, &seen, &e), 0);
    assert_string_equal(seen.pack, "PACK");
}

static void test_bad_answers(void **state)
{
    static const struct {
        const char *text, *sentence;
        int r;
    } cases[] = {
        {"0000", "without a pack", -EIO},
        {PACK "0000", "without a pack", -EIO},
        {PACK "0005\1"
              "0000",
         "without a pack", -EIO},
        {SHALLOW "0000", "without a pack", -EIO},
        {"0011shallow-info\n0000", "without a pack", -EIO},
        {"0011shallow-info\n0011shallow 1234\n", "not git's protocol: \"shallow 1234\"", -EIO},
        {"0011shallow-info\n000dpackfile\n", "not git's protocol", -EIO},
        {"0014acknowledgments\n000bgarbage", "\"garbage\"", -EIO},
        {"0012packfile-uris\n", "\"packfile-uris\"", -EIO},
        {"0001", "not git's protocol", -EIO},
        {PACK "0001", "not git's protocol", -EIO},
        {"0010wanted-refs\n0001"
         "0001",
         "a delimiter within a section", -EIO},
        {"0010wanted-refs\n0005x", "\"x\"", -EIO},
        {"0014acknowledgments\n000bACK 111", "\"ACK 111\"", -EIO},
        {"0014acknowledgments\n0032ACK " ONE "1\n", "\"ACK 1", -EIO},
        {PACK "0004", "not git's protocol", -EIO},
        {PACK "0006\4x", "sideband", -EIO},
        {PACK "0009\1PACK00000009\1PACK", "went on after the end", -EIO},
        {PACK "0009\1PACK00000000", "went on after the end", -EIO},
        {PACK "000d\3no more\n", "gave up: no more", -EIO},
        {PACK "0014\2fatal: lost it\n"
              "000d\3no more\n",
         "gave up: no more (lost it)", -EIO},
        {PACK "0006\3\n", "gave up", -EIO},
        {PACK "0005\3", "gave up", -EIO},
        {"0045ERR upload-pack: not our ref " ONE, "refused: upload-pack: not our ref", -ENOENT},
        {"001dERR Repository not found.", "refused: Repository not found.", -EHOSTUNREACH},
        {"000fERR on fire", "refused: on fire", -EIO},
        {"0008ERR ", "refused: ", -EIO},
        {"<!DOCTYPE html>", "not git's protocol", -EIO},
    };
    struct seen seen = {0};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error e = {0};
        int r = read_answer(cases[i].text, strlen(cases[i].text), 6, &seen, &e);
        if (r != cases[i].r || !strstr(e.text, cases[i].sentence))
            fail_msg("case %zu, %s: %d, %s", i, cases[i].text, r, e.text);
    }
}

static void test_bounds(void **state)
{
    struct seen seen = {0};
    struct error e = {0};
    char text[300];

    (void)state;
    snprintf(text, sizeof text, PACK "0068\1%099d0006\1x0000", 1);
    assert_int_equal(read_answer(text, strlen(text), 10, &seen, &e), 0);
    snprintf(text, sizeof text, PACK "0068\1%099d0007\1xx0000", 1);
    assert_int_equal(read_answer(text, strlen(text), 10, &seen, &e), -EIO);
    assert_non_null(strstr(e.text, "more than 100 bytes"));
    /* A pack of at most 100 bytes that says it has 65,535 objects. */
    static const char many[] = PACK "0011\1PACK\0\0\0\2\0\0\xff\xff";
    assert_int_equal(read_answer(many, sizeof many - 1, 7, &seen, &e), -EIO);
    assert_non_null(strstr(e.text, "claims to have 65535 objects"));
    /* Of nine bytes, than which none is smaller, 100 bytes hold 11. */
    static const char most[] = PACK "0011\1PACK\0\0\0\2\0\0\0\x0b"
                                    "0000";
    assert_int_equal(read_answer(most, sizeof most - 1, 7, &seen, &e), 0);
    static const char one_more[] = PACK "0011\1PACK\0\0\0\2\0\0\0\x0c"
                                        "0000";
    assert_int_equal(read_answer(one_more, sizeof one_more - 1, 7, &seen, &e), -EIO);
    assert_non_null(strstr(e.text, "claims to have 12 objects"));
}

static void test_sink_ends_the_transfer(void **state)
{
    struct seen seen = {.sink_answer = -ENOSPC};
    struct error e = {0};

    (void)state;
    assert_int_equal(read_answer(PACK "0009\1PACK0000", 26, 26, &seen, &e), -ENOSPC);
    assert_int_equal(e.errnum, ENOSPC);
}

/* Feeds one packet for ever; how many it took until that ended, 0 if nothing did. */
static size_t feed_endlessly(const char *start, const char *packet, size_t size, struct error *e)
{
    struct fetch_command fetch;
    struct seen seen = {0};
    size_t count = 0;
    int r;

    fetch_command_init(&fetch, "it", 100, take, &seen, NULL);
    struct answer answer = fetch_command_answer(&fetch);
    r = answer.feed(answer.parser, start, strlen(start), e);
    for (; r == 0 && count * size < UINT64_C(64) << 20; count++)
        r = answer.feed(answer.parser, packet, size, e);
    fetch_command_release(&fetch);
    return r == -EIO ? count : 0;
}

/* 16 MiB of it. */
static void test_endless_talk(void **state)
{
    static char progress_packet[4096] = "1000\2";
    struct error e = {0};

    (void)state;
    memset(progress_packet + 5, 'x', sizeof progress_packet - 5);
    /* Thirteen bytes have come before it. */
    assert_int_equal(feed_endlessly(PACK, progress_packet, sizeof progress_packet, &e), 4096);
    assert_string_equal(e.text, "it: the server sends endless messages beside its pack");
    assert_int_equal(feed_endlessly(PACK, "0005\1", 5, &e), ((16 << 20) - 13) / 5 + 1);
    assert_int_equal(feed_endlessly("0014acknowledgments\n", "0008NAK\n", 8, &e),
                     ((16 << 20) - 20) / 8 + 1);
}

/* What a server says is shown, but no more than a sentence has room for. */
static void test_long_words(void **state)
{
    struct seen seen = {0};
    struct error e = {0};
    char text[1000];

    (void)state;
    snprintf(text, sizeof text, "%04x%0*d", 4 + 101, 101, 1);
    assert_int_equal(read_answer(text, strlen(text), 10, &seen, &e), -EIO);
    assert_null(strchr(e.text, '1'));
    snprintf(text, sizeof text, "%04x%0*d", 4 + 100, 100, 1);
    assert_int_equal(read_answer(text, strlen(text), 10, &seen, &e), -EIO);
    assert_non_null(strstr(e.text, "01\""));
    /* Of a line of progress the beginning is kept, and its end is still its end. */
    snprintf(text, sizeof text, PACK "%04x\2%0*d\r%04x\2next\n0009\1PACK0000", 5 + 251, 250, 1, 10);
    assert_int_equal(read_answer(text, strlen(text), 10, &seen, &e), 0);
    assert_int_equal(strspn(seen.lines, "0"), 199);
    assert_string_equal(seen.lines + 199, "|next|");
}

static void test_a_partial_clone_says_what_to_do(void **state)
{
    static const char text[] = PACK "0033\2fatal: could not fetch x from promisor remote\n"
                                    "000d\3no more\n";
    struct seen seen = {0};
    struct error e = {0};

    (void)state;
    assert_int_equal(read_answer(text, sizeof text - 1, 10, &seen, &e), -EIO);
    assert_string_equal(
        e.text, "it: a partial clone that lacks an object of what is asked for (could not fetch x "
                "from promisor remote); name the repository that it was cloned from");
}

/* Also where nobody wants to know the reason, or how far it is. */
static void test_nobody_has_to_listen(void **state)
{
    struct fetch_command fetch;
    struct seen seen = {.sink_answer = -ENOSPC};

    (void)state;
    fetch_command_init(&fetch, "it", 100, take, &seen, NULL);
    struct answer answer = fetch_command_answer(&fetch);
    assert_int_equal(feed_in_pieces(answer, PACK "0009\1PACK0000", 26, 26, NULL), -ENOSPC);
    fetch_command_release(&fetch);
}

/* What the sink says is kept; where it says nothing, the errno is. */
static int say(void *data, const void *bytes, size_t size)
{
    (void)bytes;
    (void)size;
    return error_set(data, ENOSPC, "no room here");
}

static void test_the_sink_s_sentence_is_kept(void **state)
{
    struct fetch_command fetch;
    struct seen seen = {.sink_answer = -ENOSPC};
    struct error e = {.errnum = ENOSPC};

    (void)state;
    assert_int_equal(read_answer(PACK "0009\1PACK0000", 26, 26, &seen, &e), -ENOSPC);
    assert_string_equal(e.text, "it: the arriving pack cannot be stored: No space left on device");
    fetch_command_init(&fetch, "it", 100, say, &e, NULL);
    assert_int_equal(
        feed_in_pieces(fetch_command_answer(&fetch), PACK "0009\1PACK0000", 26, 26, &e), -ENOSPC);
    assert_string_equal(e.text, "no room here");
    fetch_command_release(&fetch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_what_is_getting_on),
        cmocka_unit_test(test_other_sections),
        cmocka_unit_test(test_bad_answers),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_sink_ends_the_transfer),
        cmocka_unit_test(test_endless_talk),
        cmocka_unit_test(test_long_words),
        cmocka_unit_test(test_a_partial_clone_says_what_to_do),
        cmocka_unit_test(test_nobody_has_to_listen),
        cmocka_unit_test(test_the_sink_s_sentence_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
