#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gitcache/net/lsrefs_command.h"
#include "tests/unit/feed.h"

#define ONE "1111111111111111111111111111111111111111"
#define TWO "2222222222222222222222222222222222222222"

static const char *const branch_names[] = {"trunk", "feature/x"};
static const struct lsrefs_command_branches branches = {branch_names, 2};

static void test_request(void **state)
{
    static const char expected[] = "0014command=ls-refs\n0017agent=startpointfs\n"
                                   "00010009peel\n000csymrefs\n0014ref-prefix HEAD\n"
                                   "001aref-prefix refs/tags/\n"
                                   "0021ref-prefix refs/heads/master\n"
                                   "001fref-prefix refs/heads/main\n"
                                   "0020ref-prefix refs/heads/trunk\n"
                                   "0024ref-prefix refs/heads/feature/x\n0000";
    static const char *const odd[] = {"trunk", "../x", "a\nb", "feature/x"};
    struct capabilities unknown = {0}, no_agent = {.known = true};
    struct pktline_buffer buffer = {0};

    (void)state;
    lsrefs_command_build(&buffer, &unknown, &(struct lsrefs_command_branches){odd, 4});
    assert_int_equal(buffer.length, sizeof expected - 1);
    assert_memory_equal(buffer.bytes, expected, buffer.length);
    buffer.length = 0;
    lsrefs_command_build(&buffer, &no_agent, &branches);
    assert_memory_equal(buffer.bytes, "0014command=ls-refs\n00010009peel\n", 33);
    pktline_buffer_release(&buffer);
}

/* Each line becomes a packet; "F" and "D" are flush and delimiter. */
static void make_answer(struct pktline_buffer *out, const char *const *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(lines[i], "F") == 0)
            pktline_add_flush(out);
        else if (strcmp(lines[i], "D") == 0)
            pktline_add_delim(out);
        else
            pktline_add(out, "%s", lines[i]);
    }
}

/* The listing of that answer, -EAGAIN if the answer is not whole. */
static int read_answer(const char *bytes, size_t size, size_t piece, struct listing *out,
                       struct error *e)
{
    struct lsrefs_command lsrefs;
    struct answer answer;
    int r;

    lsrefs_command_init(&lsrefs, "it", &branches, 100000, NULL);
    answer = lsrefs_command_answer(&lsrefs);
    r = feed_in_pieces(answer, bytes, size, piece, e);
    if (r == 0 && !answer.is_whole(answer.parser))
        r = -EAGAIN;
    *out = (struct listing){0};
    if (r == 0) {
        *out = lsrefs.listing;
        lsrefs.listing = (struct listing){0};
    }
    lsrefs_command_release(&lsrefs);
    return r;
}

static const char *const usual[] = {
    ONE " HEAD symref-target:refs/heads/develop",
    ONE " refs/heads/trunk",
    ONE " refs/heads/trunk-2",
    ONE " refs/heads/feature/x attribute:new",
    ONE " refs/pull/1/head",
    TWO " refs/tags/2 peeled:" ONE,
    ONE " refs/tags/1",
    ONE " refs/tags/../../etc",
    "unborn refs/heads/none symref-target:refs/heads/x",
    "F",
};

static void test_answer(void **state)
{
    struct pktline_buffer bytes = {0};
    struct listing listing;
    struct error e = {0};

    (void)state;
    make_answer(&bytes, usual, sizeof usual / sizeof *usual);
    for (size_t i = 0; i < FEED_PIECES; i++) {
        assert_int_equal(read_answer(bytes.bytes, bytes.length, feed_pieces[i], &listing, &e), 0);
        assert_int_equal(listing.count, 6);
        assert_string_equal(listing.head, "refs/heads/develop");
        assert_string_equal(listing_default(&listing)->name, "refs/heads/develop");
        assert_non_null(listing_find(&listing, "refs/heads/trunk"));
        assert_null(listing_find(&listing, "refs/heads/trunk-2"));
        assert_non_null(listing_find(&listing, "refs/heads/feature/x"));
        assert_int_equal(listing_find(&listing, "refs/tags/2")->oid.id[0], 0x22);
        assert_int_equal(listing_find(&listing, "refs/tags/2")->peeled.id[0], 0x11);
        listing_release(&listing);
    }
    for (size_t n = 0; n < bytes.length; n++)
        assert_int_equal(read_answer(bytes.bytes, n, 10, &listing, &e), -EAGAIN);
    pktline_buffer_release(&bytes);
}

static void test_empty_repository(void **state)
{
    struct listing listing;
    struct error e = {0};

    (void)state;
    assert_int_equal(read_answer("0000", 4, 1, &listing, &e), 0);
    assert_int_equal(listing.count, 0);
    assert_null(listing_default(&listing));
}

static void test_bad_answers(void **state)
{
    static const struct {
        const char *lines[3];
        const char *sentence;
        int r;
    } cases[] = {
        {{ONE, "F"}, "not a ref", -EIO},
        {{ONE "  x", "F"}, "not a ref", -EIO},
        {{ONE " ", "F"}, "not a ref", -EIO},
        {{"111 HEAD", "F"}, "not a ref", -EIO},
        {{ONE "1 HEAD", "F"}, "not a ref", -EIO},
        {{ONE " refs/tags/1 peeled:111", "F"}, "not a ref", -EIO},
        {{ONE " refs/tags/1 peeled:" ONE "1", "F"}, "not a ref", -EIO},
        {{"", "F"}, "not a ref", -EIO},
        {{"D", "F"}, "something else", -EIO},
        {{"F", "F"}, "something else", -EIO},
        {{"F", ONE " HEAD"}, "something else", -EIO},
        {{"ERR access denied or repository not exported: /x"},
         "refused: access denied",
         -EHOSTUNREACH},
        {{"ERR Permission denied"}, "refused: Permission denied", -EACCES},
        {{"ERR \033[2Jfire"}, "refused: ?[2Jfire", -EIO},
    };
    struct listing listing;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pktline_buffer bytes = {0};
        struct error e = {0};
        size_t count = 0;
        while (count < 3 && cases[i].lines[count])
            count++;
        make_answer(&bytes, cases[i].lines, count);
        int r = read_answer(bytes.bytes, bytes.length, 9, &listing, &e);
        if (r != cases[i].r || strncmp(e.text, "it: ", 4) != 0 ||
            !strstr(e.text, cases[i].sentence))
            fail_msg("%s: %d, %s", cases[i].lines[0], r, e.text);
        pktline_buffer_release(&bytes);
    }
}

