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
#include "gitcache/net/pktline.h"
#include "tests/unit/feed.h"

#define ID "1111111111111111111111111111111111111111"

/* Writes packets down as text. */
struct seen {
    char text[1000];
    size_t largest;
    int answer;
};

static int note(void *data, enum pktline_type type, const char *bytes, size_t length,
                struct error *e)
{
    struct seen *seen = data;
    size_t used = strlen(seen->text);

    (void)e;
    if (length > seen->largest)
        seen->largest = length;
    if (type == PKTLINE_DATA)
        snprintf(seen->text + used, sizeof seen->text - used, "[%.*s]",
                 (int)(length < 20 ? length : 20), bytes);
    else
        strcat(seen->text, type == PKTLINE_FLUSH ? "F" : "D");
    return seen->answer;
}

static int read_packets(struct seen *seen, const char *bytes, size_t size, size_t piece,
                        bool *between, struct error *e)
{
    struct pktline_reader reader;
    int r = 0;

    memset(seen->text, 0, sizeof seen->text);
    pktline_reader_init(&reader, "it");
    for (size_t i = 0; i < size && r == 0; i += piece)
        r = pktline_reader_feed(&reader, bytes + i, size - i < piece ? size - i : piece, note, seen,
                                e);
    *between = pktline_reader_is_between(&reader);
    pktline_reader_release(&reader);
    return r;
}

static void test_packets_however_divided(void **state)
{
    static const char bytes[] = "0006a\n0005b0004000100000007c\0d000AABCDEF";
    struct seen seen = {0};
    struct error e = {0};
    bool between;

    (void)state;
    for (size_t i = 0; i < FEED_PIECES; i++) {
        assert_int_equal(read_packets(&seen, bytes, sizeof bytes - 1, feed_pieces[i], &between, &e),
                         0);
        assert_string_equal(seen.text, "[a\n][b][]DF[c][ABCDEF]");
        assert_true(between);
    }
}

static void test_cut_off_is_not_between(void **state)
{
    static const char bytes[] = "0008abcd";
    struct seen seen = {0};
    struct error e = {0};
    bool between;

    (void)state;
    for (size_t n = 1; n < sizeof bytes - 1; n++) {
        assert_int_equal(read_packets(&seen, bytes, n, 1, &between, &e), 0);
        assert_false(between);
        assert_string_equal(seen.text, "");
    }
}

static void test_impossible_lengths(void **state)
{
    static const char *const impossible[] = {"0002", "0003", "fff1", "ffff", "zzzz",
                                             "-001", " 008", "0x08", "<htm"};
    struct seen seen = {0};
    struct error e = {0};
    bool between;

    (void)state;
    for (size_t i = 0; i < sizeof impossible / sizeof *impossible; i++) {
        if (read_packets(&seen, impossible[i], 4, 1, &between, &e) != -EIO)
            fail_msg("%s is accepted", impossible[i]);
        assert_non_null(strstr(e.text, impossible[i]));
    }
}

static void test_longest_packet(void **state)
{
    struct seen seen = {0};
    struct error e = {0};
    char *bytes = malloc(PKTLINE_MAX_DATA + 4);
    bool between;

    (void)state;
    memset(bytes, 'x', PKTLINE_MAX_DATA + 4);
    memcpy(bytes, "fff0", 4);
    for (size_t i = 0; i < FEED_PIECES; i++) {
        seen.largest = 0;
        assert_int_equal(
            read_packets(&seen, bytes, PKTLINE_MAX_DATA + 4, feed_pieces[i], &between, &e), 0);
        assert_int_equal(seen.largest, PKTLINE_MAX_DATA);
        assert_true(between);
    }
    free(bytes);
}

static void test_handler_ends_the_reading(void **state)
{
    struct seen seen = {.answer = -ENOSPC};
    struct error e = {0};
    bool between;

    (void)state;
    assert_int_equal(read_packets(&seen, "0005a0005b", 10, 10, &between, &e), -ENOSPC);
    assert_string_equal(seen.text, "[a]");
}

static void test_writing(void **state)
{
    struct pktline_buffer buffer = {0};

    (void)state;
    pktline_add(&buffer, "want %s", "x");
    pktline_add_delim(&buffer);
    pktline_add_flush(&buffer);
    assert_false(buffer.failed);
    assert_int_equal(buffer.length, 19);
    assert_memory_equal(buffer.bytes, "000bwant x\n00010000", 19);
    pktline_add(&buffer, "%*d", PKTLINE_MAX_DATA, 1);
    assert_true(buffer.failed);
    pktline_buffer_release(&buffer);
    buffer = (struct pktline_buffer){0};
    for (int i = 0; i < 100; i++) {
        pktline_add(&buffer, "want %040d", i);
        assert_true(buffer.length <= buffer.room);
    }
    assert_int_equal(buffer.length, 100 * 50);
    for (int i = 0; i < 100; i++) {
        char line[60];

        snprintf(line, sizeof line, "0032want %040d\n", i);
        assert_memory_equal(buffer.bytes + i * 50, line, 50);
    }
    pktline_buffer_release(&buffer);
}

static int read_capabilities(const char *bytes, size_t size, size_t piece,
                             struct capabilities *found, struct error *e)
{
    struct advertisement advertisement;
    struct answer answer;
    int r;

