/* What a conversion makes of bytes, and where they go. That git does the same is compared in test_objects. */
#include <fcntl.h>

#include "gitcache/base/spool.h"
#include "gitcache/checkout/convert.h"
#include "tests/unit/sandbox.h"

#define BLOB     "0123456789abcdef0123456789abcdef01234567"
#define EXPANDED "$Id: " BLOB " $"

static const struct version_reader roomy = {.max_file = 1 << 30, .spool_above = SPOOL_ABOVE};

/* What comes of it; the caller frees it. A negative errno in *result. */
static struct content converted(const struct conversion *conversion, const char *bytes, size_t size,
                                const struct version_reader *reader, int *result)
{
    struct content content = {.fd = -1};
    struct budget budget = {.watch = NULL};
    struct output output;
    struct oid blob;

    assert_true(oid_parse(&blob, BLOB, OID_HEX));
    const struct convert_input input = {.data = bytes, .size = size, .blob = &blob};
    output_init(&output, reader);
    *result = convert_bytes(&input, conversion, &output, &budget);
    if (*result == 0)
        *result = output_finish(&output, &content);
    output_release(&output);
    return content;
}

static void expect(const struct conversion *conversion, const char *bytes, size_t size,
                   const char *expected, size_t expected_size)
{
    int r;
    struct content content = converted(conversion, bytes, size, &roomy, &r);

    assert_int_equal(r, 0);
    if (content.size != expected_size || memcmp(content.data, expected, expected_size) != 0)
        fail_msg("of %.60s: %.100s", bytes, content.data);
    assert_int_equal(content.data[content.size], '\0');
    content_release(&content);
}

static void expect_text(const struct conversion *conversion, const char *text, const char *expected)
{
    expect(conversion, text, strlen(text), expected, strlen(expected));
}

/* Of a file that is read whole, and of one that is read piece by piece. */
static void test_keywords(void **state)
{
    static const struct {
        const char *text, *whole, *streamed; /* NULL: as it is */
    } rows[] = {
        {"", NULL, NULL},
        {"no keyword $", NULL, NULL},
        {"$Id$", EXPANDED, EXPANDED},
        {"a$Id$b", "a" EXPANDED "b", "a" EXPANDED "b"},
        {"$Id:$", EXPANDED, EXPANDED},
        {"$Id: $", EXPANDED, EXPANDED},
        {"$Id: old $", EXPANDED, EXPANDED},
        {"$Id:old$", EXPANDED, EXPANDED},
        {"$Id:x y$", NULL, EXPANDED},
        {"$Id: a b $", NULL, NULL},
        {"$Id:  $", EXPANDED, EXPANDED},
        {"$Idx$Id$", "$Idx" EXPANDED, "$Idx" EXPANDED},
        {"$Idx$Id:y$", "$Idx" EXPANDED, EXPANDED}, /* git loses it */
        {"$Idx.$Id:y$", "$Idx." EXPANDED, "$Idx." EXPANDED},
        {"$Idx$Id: a b $", NULL, EXPANDED},
        {"$Id: open", NULL, NULL},
        {"$Id: a\n$", NULL, NULL},
        {"$id$", NULL, NULL},
        {"$Ix$", NULL, NULL},
        {"$I", NULL, NULL},
        {"$Id", NULL, NULL},
        {"$Idx$", NULL, NULL},
        {"$$Id$", "$" EXPANDED, NULL},
        {"$Id$$Id$", EXPANDED EXPANDED, EXPANDED EXPANDED},
        {"$Id$ $Id$", EXPANDED " " EXPANDED, EXPANDED " " EXPANDED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *text = rows[i].text;
        const struct conversion whole = {.ident = true, .in_one_piece = true},
                                streamed = {.ident = true};

        expect_text(&whole, text, rows[i].whole ? rows[i].whole : text);
        expect_text(&streamed, text, rows[i].streamed ? rows[i].streamed : text);
    }
}

static void test_line_ends(void **state)
{
    static const struct {
        const char *text, *crlf, *automatic;
    } rows[] = {
        {"", "", ""},
        {"\n", "\r\n", "\r\n"},
        {"a\nb", "a\r\nb", "a\r\nb"},
        {"\r\n", "\r\n", "\r\n"},
        {"a\r\nb\n", "a\r\nb\r\n", "a\r\nb\n"},
        {"a\rb\n", "a\rb\r\n", "a\rb\n"},
        {"a\r", "a\r", "a\r"},
        {"\n\n\r\n", "\r\n\r\n\r\n", "\n\n\r\n"},
    };
    const struct conversion crlf = {.eol = EOL_CRLF}, automatic = {.eol = EOL_CRLF_AUTO};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        expect_text(&crlf, rows[i].text, rows[i].crlf);
        expect_text(&automatic, rows[i].text, rows[i].automatic);
    }
    expect(&crlf, "\0\n", 2, "\0\r\n", 3);
    expect(&automatic, "\0\n", 2, "\0\n", 2);
}

