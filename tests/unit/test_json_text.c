/* test_json_text.c - the service's JSON: what is JSON and what is not, members as Ruby sees them, and
 * text as Ruby writes it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs/service/json_object.h"
#include "fs/service/ruby_json.h"

static int check(const char *text, size_t *fault)
{
    struct json_span span;
    /* In a block of its own size, so that a step past its end is seen. */
    size_t length = strlen(text);
    char *bytes = malloc(length + 1);

    assert_non_null(bytes);
    memcpy(bytes, text, length);
    int r = json_text_check(bytes, length, 3, &span, fault);
    free(bytes);
    return r;
}

static void accepts_what_is_json(void **state)
{
    static const char *const good[] = {
        "null",
        " true ",
        "0",
        "-0",
        "10.5e+3",
        "1E5",
        "\"\"",
        "[]",
        "{ }",
        "[1 , [2],{\"a\":[]}]",
        "{\"a\":1,\"a\":2}",
        "\"\\u0000\\ud83d\\ude00\\/\"",
        "\t[\r\n\"a b\"]",
        "\"\\ud7ff\\ue000\\uDBFF\\uDFFF\"",
        /* The first and the last of each row of RFC 3629. */
        "\"\x7f\xc2\x80\xdf\xbf\"",
        "\"\xe0\xa0\x80\xe0\xbf\xbf\xe1\x80\x80\xec\xbf\xbf\"",
        "\"\xed\x80\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\"",
        "\"\xf0\x90\x80\x80\xf0\xbf\xbf\xbf\xf1\x80\x80\x80\xf3\xbf\xbf\xbf\"",
        "\"\xf4\x80\x80\x80\xf4\x8f\xbf\xbf\"",
    };
    size_t fault;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (check(good[i], &fault) != 0)
            fail_msg("%s is refused at %zu", good[i], fault);
}

static void refuses_what_is_not(void **state)
{
    static const struct {
        const char *text;
        size_t fault;
    } bad[] = {
        {"", 0},
        {" ", 1},
        {"nul", 0},
        {"NaN", 0},
        {"01", 1},
        {"1.", 2},
        {"-", 1},
        {"1e", 2},
        {"[1,]", 3},
        {"[1", 2},
        {"{\"a\"}", 4},
        {"{\"a\":}", 5},
        {"{\"a\":1,}", 7},
        {"{1:2}", 1},
        {"\"a", 2},
        {"\"\\x\"", 1},
        {"\"\\u12\"", 1},
        {"\"\\ud800\"", 1},
        {"\"\\ude00\"", 1},
        {"\"\\ud800\\u0041\"", 1},
        {"\"\n\"", 1},
        {"1 2", 2},
        {"\"\x1f\"", 1},
        {"+1", 0},
        {".5", 0},
        {"1e+", 3},
        {"\"\\ud800\\udbff\"", 1},
        {"\"\\ud800\\ue000\"", 1},
        {"\"\\udbff\\ndc00\"", 1},
        {"\"\\udbffxudc00\"", 1},
        {"\"\\u12g4\"", 1},
        {"\"\\u12G4\"", 1},
        {"\"\\u12:4\"", 1},
        {"\"\x80\"", 1},
        {"\"\xbf\"", 1},
        {"\"\xc1\xbf\"", 1},
        {"\"\xc2\x7f\"", 1},
        {"\"\xdf\xc0\"", 1},
        {"\"\xe0\x9f\xbf\"", 1},
        {"\"\xe1\x7f\xbf\"", 1},
        {"\"\xe1\xc0\xbf\"", 1},
        {"\"\xe1\x80\x7f\"", 1},
        {"\"\xe1\x80\xc0\"", 1},
        {"\"\xee\xc0\x80\"", 1},
        {"\"\xef\x7f\x80\"", 1},
        {"\"\xf0\x8f\xbf\xbf\"", 1},
        {"\"\xf0\x90\x80\x7f\"", 1},
        {"\"\xf1\x7f\x80\x80\"", 1},
        {"\"\xf3\xc0\x80\x80\"", 1},
        {"\"\xf5\x80\x80\x80\"", 1},
        {"\"\xff\"", 1},
        {"\"\xed\xa0\x80\"", 1},
        {"\"\xc0\x80\"", 1},
        {"\"\xe2\x82\"", 1},
        {"\"\xf4\x90\x80\x80\"", 1},
        {"/* */1", 0},
        {"'a'", 0},
    };
    size_t fault;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int r = check(bad[i].text, &fault);
        if (r != -EINVAL || fault != bad[i].fault)
            fail_msg("%s: %d, at %zu", bad[i].text, r, fault);
    }
}

/* As a client may send them. */
static void a_nul_is_nothing(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {{"[\0", 2},
               {"\"\\\0\"", 4},
               {"1\0"
                "1",
                3},
               {"\0", 1},
               {"\"\0\"", 3}};
    struct json_span span;
    size_t fault;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(json_text_check(bad[i].bytes, bad[i].size, 3, &span, &fault), -EINVAL);
}