    advertisement_init(&advertisement, "it", NULL, 10000);
    answer = advertisement_answer(&advertisement);
    r = feed_in_pieces(answer, bytes, size, piece, e);
    if (r == 0 && !answer.is_whole(answer.parser))
        r = -EAGAIN;
    *found = advertisement.found;
    advertisement_release(&advertisement);
    return r;
}

static void test_capabilities(void **state)
{
    static const char text[] = "001e# service=git-upload-pack\n0000"
                               "000eversion 2\n0015agent=git/2.39.5\n000cls-refs\n"
                               "0019fetch=shallow filter\n0017object-format=sha1\n0000";
    struct capabilities found;
    struct error e = {0};

    (void)state;
    for (size_t i = 0; i < FEED_PIECES; i++) {
        assert_int_equal(read_capabilities(text, sizeof text - 1, feed_pieces[i], &found, &e), 0);
        assert_true(found.known && found.agent && found.shallow && found.filter);
        /* Without the first lines, which are http's. */
        assert_int_equal(read_capabilities(text + 34, sizeof text - 35, feed_pieces[i], &found, &e),
                         0);
    }
    for (size_t n = 0; n < sizeof text - 1; n++) {
        assert_int_equal(read_capabilities(text, n, 1000, &found, &e), -EAGAIN);
        assert_false(found.known);
    }
    static const char more[] = "000eversion 2\n000cls-refs\n000afetch\n00000000";
    assert_int_equal(read_capabilities(more, sizeof more - 1, 1000, &found, &e), -EIO);
    assert_string_equal(e.text, "it: the server went on after the end of its capabilities");
}

/* Words that only begin like it, or end, are others. */
static void test_what_a_fetch_can_do(void **state)
{
    static const struct {
        const char *features;
        bool shallow, filter;
    } cases[] = {
        {"=shallow filter", true, true},
        {"=filter shallow", true, true},
        {"=wait-for-done filter", false, true},
        {"=shallow", true, false},
        {"=shallower filters", false, false},
        {"=unshallow x-filter", false, false},
        {"=", false, false},
        {"", false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pktline_buffer buffer = {0};
        struct capabilities found;
        struct error e = {0};

        pktline_add(&buffer, "version 2");
        pktline_add(&buffer, "ls-refs=unborn");
        pktline_add(&buffer, "fetch%s", cases[i].features);
        pktline_add_flush(&buffer);
        assert_int_equal(read_capabilities(buffer.bytes, buffer.length, 1000, &found, &e), 0);
        if (found.shallow != cases[i].shallow || found.filter != cases[i].filter || found.agent)
            fail_msg("fetch%s", cases[i].features);
        pktline_buffer_release(&buffer);
    }
}

static void test_servers_that_cannot_be_used(void **state)
{
    static const struct {
        const char *text, *sentence;
        int r;
    } cases[] = {
        {"003f" ID " HEAD", "", -EAGAIN},
        {"0032" ID " HEAD\n", "", -EAGAIN},
        {"000eversion 1\n", "", -EAGAIN},
        {"0008moin", "begin as git's protocol does, but with \"moin\"", -EIO},
        {"0009moin\n", "begin as git's protocol does, but with \"moin\"", -EIO},
        {"0001", "begin as git's protocol does, but with \"\"", -EIO},
        {"000eversion 2\n000afetch\n0000", "no listing or no fetch", -EIO},
        {"0017ERR no such project", "the server refused: no such project", -EHOSTUNREACH},
        {"000eversion 2\n0019object-format=sha256\n0000", "SHA-256", -EIO},
        {"000eversion 2\n000cls-refs\n0000", "no listing or no fetch", -EIO},
        {"<html>", "not git's protocol", -EIO},
    };
    struct capabilities found;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error e = {0};
        int r = read_capabilities(cases[i].text, strlen(cases[i].text), 5, &found, &e);
        if (r != cases[i].r || !strstr(e.text, cases[i].sentence) ||
            (*e.text && strncmp(e.text, "it: ", 4) != 0))
            fail_msg("%s: %d, %s", cases[i].text, r, e.text);
        assert_false(found.known);
    }
}

static void test_endless_capabilities(void **state)
{
    struct advertisement advertisement;
    struct error e = {0};
    int r, count = 0;

    (void)state;
    advertisement_init(&advertisement, "it", NULL, 10000);
    struct answer answer = advertisement_answer(&advertisement);
    r = answer.feed(answer.parser, "000eversion 2\n", 14, &e);
    for (; count < 100000 && r == 0; count++)
        r = answer.feed(answer.parser, "000ananana", 10, &e);
    assert_int_equal(r, -EIO);
    assert_string_equal(e.text, "it: the server's capabilities never end");
    assert_int_equal(count, (65536 - 14) / 10 + 2); /* the first to find more there already */
    advertisement_release(&advertisement);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packets_however_divided),
        cmocka_unit_test(test_cut_off_is_not_between),
        cmocka_unit_test(test_impossible_lengths),
        cmocka_unit_test(test_longest_packet),
        cmocka_unit_test(test_handler_ends_the_reading),
        cmocka_unit_test(test_writing),
        cmocka_unit_test(test_capabilities),
        cmocka_unit_test(test_what_a_fetch_can_do),
        cmocka_unit_test(test_servers_that_cannot_be_used),
        cmocka_unit_test(test_endless_capabilities),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
