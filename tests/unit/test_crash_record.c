/* Requests and fetches that outlive a worker: who is blamed for its death, and who is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#include "fs/shared/crash_record.h"
#include "fs/shared/inflight.h"

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct inflight) + sizeof(struct crash_record));
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

/* A worker has read a request. */
static enum crash_verdict begin(struct inflight *inflight, uint64_t unique)
{
    enum crash_verdict verdict = crash_record_judge(&inflight->requests, unique);

    crash_record_add(&inflight->requests, unique);
    return verdict;
}

/* A worker begins a request, and dies at it. */
static enum crash_verdict die_of(struct inflight *inflight, uint64_t unique)
{
    enum crash_verdict verdict = begin(inflight, unique);

    crash_record_work(&inflight->requests, unique);
    inflight_recover(inflight, true, false, never, NULL);
    return verdict;
}

static void a_request_is_given_up_after_three_deaths(void **state)
{
    struct inflight *inflight = *state;

    assert_int_equal(die_of(inflight, 20), CRASH_SAFE);
    assert_int_equal(die_of(inflight, 20), CRASH_SAFE);
    assert_int_equal(die_of(inflight, 20), CRASH_TRIAL);
    assert_int_equal(begin(inflight, 20), CRASH_GIVEN_UP);
    crash_record_end(&inflight->requests, 20);
    assert_int_equal(begin(inflight, 20), CRASH_SAFE);
}

static void who_waits_is_not_blamed(void **state)
{
    struct inflight *inflight = *state;

    for (uint32_t worker = 1; worker < 10; worker++) {
        assert_int_equal(begin(inflight, 8), CRASH_SAFE);
        crash_record_work(&inflight->requests, 8);
        crash_record_pause(&inflight->requests, 8); /* parked */
        die_of(inflight, 8 + 2 * worker);
    }
}

static void who_waits_for_its_trial_is_not_blamed(void **state)
{
    struct inflight *inflight = *state;

    for (uint32_t worker = 1; worker <= 2; worker++) {
        begin(inflight, 2);
        crash_record_work(&inflight->requests, 2);
        die_of(inflight, 4);
    }
    assert_int_equal(begin(inflight, 2), CRASH_TRIAL);
    assert_int_equal(die_of(inflight, 4), CRASH_TRIAL);
    assert_int_equal(begin(inflight, 2), CRASH_TRIAL);
    assert_int_equal(begin(inflight, 4), CRASH_GIVEN_UP);
}

static void without_resend_all_are_given_up(void **state)
{
    struct inflight *inflight = *state;
    uint64_t sum = 0;

    begin(inflight, 2);
    begin(inflight, 4);
    begin(inflight, 8);
    crash_record_end(&inflight->requests, 4);
    /* Read, but its worker died before it could note it down. */
    inflight->heads[5] = (struct request_header){.opcode = 1, .unique = 100};
    inflight->heads[6] = (struct request_header){.opcode = OP_FORGET, .unique = 1000};
    inflight->heads[7] = (struct request_header){.opcode = OP_INTERRUPT, .unique = 1001};
    inflight_recover(inflight, false, false, count, &sum);
    assert_int_equal(sum, 110);
    assert_true(inflight_is_empty(inflight));
    sum = 0;
    inflight_recover(inflight, false, false, count, &sum);
    assert_int_equal(sum, 0);
}

static void what_was_answered_is_forgotten_in_time(void **state)
{
    struct inflight *inflight = *state;

    /* Answered, but its worker died before it could note that down: it never comes again. */
    die_of(inflight, 2);
    inflight_recover(inflight, true, false, never, NULL);
    assert_false(inflight_is_empty(inflight));
    /* By time, as with fetches; it used to be by the number of workers that had not seen it. */
    for (size_t i = 0; i < CRASH_SLOTS; i++)
        inflight->requests.slots[i].died_at -= CRASH_PAUSE;
    inflight_recover(inflight, true, false, never, NULL);
    assert_true(inflight_is_empty(inflight));
}

