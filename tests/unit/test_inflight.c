/* Requests and fetches that outlive a worker: who is blamed for its death, and who is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#include "fs/shared/deadly.h"
#include "fs/shared/inflight.h"

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct inflight) + sizeof(struct deadly));
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static void count(void *data, uint64_t unique)
{
    *(uint64_t *)data += unique;
}

static void never(void *data, uint64_t unique)
{
    (void)data;
    fail_msg("request %lu is given up", (unsigned long)unique);
}

/* A worker begins a request, and dies at it. */
static enum inflight_verdict die_of(struct inflight *inflight, uint64_t unique, uint32_t worker)
{
    enum inflight_verdict verdict = inflight_begin(inflight, unique, worker);

    inflight_work(inflight, unique);
    inflight_recover(inflight, worker + 1, true, never, NULL);
    return verdict;
}

static void a_request_is_given_up_after_three_deaths(void **state)
{
    struct inflight *inflight = *state;

    assert_int_equal(die_of(inflight, 20, 1), INFLIGHT_SERVE);
    assert_int_equal(die_of(inflight, 20, 2), INFLIGHT_SERVE);
    assert_int_equal(die_of(inflight, 20, 3), INFLIGHT_TRIAL);
    assert_int_equal(inflight_begin(inflight, 20, 4), INFLIGHT_GIVE_UP);
    inflight_end(inflight, 20);
    assert_int_equal(inflight_begin(inflight, 20, 4), INFLIGHT_SERVE);
}

static void who_waits_is_not_blamed(void **state)
{
    struct inflight *inflight = *state;

    for (uint32_t worker = 1; worker < 10; worker++) {
        assert_int_equal(inflight_begin(inflight, 8, worker), INFLIGHT_SERVE);
        inflight_work(inflight, 8);
        inflight_pause(inflight, 8); /* parked */
        die_of(inflight, 8 + 2 * worker, worker);
    }
}

static void who_waits_for_its_trial_is_not_blamed(void **state)
{
    struct inflight *inflight = *state;

    for (uint32_t worker = 1; worker <= 2; worker++) {
        inflight_begin(inflight, 2, worker);
        inflight_work(inflight, 2);
        die_of(inflight, 4, worker);
    }
    assert_int_equal(inflight_begin(inflight, 2, 3), INFLIGHT_TRIAL);
    assert_int_equal(die_of(inflight, 4, 3), INFLIGHT_TRIAL);
    assert_int_equal(inflight_begin(inflight, 2, 4), INFLIGHT_TRIAL);
    assert_int_equal(inflight_begin(inflight, 4, 4), INFLIGHT_GIVE_UP);
}

static void without_resend_all_are_given_up(void **state)
{
    struct inflight *inflight = *state;
    uint64_t sum = 0;

    inflight_begin(inflight, 2, 1);
    inflight_begin(inflight, 4, 1);
    inflight_begin(inflight, 8, 1);
    inflight_end(inflight, 4);
    /* Read, but its worker died before it could note it down. */
    inflight->heads[5] = (struct request_header){.opcode = 1, .unique = 100};
    inflight->heads[6] = (struct request_header){.opcode = OP_FORGET, .unique = 1000};
    inflight->heads[7] = (struct request_header){.opcode = OP_INTERRUPT, .unique = 1001};
    inflight_recover(inflight, 2, false, count, &sum);
    assert_int_equal(sum, 110);
    assert_true(inflight_is_empty(inflight));
    sum = 0;
    inflight_recover(inflight, 3, false, count, &sum);
    assert_int_equal(sum, 0);
}

static void what_was_answered_is_forgotten_in_time(void **state)
{
    struct inflight *inflight = *state;

    /* Answered, but its worker died before it could note that down: it never comes again. */
    die_of(inflight, 2, 1);
    for (uint32_t worker = 3; worker < 30; worker++)
        inflight_recover(inflight, worker, true, never, NULL);
    assert_true(inflight_is_empty(inflight));
}