/* One byte that is no text for each 128 that are; what ends a text on DOS does not count. */
static void test_what_looks_binary(void **state)
{
    static const struct {
        unsigned printable;
        const char *rest;
        bool is_text;
    } rows[] = {
        {127, "\001", false},    {128, "\001", true},   {255, "\001\002", false},
        {256, "\001\002", true}, {127, "\177", false},  {128, "\177", true},
        {127, "\b", true},       {127, "\t", true},     {127, "\033", true},
        {127, "\014", true},     {127, "\013", false},  {127, "\037", false},
        {127, " ", true},        {127, "\200", true},   {127, "\032", true},
        {127, "\032x", true},    {126, "\032x", false}, {127, "\001\032", false},
        {128, "\001\032", true}, {0, "\032", true},     {0, "", true},
    };
    const struct conversion automatic = {.eol = EOL_CRLF_AUTO};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[300] = "\n", expected[302];

        memset(text + 1, 'x', rows[i].printable);
        strcpy(text + 1 + rows[i].printable, rows[i].rest);
        snprintf(expected, sizeof expected, "%s%s", rows[i].is_text ? "\r" : "", text);
        expect_text(&automatic, text, expected);
    }
    char with_nul[400] = "\n";
    memset(with_nul + 1, 'x', 300);
    expect(&automatic, with_nul, 302, with_nul, 302);
}

/* Longer than what is converted at once: what stands at an end of that is not torn. */
static void test_a_long_text(void **state)
{
    const size_t piece = 64 << 10, size = piece + 8;
    const struct conversion automatic = {.eol = EOL_CRLF_AUTO}, utf16 = {.encoding = "UTF-16LE"};
    char *text = malloc(size), *expected = malloc(2 * size);

    (void)state;
    for (size_t at = piece - 3; at < piece + 2; at++) {
        memset(text, 'x', size);
        memcpy(text + at, "\303\251", 2);
        for (size_t i = 0; i < size - 1; i++) {
            expected[2 * i] = i == at ? '\351' : 'x';
            expected[2 * i + 1] = '\0';
        }
        expect(&utf16, text, size, expected, 2 * (size - 1));
        memset(text, 'x', size);
        memcpy(text + at, "\r\n", 2);
        text[3] = '\n';
        expect(&automatic, text, size, text, size);
    }
    free(expected);
    free(text);
}

/* iconv passes over tags (U+E0041), four bytes each: of a long text of these nothing comes out before its input is cut. */
static void test_a_long_text_of_nothing(void **state)
{
    const struct conversion latin = {.encoding = "ISO-8859-1"};
    const size_t count = 20000;
    char *text = malloc(4 * count + 4);

    (void)state;
    for (size_t before = 0; before < 4; before++) {
        memset(text, 'x', before);
        for (size_t i = 0; i < count; i++)
            memcpy(text + before + 4 * i, "\363\240\201\201", 4);
        expect(&latin, text, before + 4 * count, "xxx", before);
    }
    free(text);
}