static void a_full_table_tracks_no_more_and_harms_nobody(void **state)
{
    struct inflight *inflight = *state;

    for (uint64_t unique = 2; unique < 4 * CRASH_SLOTS; unique += 2)
        assert_int_equal(begin(inflight, unique), CRASH_SAFE);
    for (uint64_t unique = 2; unique < 4 * CRASH_SLOTS; unique += 2)
        crash_record_end(&inflight->requests, unique);
    assert_true(inflight_is_empty(inflight));
}

static void a_fetch_is_given_up_after_three_deaths(void **state)
{
    struct crash_record *record = *state;
    uint64_t key = crash_record_key("https://example.org/a", "1"), other = key + 1;

    for (int death = 0; death < 3; death++) {
        assert_int_equal(crash_record_judge(record, key), death < 2 ? CRASH_SAFE : CRASH_TRIAL);
        crash_record_work(record, key);
        crash_record_recover(record, false);
    }
    assert_int_equal(crash_record_judge(record, key), CRASH_GIVEN_UP);
    assert_int_equal(crash_record_judge(record, other), CRASH_SAFE);
    /* Its time is over: it has one more chance, alone. */
    for (size_t i = 0; i < CRASH_SLOTS; i++)
        record->slots[i].died_at -= CRASH_PAUSE;
    assert_int_equal(crash_record_judge(record, key), CRASH_TRIAL);
    crash_record_work(record, key);
    crash_record_recover(record, false);
    assert_int_equal(crash_record_judge(record, key), CRASH_GIVEN_UP);
}

static void who_is_killed_by_others_is_rarely_to_blame(void **state)
{
    struct crash_record *record = *state;
    uint64_t key = crash_record_key("https://example.org/a", "1");

    for (int kill = 0; kill < CRASH_DEATHS * CRASH_KILLS; kill++) {
        assert_int_not_equal(crash_record_judge(record, key), CRASH_GIVEN_UP);
        if (kill < (CRASH_DEATHS - 1) * CRASH_KILLS)
            assert_int_equal(crash_record_judge(record, key), CRASH_SAFE);
        crash_record_work(record, key);
        crash_record_recover(record, true);
    }
    assert_int_equal(crash_record_judge(record, key), CRASH_GIVEN_UP);
}

static void a_death_while_it_is_written_does_not_count(void **state)
{
    struct crash_record *record = *state;
    uint64_t key = crash_record_key("https://example.org/a", "1");

    for (int death = 0; death < 5; death++) {
        crash_record_work(record, key);
        crash_record_pause(record, key);
        crash_record_recover(record, false);
        assert_int_equal(crash_record_judge(record, key), CRASH_SAFE);
    }
    for (int death = 0; death < 2; death++) {
        crash_record_work(record, key);
        crash_record_recover(record, false);
    }
    crash_record_work(record, key);
    crash_record_pause(record, key);
    crash_record_recover(record, false);
    assert_int_equal(crash_record_judge(record, key), CRASH_TRIAL); /* the two before still count */
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
            keys[count++] = crash_record_key_of_request(operations[i], inode, "");
    qsort(keys, count, sizeof *keys, compare_keys);
    for (size_t i = 1; i < count; i++)
        assert_true(keys[i - 1] != keys[i]);
    assert_true(crash_record_key_of_request(1, 2, "a") != crash_record_key_of_request(1, 2, "b"));
}

/* In the first and the last slot, and of the first and the last thread. */
static void none_is_left_waiting_without_resend(void **state)
{
    struct inflight *inflight = *state;
    uint64_t sum = 0;

    begin(inflight, 2 * CRASH_SLOTS);
    assert_false(inflight_is_empty(inflight));
    crash_record_end(&inflight->requests, 2 * CRASH_SLOTS);
    begin(inflight, 2 * CRASH_SLOTS - 2);
    assert_false(inflight_is_empty(inflight));
    begin(inflight, 2 * CRASH_SLOTS);
    inflight->heads[0] = (struct request_header){.opcode = 1, .unique = 100000};
    inflight->heads[1] = (struct request_header){.opcode = OP_BATCH_FORGET, .unique = 1};
    inflight->heads[INFLIGHT_READERS - 1] = (struct request_header){.opcode = 1, .unique = 1000000};
    inflight_recover(inflight, false, false, count, &sum);
    assert_int_equal(sum, 4 * CRASH_SLOTS - 2 + 1100000);
    assert_true(inflight_is_empty(inflight));
    sum = 0;
    inflight_recover(inflight, false, false, count, &sum);
    assert_int_equal(sum, 0);
}