static void bounds_the_depth(void **state)
{
    size_t fault;

    (void)state;
    assert_int_equal(check("[[[1]]]", &fault), 0);
    assert_int_equal(check("[[[{}]]]", &fault), -E2BIG);
    assert_int_equal(check("[[[[", &fault), -E2BIG);
}

static struct json_span checked(const char *text, size_t size)
{
    struct json_span span;
    size_t fault;

    assert_int_equal(json_text_check(text, size, 100, &span, &fault), 0);
    return span;
}

static void assert_written(const char *text, const char *expected)
{
    char *written = NULL;
    size_t size;
    FILE *out = open_memstream(&written, &size);

    assert_non_null(out);
    assert_int_equal(ruby_json_value(out, checked(text, strlen(text))), 0);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(written, expected);
    free(written);
}

static void writes_as_ruby_does(void **state)
{
    (void)state;
    assert_written(" { \"a\" : [ 1 , 2.50 , -0 , 1E+2 , 18446744073709551616 ] } ",
                   "{\"a\":[1,2.50,-0,1E+2,18446744073709551616]}");
    assert_written("\"\\u0000\\u001F\\b\\f\\n\\r\\t\\u007f\\/\\\\\\\"\"",
                   "\"\\u0000\\u001f\\b\\f\\n\\r\\t\x7f/\\\\\\\"\"");
    assert_written("\"\\u2028\\u00e9\\ud83d\\ude00\"", "\"\xe2\x80\xa8\xc3\xa9\xf0\x9f\x98\x80\"");
    assert_written("[true,false , null,\"\",{},[]]", "[true,false,null,\"\",{},[]]");
    assert_written("\n-1 ", "-1");
    /* The first and the last of each length in UTF-8. */
    assert_written(
        "\"\\u007f\\u0080\\u07ff\\u0800\\uffff\\ud800\\udc00\\udbff\\uDFFF\"",
        "\"\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"");
    /* What looks like an end, in a string. */
    assert_written("{\"a\":[{\"b\":\"]}\\\"]\\\\\"}] ,\"c\":1}",
                   "{\"a\":[{\"b\":\"]}\\\"]\\\\\"}],\"c\":1}");
}

static void a_repeated_key_keeps_its_place_and_takes_the_last_value(void **state)
{
    (void)state;
    assert_written("{\"a\":1,\"b\":2,\"\\u0061\":{\"x\":1,\"x\":2},\"c\":3,\"b\":4}",
                   "{\"a\":{\"x\":2},\"b\":4,\"c\":3}");
    assert_written("{\"\":1,\"\\u0000\":2,\"\":3}", "{\"\":3,\"\\u0000\":2}");
}

static void many_keys_cost_no_more_than_their_size(void **state)
{
    enum { KEYS = 200000 };
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    struct json_object object;

    (void)state;
    assert_non_null(out);
    for (int i = 0; i < KEYS; i++)
        fprintf(out, "%c\"k%d\":%d", i ? ',' : '{', i % (KEYS / 2), i);
    fputc('}', out);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(json_object_init(&object, checked(text, size)), 0);
    assert_int_equal(object.count, KEYS / 2);
    assert_string_equal(object.items[0].key, "k0");
    assert_memory_equal(object.items[0].value.at, "100000", 6);
    json_object_release(&object);
    free(text);
}

static void finds_members(void **state)
{
    static const char text[] = "{\"name\":\"x\",\"n\":1}";
    struct json_object object;

    (void)state;
    assert_int_equal(json_object_init(&object, checked(text, strlen(text))), 0);
    assert_non_null(json_object_find(&object, "name"));
    assert_null(json_object_find(&object, "nam"));
    assert_null(json_object_find(&object, "names"));
    json_object_release(&object);
    assert_int_equal(json_object_init(&object, checked("[1]", 3)), -EINVAL);
    json_object_release(&object);
}

static void what_is_not_utf8_is_replaced_when_written(void **state)
{
    char *written = NULL;
    size_t size;
    FILE *out = open_memstream(&written, &size);

    (void)state;
    assert_non_null(out);
    ruby_json_string(out, "a\xff\xc3\xa9\xe2\x82", 6);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(written, "\"a\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\"");
    free(written);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_what_is_json),
        cmocka_unit_test(refuses_what_is_not),
        cmocka_unit_test(a_nul_is_nothing),
        cmocka_unit_test(bounds_the_depth),
        cmocka_unit_test(writes_as_ruby_does),
        cmocka_unit_test(a_repeated_key_keeps_its_place_and_takes_the_last_value),
        cmocka_unit_test(many_keys_cost_no_more_than_their_size),
        cmocka_unit_test(finds_members),
        cmocka_unit_test(what_is_not_utf8_is_replaced_when_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