static void test_encodings(void **state)
{
    static const struct {
        const char *encoding, *text;
        size_t size;
        const char *expected;
    } rows[] = {
        {"UTF-16LE", "a\303\251", 4, "a\0\351\0"},
        {"UTF-16BE", "a\303\251", 4, "\0a\0\351"},
        {"UTF-16LE-BOM", "a", 4, "\377\376a\0"},
        {"utf16le-bom", "a", 4, "\377\376a\0"},
        {"UTF-16BE-BOM", "a", 4, "\376\377\0a"},
        {"UTF16BE-BOM", "a", 4, "\376\377\0a"},
        {"UTF-16LE-BOM", "", 0, ""},
        {"ISO-8859-1", "caf\303\251\n", 5, "caf\351\n"},
        {"ISO-2022-JP", "\343\201\202", 8, "\033$B$\"\033(B"}, /* with what it ends with */
        {"ISO-8859-1", "a\342\202\254", 4, "a\342\202\254"},   /* which has no such character */
        {"UTF-16LE", "bad\377", 4, "bad\377"},
        {"UTF-16LE", "cut\303", 4, "cut\303"},
        {"no-such-encoding", "x", 1, "x"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct conversion conversion = {.encoding = rows[i].encoding};

        expect(&conversion, rows[i].text, strlen(rows[i].text), rows[i].expected, rows[i].size);
    }
}

/* In git's order: keywords, line ends, encoding. */
static void test_all_steps(void **state)
{
    static const char text[] = "$Id$\n";
    const struct conversion all = {.ident = true, .eol = EOL_CRLF, .encoding = "UTF-16BE-BOM"};
    char expected[200] = "\376\377";
    size_t size = 2;

    (void)state;
    for (const char *at = EXPANDED "\r\n"; *at; at++) {
        expected[size++] = '\0';
        expected[size++] = *at;
    }
    expect(&all, text, sizeof text - 1, expected, size);
    expect(&(struct conversion){.eol = EOL_AS_IS}, text, sizeof text - 1, text, sizeof text - 1);
}

/* As many bytes as may be, and one more: of what is read and of what comes of it. */
static void test_how_large_a_file_may_be(void **state)
{
    const struct conversion crlf = {.eol = EOL_CRLF}, as_is = {.ident = false},
                            bad = {.encoding = "UTF-16LE"};
    static const struct {
        uint64_t max;
        int as_is, crlf, bad;
    } rows[] = {{4, -EFBIG, -EFBIG, -EFBIG},
                {5, 0, -EFBIG, -EFBIG},
                {6, 0, -EFBIG, -EFBIG},
                {7, 0, 0, -EFBIG},
                {8, 0, 0, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct version_reader reader = {.max_file = rows[i].max, .spool_above = SPOOL_ABOVE};
        struct content content;
        int r;

        content = converted(&as_is, "a\nb\nc", 5, &reader, &r);
        assert_int_equal(r, rows[i].as_is);
        content_release(&content);
        content = converted(&crlf, "a\nb\nc", 5, &reader, &r);
        assert_int_equal(r, rows[i].crlf);
        content_release(&content);
        content = converted(&bad, "abcd\377", 5, &reader, &r); /* it is 8 before that shows */
        assert_int_equal(r, rows[i].bad);
        content_release(&content);
    }
}

static void expect_in(const struct version_reader *reader, const struct conversion *conversion,
                      const char *text, const char *expected, bool in_file)
{
    char bytes[100] = "";
    int r;
    struct content content = converted(conversion, text, strlen(text), reader, &r);

    assert_int_equal(r, 0);
    assert_int_equal(content.size, strlen(expected));
    assert_int_equal(content.fd >= 0, in_file);
    if (in_file)
        assert_int_equal(pread(content.fd, bytes, sizeof bytes, 0), content.size);
    else
        strcpy(bytes, content.data);
    assert_string_equal(bytes, expected);
    content_release(&content);
}

/* More than so many bytes go to a file, also between two steps; and it begins anew where an encoding fails. */
static void test_large_ones_go_to_a_file(void **state)
{
    const struct sandbox *box = *state;
    const struct version_reader reader = {
        .max_file = 1000, .spool_folder = box->folder, .spool_above = 6};
    const struct version_reader none = {.max_file = 1000, .spool_above = 6};
    const struct conversion crlf = {.eol = EOL_CRLF},
                            latin = {.eol = EOL_CRLF, .encoding = "ISO-8859-1"},
                            ident = {.ident = true, .eol = EOL_CRLF};

    expect_in(&reader, &crlf, "abc\nd", "abc\r\nd", false);
    expect_in(&reader, &crlf, "abc\nde", "abc\r\nde", true);
    expect_in(&none, &crlf, "abc\nde", "abc\r\nde", false);
    expect_in(&reader, &latin, "abc\n\303\251", "abc\r\n\351", false);
    expect_in(&reader, &latin, "abcdef\n\303\251", "abcdef\r\n\351", true);
    expect_in(&reader, &latin, "abcdefgh\n\342\202\254", "abcdefgh\r\n\342\202\254", true);
    expect_in(&reader, &ident, "$Id$\n", EXPANDED "\r\n", true);
    run(box, "test $(ls | wc -l) = 1"); /* the log: files without a name */
}

static void test_a_file_that_cannot_be_made(void **state)
{
    const struct version_reader reader = {
        .max_file = 1000, .spool_folder = "/nowhere", .spool_above = 6};
    struct content content;
    int r;

    (void)state;
    content = converted(&(struct conversion){.eol = EOL_CRLF}, "abc\nde", 6, &reader, &r);
    assert_int_equal(r, -ENOENT);
    assert_null(content.data);
}

/* Nothing is kept, and max_file does not count. */
static void test_bytes_are_counted(void **state)
{
    static const char text[] = "a\nb\nc\n";
    const struct conversion crlf = {.eol = EOL_CRLF};
    const struct version_reader small = {.max_file = 1};
    struct budget budget = {.watch = NULL};
    struct output output;
    struct oid blob = {0};

    (void)state;
    output_init(&output, &small);
    output.counts_only = true;
    assert_int_equal(convert_bytes(&(struct convert_input){.data = text, .size = 6, .blob = &blob},
                                   &crlf, &output, &budget),
                     0);
    assert_int_equal(output.size, 9);
    assert_null(output.data);
    output_release(&output);
}

static bool say_enough(void *data)
{
    ++*(unsigned *)data;
    return true;
}

/* After a millisecond's work it is asked whether that is still wanted. */
static void test_it_ends_when_told(void **state)
{
    static const struct conversion conversions[] = {{.eol = EOL_AS_IS},
                                                    {.eol = EOL_CRLF},
                                                    {.eol = EOL_CRLF_AUTO},
                                                    {.ident = true},
                                                    {.ident = true, .in_one_piece = true},
                                                    {.encoding = "UTF-16LE"}};
    const size_t size = BUDGET_STEPS + (64 << 10);
    char *text = malloc(size);
    struct oid blob = {0};

    (void)state;
    memset(text, 'x', size);
    for (size_t i = 0; i < sizeof conversions / sizeof *conversions; i++) {
        unsigned asked = 0;
        const struct watch watch = {.cancelled = say_enough, .data = &asked};
        struct budget budget = {.watch = &watch};
        struct output output;

        output_init(&output, &roomy);
        assert_int_equal(
            convert_bytes(&(struct convert_input){.data = text, .size = size, .blob = &blob},
                          &conversions[i], &output, &budget),
            -ECANCELED);
        assert_int_equal(asked, 1);
        assert_in_range(output.size, 0, 2 * BUDGET_STEPS);
        output_release(&output);
    }
    free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_keywords),
        TEST(test_line_ends),
        TEST(test_what_looks_binary),
        TEST(test_a_long_text),
        TEST(test_a_long_text_of_nothing),
        TEST(test_encodings),
        TEST(test_all_steps),
        TEST(test_how_large_a_file_may_be),
        TEST(test_large_ones_go_to_a_file),
        TEST(test_a_file_that_cannot_be_made),
        TEST(test_bytes_are_counted),
        TEST(test_it_ends_when_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