/* Without its newline, and as much of it as a sentence has room for. */
static void test_a_refusal_is_quoted(void **state)
{
    static const char before[] = "it: the server refused: ";
    char packet[500] = "ERR ";

    (void)state;
    for (size_t length = 399; length <= 401; length++) {
        struct error e = {0};

        memset(packet + 4, 'x', length);
        packet[4 + length] = '\n';
        assert_int_equal(answer_refused(&e, "it", packet, 4 + length + 1), -EIO);
        assert_memory_equal(e.text, before, sizeof before - 1);
        assert_int_equal(strspn(e.text + sizeof before - 1, "x"), length < 400 ? length : 400);
        assert_null(strchr(e.text, '?')); /* what the newline would be shown as */
    }
}

static void test_name_with_a_nul(void **state)
{
    static const char bytes[] = "003a" ONE " refs/tags/1\0x";
    struct listing listing;
    struct error e = {0};

    (void)state;
    assert_int_equal(read_answer(bytes, sizeof bytes - 1, 100, &listing, &e), -EIO);
}

/* Counts what it is told. */
static void progress(void *data, uint64_t bytes, const char *line)
{
    assert_null(line);
    *(uint64_t *)data = bytes;
}

static void test_too_long(void **state)
{
    static const char text[] = "003a" ONE " refs/tags/v1\n0000";

    (void)state;
    for (uint64_t most = sizeof text - 2; most < sizeof text; most++) {
        uint64_t seen = 0;
        const struct watch watch = {.progress = progress, .data = &seen};
        struct lsrefs_command lsrefs;
        struct error e = {0};

        lsrefs_command_init(&lsrefs, "it", &branches, most, &watch);
        struct answer answer = lsrefs_command_answer(&lsrefs);
        int r = feed_in_pieces(answer, text, sizeof text - 1, 10, &e);
        assert_int_equal(answer.useful(answer.parser), sizeof text - 1);
        assert_int_equal(r, most < sizeof text - 1 ? -EIO : 0);
        assert_int_equal(seen, most < sizeof text - 1 ? 60 : sizeof text - 1);
        if (r < 0)
            assert_string_equal(e.text, "it: the listing has more than 61 bytes, which is refused");
        lsrefs_command_release(&lsrefs);
    }
}

/* A request that is sent again, since the first was not answered, has its own answer. */
static void test_what_came_before_is_forgotten(void **state)
{
    static const char begun[] =
        "005f" ONE " HEAD symref-target:refs/heads/develop\n003a" ONE " refs/tags/v1\n00";
    static const char whole[] = "003a" ONE " refs/tags/v2\n0000";
    struct lsrefs_command lsrefs;
    struct error e = {0};

    (void)state;
    lsrefs_command_init(&lsrefs, "it", &branches, 200, NULL);
    struct answer answer = lsrefs_command_answer(&lsrefs);
    for (int i = 0; i < 3; i++) {
        const char *text = i < 2 ? begun : whole;
        lsrefs_command_reset(&lsrefs);
        assert_int_equal(feed_in_pieces(answer, text, strlen(text), 100, &e), 0);
        assert_int_equal(answer.is_whole(answer.parser), i == 2);
    }
    assert_int_equal(lsrefs.listing.count, 1);
    assert_string_equal(lsrefs.listing.refs->name, "refs/tags/v2");
    assert_null(lsrefs.listing.head);
    lsrefs_command_reset(&lsrefs);
    assert_false(answer.is_whole(answer.parser));
    lsrefs_command_release(&lsrefs);
}

/* Only a branch that could be a folder's name, and the first that is said. */
static void test_where_head_leads_to(void **state)
{
    static const struct {
        const char *attributes, *head;
    } cases[] = {
        {" symref-target:refs/heads/x", "refs/heads/x"},
        {" peeled:" TWO " symref-target:refs/heads/x more", "refs/heads/x"},
        {" symref-target:refs/heads/x symref-target:refs/heads/y", "refs/heads/x"},
        {" symref-target:refs/tags/x", NULL},
        {" symref-target:refs/heads/../x", NULL},
        {" symref-target:", NULL},
        {"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pktline_buffer bytes = {0};
        struct listing listing;
        struct error e = {0};

        pktline_add(&bytes, ONE " HEAD%s", cases[i].attributes);
        pktline_add_flush(&bytes);
        assert_int_equal(read_answer(bytes.bytes, bytes.length, 1000, &listing, &e), 0);
        assert_int_equal(listing.count, cases[i].head ? 2 : 1);
        if (cases[i].head)
            assert_string_equal(listing.head, cases[i].head);
        else
            assert_null(listing.head);
        listing_release(&listing);
        pktline_buffer_release(&bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_empty_repository),
        cmocka_unit_test(test_bad_answers),
        cmocka_unit_test(test_a_refusal_is_quoted),
        cmocka_unit_test(test_name_with_a_nul),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_what_came_before_is_forgotten),
        cmocka_unit_test(test_where_head_leads_to),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
