/* test_texts.c - generated texts: made at most once a second, and with size, time and bytes of the same text. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs/worker/texts.h"
#include "tests/unit/clock_of_test.h"

static int memory = -1; /* for so many allocations; -1: for all */

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
    if (memory == 0)
        return NULL;
    if (memory > 0)
        memory--;
    return __real_calloc(count, size);
}

struct maker {
    const char *says;
    int result;
    unsigned made;
};

static int make(void *data, uint32_t node, struct ask *ask, char **bytes)
{
    struct maker *maker = data;

    (void)node;
    (void)ask;
    maker->made++;
    *bytes = maker->result == 0 ? strdup(maker->says) : NULL;
    return maker->result;
}

static struct text *get(struct texts *texts, uint32_t node)
{
    struct ask ask = {0};
    struct text *text;

    assert_int_equal(texts_get(texts, node, &ask, &text), 0);
    return text;
}

static void test_a_text_is_made_once_a_second(void **state)
{
    struct maker maker = {.says = "one"};
    struct texts *texts = texts_new(make, &maker);
    struct text *first = get(texts, 1), *second;

    (void)state;
    maker.says = "three";
    test_now += 999;
    second = get(texts, 1);
    assert_ptr_equal(first, second);
    texts_put(second);
    test_now += 1;
    second = get(texts, 1);
    assert_int_equal(maker.made, 2);
    assert_string_equal(texts_bytes(second), "three");
    assert_int_equal(texts_size(second), 5);
    assert_int_equal(texts_made_at(second), test_now * 1000000);
    /* Who reads the first still has it. */
    assert_string_equal(texts_bytes(first), "one");
    assert_int_equal(texts_size(first), 3);
    texts_put(first);
    texts_put(second);
    texts_free(texts);
}

static void test_a_text_that_comes_out_as_it_was_keeps_its_time(void **state)
{
    struct maker maker = {.says = "one"};
    struct texts *texts = texts_new(make, &maker);
    struct text *first = get(texts, 1), *second;
    int64_t made_at = test_now * 1000000;

    (void)state;
    for (unsigned i = 2; i < 5; i++) {
        test_now += 1000;
        second = get(texts, 1);
        assert_int_equal(maker.made, i);
        assert_int_equal(texts_made_at(second), made_at);
        texts_put(second);
        test_now += 999; /* it counts as made */
        texts_put(get(texts, 1));
        assert_int_equal(maker.made, i);
    }
    texts_put(first);
    texts_free(texts);
}

static void test_who_asks_for_nothing_gets_the_last(void **state)
{
    struct maker maker = {.says = "one"};
    struct texts *texts = texts_new(make, &maker);
    struct text *text;

    (void)state;
    assert_int_equal(texts_get(texts, 1, NULL, &text), -EAGAIN);
    texts_put(get(texts, 1));
    assert_int_equal(texts_get(texts, 2, NULL, &text), -EAGAIN); /* another's */
    test_now += 60000;
    assert_int_equal(texts_get(texts, 1, NULL, &text), 0);
    assert_int_equal(maker.made, 1);
    texts_put(text);
    texts_free(texts);
}

static void test_a_text_that_cannot_be_made_is_an_error(void **state)
{
    struct maker maker = {.says = "one", .result = -EAGAIN};
    struct texts *texts = texts_new(make, &maker);
    struct ask ask = {0};
    struct text *text;

    (void)state;
    assert_int_equal(texts_get(texts, 1, &ask, &text), -EAGAIN);
    maker.result = 0;
    texts_put(get(texts, 1)); /* tried again at once */
    maker.result = -EIO;
    test_now += 1000;
    assert_int_equal(texts_get(texts, 1, &ask, &text), -EIO);
    assert_int_equal(texts_get(texts, 1, NULL, &text), 0);
    assert_string_equal(texts_bytes(text), "one");
    texts_put(text);
    texts_free(texts);
}

static void test_without_memory_there_is_no_text(void **state)
{
    struct maker maker = {.says = "one"};
    struct ask ask = {0};
    struct text *text;

    (void)state;
    memory = 0;
    struct texts *texts = texts_new(make, &maker);
    assert_null(texts);
    texts_free(texts);
    memory = -1;
    texts = texts_new(make, &maker);
    for (memory = 0; memory < 2; memory++) { /* for what is known of the file; and for the text */
        int has = memory;
        assert_int_equal(texts_get(texts, 1, &ask, &text), -ENOMEM);
        memory = has;
    }
    memory = -1;
    text = get(texts, 1);
    assert_string_equal(texts_bytes(text), "one");
    texts_put(text);
    texts_put(NULL);
    texts_free(texts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_text_is_made_once_a_second),
        cmocka_unit_test(test_a_text_that_comes_out_as_it_was_keeps_its_time),
        cmocka_unit_test(test_who_asks_for_nothing_gets_the_last),
        cmocka_unit_test(test_a_text_that_cannot_be_made_is_an_error),
        cmocka_unit_test(test_without_memory_there_is_no_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
