/* test_manifest_findings.c - findings as text and as JSON, and what is shown of hostile text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "manifest/findings.h"
#include "manifest/shown.h"

static const struct where nowhere = {0};

static int exit_code_of(const int codes[], size_t count)
{
    struct findings findings = {0};
    for (size_t i = 0; i < count; i++) {
        enum severity severity = codes[i] < 0 ? SEVERITY_WARNING : SEVERITY_ERROR;
        findings_add(&findings, severity, abs(codes[i]), &nowhere, "text");
    }
    int code = findings.exit_code;
    findings_release(&findings);
    return code;
}

#define EXIT_CODE_OF(...) \
    exit_code_of((const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

static void test_exit_code(void **state)
{
    (void)state;
    assert_int_equal(EXIT_CODE_OF(-34), 0);
    assert_int_equal(EXIT_CODE_OF(42, 41), 42);
    assert_int_equal(EXIT_CODE_OF(-34, 41, 3), 41);
    assert_int_equal(EXIT_CODE_OF(41, 17), 17);
    assert_int_equal(EXIT_CODE_OF(18, 41), 18);
    assert_int_equal(EXIT_CODE_OF(-16, 41), 41);
}

/* Also of those that are too many to be kept. */
static void test_exit_code_of_very_many(void **state)
{
    struct findings findings = {0};

    (void)state;
    for (int i = 0; i <= FINDINGS_MAX; i++)
        findings_add(&findings, SEVERITY_WARNING, 34, &nowhere, "text");
    findings_add(&findings, SEVERITY_ERROR, 41, &nowhere, "text");
    assert_int_equal(findings.count, FINDINGS_MAX);
    assert_int_equal(findings.left_out, 2);
    assert_int_equal(findings.exit_code, 41);
    findings_add(&findings, SEVERITY_ERROR, 17, &nowhere, "text");
    assert_int_equal(findings.exit_code, 17);
    findings_release(&findings);
}

static void add_samples(struct findings *findings)
{
    struct where where = {"acme?tag=1", "a/manifest.json", "/tab_size", 7, 15, false};
    struct where source = {.source = "acme\x1b[31m"};
    findings_add(findings, SEVERITY_ERROR, 41, &where, "must be %s, not %d", "small", 9);
    findings_add(findings, SEVERITY_WARNING, 34, &source, "caf\xe9 \"x\"");
}

static void test_text(void **state)
{
    (void)state;
    struct findings findings = {0};
    add_samples(&findings);
    char *text = findings_format(&findings);
    assert_string_equal(text, "acme?tag=1: a/manifest.json:7:15: /tab_size: must be small, not 9 "
                              "[41]\n"
                              "acme?[31m: warning: caf? \"x\" [34]\n");
    free(text);
    findings_release(&findings);
    text = findings_format(&findings);
    assert_string_equal(text, "");
    free(text);
}

static void test_in_the_order_of_lines(void **state)
{
    static const struct {
        const char *source, *file;
        size_t line, column;
    } found[] =
        {
            {"s", "a", 2, 1}, {"s", "a", 1, 9},  {"s", "a", 1, 3},
            {"s", "a", 1, 3}, /* each in its file alone */
            {"s", "b", 1, 1}, {"s", NULL, 0, 0}, {"s", "a", 9, 1},
            {"t", "a", 5, 1}, {"t", "a", 4, 2},
        };
    struct findings findings = {0};

    (void)state;
    for (size_t i = 0; i < sizeof found / sizeof *found; i++) {
        struct where where = {.source = found[i].source,
                              .file = found[i].file,
                              .line = found[i].line,
                              .column = found[i].column};
        findings_add(&findings, SEVERITY_ERROR, 41, &where, "%zu", i);
    }
    char *text = findings_format_by_line(&findings);
    assert_string_equal(text,
                        "s: a:1:3: 2 [41]\ns: a:1:3: 3 [41]\ns: a:1:9: 1 [41]\ns: a:2:1: 0 [41]\n"
                        "s: b:1:1: 4 [41]\ns: 5 [41]\ns: a:9:1: 6 [41]\n"
                        "t: a:4:2: 8 [41]\nt: a:5:1: 7 [41]\n");
    free(text);
    findings_release(&findings);
}

static void test_json(void **state)
{
    (void)state;
    struct findings findings = {0};
    add_samples(&findings);
    char *text = findings_format_json(&findings);
    assert_string_equal(text, "[\n"
                              "  {\n"
                              "    \"severity\": \"error\",\n"
                              "    \"code\": 41,\n"
                              "    \"source\": \"acme?tag=1\",\n"
                              "    \"file\": \"a/manifest.json\",\n"
                              "    \"line\": 7,\n"
                              "    \"column\": 15,\n"
                              "    \"pointer\": \"/tab_size\",\n"
                              "    \"text\": \"must be small, not 9\"\n"
                              "  },\n"
                              "  {\n"
                              "    \"severity\": \"warning\",\n"
                              "    \"code\": 34,\n"
                              "    \"source\": \"acme?[31m\",\n"
                              "    \"text\": \"caf? \\\"x\\\"\"\n"
                              "  }\n"
                              "]\n");
    free(text);
    findings_release(&findings);
    text = findings_format_json(&findings);
    assert_string_equal(text, "[]\n");
    free(text);
}

static void test_shown_clean(void **state)
{
    (void)state;
    static const char *const table[][2] = {
        {"", ""},
        {"plain", "plain"},
        {"é日😀", "é日😀"},
        {"a\nb\tc\r\x7f", "a?b?c??"},
        {"\xc2\x80\xc2\x9f\xc2\xa0", "??\xc2\xa0"},
        {"\u2028x\u202e\u2066\u200f\ufeff", "?x????"},
        {"\u061b\u061c\u200d\u200e\u2010", "\u061b?\u200d?\u2010"},
        {"\u2027\u202f\u2065\u2069\u206a\ufefe", "\u2027\u202f\u2065?\u206a\ufefe"},
        {"\xff\xfe", "??"},
        {"\xc0\xaf", "??"},           /* overlong */
        {"\xed\xa0\x80", "???"},      /* a surrogate */
        {"\xf4\x90\x80\x80", "????"}, /* above U+10FFFF */
        {"\xf0\x9f\x98", "???"},      /* cut */
        {"\xe6\x97x", "??x"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char buffer[64];
        strcpy(buffer, table[i][0]);
        assert_string_equal(shown_clean(buffer), table[i][1]);
    }
}

static void test_shown_clip(void **state)
{
    (void)state;
    char buffer[SHOWN_SIZE], text[200], expected[200];
    assert_string_equal(shown_clip(buffer, "a \n\t b", 6), "a b");
    assert_string_equal(shown_clip(buffer, "a\0b", 3), "a?b");
    assert_string_equal(shown_clip(buffer, "", 0), "");
    memset(text, 'x', sizeof(text));
    memset(expected, 'x', sizeof(expected));
    strcpy(expected + 80, "...");
    assert_string_equal(shown_clip(buffer, text, 81), expected);
    expected[80] = '\0';
    assert_string_equal(shown_clip(buffer, text, 80), expected);
    memcpy(text + 79, "\xe6\x97\xa5", 3); /* must not be cut in its midst */
    strcpy(expected + 79, "...");
    assert_string_equal(shown_clip(buffer, text, 100), expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit_code),  cmocka_unit_test(test_exit_code_of_very_many),
        cmocka_unit_test(test_text),       cmocka_unit_test(test_in_the_order_of_lines),
        cmocka_unit_test(test_json),       cmocka_unit_test(test_shown_clean),
        cmocka_unit_test(test_shown_clip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