static void a_full_table_tracks_no_more_and_harms_nobody(void **state)
{
    struct inflight *inflight = *state;

    for (uint64_t unique = 2; unique < 4 * INFLIGHT_SLOTS; unique += 2)
        assert_int_equal(inflight_begin(inflight, unique, 1), INFLIGHT_SERVE);
    for (uint64_t unique = 2; unique < 4 * INFLIGHT_SLOTS; unique += 2)
        inflight_end(inflight, unique);
    assert_true(inflight_is_empty(inflight));
}

static void a_fetch_is_given_up_after_three_deaths(void **state)
{
    struct deadly *deadly = *state;
    uint64_t key = deadly_key("https://example.org/a", "1"), other = key + 1;

    for (int death = 0; death < 3; death++) {
        assert_int_equal(deadly_judge(deadly, key), death < 2 ? DEADLY_NOT : DEADLY_TRIAL);
        deadly_begin(deadly, key);
        deadly_recover(deadly);
    }
    assert_int_equal(deadly_judge(deadly, key), DEADLY_GIVEN_UP);
    assert_int_equal(deadly_judge(deadly, other), DEADLY_NOT);
    /* Its time is over: it has one more chance, alone. */
    for (size_t i = 0; i < DEADLY_SLOTS; i++)
        deadly->slots[i].died_at -= DEADLY_PAUSE;
    assert_int_equal(deadly_judge(deadly, key), DEADLY_TRIAL);
    deadly_begin(deadly, key);
    deadly_recover(deadly);
    assert_int_equal(deadly_judge(deadly, key), DEADLY_GIVEN_UP);
}

static void a_death_while_it_is_written_does_not_count(void **state)
{
    struct deadly *deadly = *state;
    uint64_t key = deadly_key("https://example.org/a", "1");

    for (int death = 0; death < 5; death++) {
        deadly_begin(deadly, key);
        deadly_pause(deadly, key);
        deadly_recover(deadly);
        assert_int_equal(deadly_judge(deadly, key), DEADLY_NOT);
    }
    for (int death = 0; death < 2; death++) {
        deadly_begin(deadly, key);
        deadly_recover(deadly);
    }
    deadly_begin(deadly, key);
    deadly_pause(deadly, key);
    deadly_recover(deadly);
    assert_int_equal(deadly_judge(deadly, key), DEADLY_TRIAL); /* the two before still count */
}

static int compare_keys(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void no_two_requests_share_a_key(void **state)
{
    static const uint32_t operations[] = {1, 3, 5, 15, 28, 44};
    enum { INODES = 20000, OPERATIONS = sizeof operations / sizeof *operations };
    static uint64_t keys[INODES * OPERATIONS];
    size_t count = 0;

    (void)state;
    for (uint64_t inode = 1; inode <= INODES; inode++)
        for (size_t i = 0; i < OPERATIONS; i++)
            keys[count++] = deadly_key_of_request(operations[i], inode, "");
    qsort(keys, count, sizeof *keys, compare_keys);
    for (size_t i = 1; i < count; i++)
        assert_true(keys[i - 1] != keys[i]);
    assert_true(deadly_key_of_request(1, 2, "a") != deadly_key_of_request(1, 2, "b"));
}

static void a_fetch_that_ends_has_no_past(void **state)
{
    struct deadly *deadly = *state;
    uint64_t key = deadly_key("https://example.org/a", NULL);

    assert_int_not_equal(key, deadly_key("https://example.org/a", ""));
    for (int round = 0; round < 5; round++) {
        for (int death = 0; death < 2; death++) {
            deadly_begin(deadly, key);
            deadly_recover(deadly);
        }
        assert_int_equal(deadly_judge(deadly, key), DEADLY_TRIAL);
        deadly_end(deadly, key);
        assert_int_equal(deadly_judge(deadly, key), DEADLY_NOT);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_given_up_after_three_deaths),
        TEST(who_waits_is_not_blamed),
        TEST(who_waits_for_its_trial_is_not_blamed),
        TEST(without_resend_all_are_given_up),
        TEST(what_was_answered_is_forgotten_in_time),
        TEST(a_full_table_tracks_no_more_and_harms_nobody),
        TEST(a_fetch_is_given_up_after_three_deaths),
        TEST(a_death_while_it_is_written_does_not_count),
        TEST(no_two_requests_share_a_key),
        TEST(a_fetch_that_ends_has_no_past),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