static void a_neighbour_that_is_gone_hides_none(void **state)
{
    struct crash_record *record = *state;
    const uint64_t first = 8, second = 8 + 2 * CRASH_SLOTS; /* of the same slot */

    crash_record_work(record, first);
    crash_record_work(record, second);
    crash_record_end(record, first);
    crash_record_recover(record, false);
    assert_int_equal(crash_record_deaths(record, first), 0);
    assert_int_equal(crash_record_deaths(record, second), 1);
}

static void what_is_condemned_is_given_up_for_a_minute(void **state)
{
    struct crash_record *record = *state;

    crash_record_work(record, 8);
    crash_record_recover(record, false);
    crash_record_condemn(record, 8);
    assert_int_equal(crash_record_deaths(record, 8), 3);
    assert_int_equal(crash_record_judge(record, 8), CRASH_GIVEN_UP);
    record->slots[4].died_at -= 50000;
    assert_int_equal(crash_record_judge(record, 8), CRASH_GIVEN_UP);
    record->slots[4].died_at -= 10000;
    assert_int_equal(crash_record_judge(record, 8), CRASH_TRIAL);
    crash_record_condemn(record, 10); /* of which no worker has died yet */
    assert_int_equal(crash_record_judge(record, 10), CRASH_GIVEN_UP);
}

static void kills_are_counted_until_it_ends(void **state)
{
    struct crash_record *record = *state;

    for (unsigned round = 0; round < 2; round++) {
        for (unsigned kill = 1; kill <= 4; kill++) {
            assert_int_equal(crash_record_deaths(record, 8), 0);
            crash_record_work(record, 8);
            crash_record_recover(record, true);
            crash_record_recover(record, true); /* of a worker that was not at it */
        }
        assert_int_equal(crash_record_deaths(record, 8), 1);
        crash_record_work(record, 8);
        crash_record_recover(record, true);
        crash_record_work(record, 8);
        crash_record_end(record, 8);
        crash_record_add(record, 8); /* another one, at which nobody is */
        crash_record_recover(record, false);
        assert_int_equal(crash_record_deaths(record, 8), 0);
    }
}

static void what_is_worked_on_has_a_key_of_its_own(void **state)
{
    static const char url[] = "https://example.org/a";
    const uint64_t keys[] = {crash_record_key(url, NULL), crash_record_key(url, ""),
                             crash_record_key(url, "1"), crash_record_key_of_cached(url),
                             crash_record_key("https://example.org/b", NULL)};

    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        for (size_t j = 0; j < i; j++)
            assert_true(keys[i] != keys[j]);
}

static void a_fetch_that_ends_has_no_past(void **state)
{
    struct crash_record *record = *state;
    uint64_t key = crash_record_key("https://example.org/a", NULL);

    assert_int_not_equal(key, crash_record_key("https://example.org/a", ""));
    for (int round = 0; round < 5; round++) {
        for (int death = 0; death < 2; death++) {
            crash_record_work(record, key);
            crash_record_recover(record, false);
        }
        assert_int_equal(crash_record_judge(record, key), CRASH_TRIAL);
        crash_record_end(record, key);
        assert_int_equal(crash_record_judge(record, key), CRASH_SAFE);
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
        TEST(who_is_killed_by_others_is_rarely_to_blame),
        TEST(a_death_while_it_is_written_does_not_count),
        TEST(no_two_requests_share_a_key),
        TEST(a_fetch_that_ends_has_no_past),
        TEST(what_is_worked_on_has_a_key_of_its_own),
        TEST(kills_are_counted_until_it_ends),
        TEST(what_is_condemned_is_given_up_for_a_minute),
        TEST(a_neighbour_that_is_gone_hides_none),
        TEST(none_is_left_waiting_without_resend),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
