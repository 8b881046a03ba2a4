/* test_mount_probe.c - how long an answer of the mount is good for, and how long somebody waits for one. */
#include <errno.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clock_of_test.h"
#include "fs/service/mount_probe.h"

/* The mount: it has been asked, it may answer, and what. */
static sem_t asked, may_answer;
static const char *answer; /* NULL: it fails */

static int ask(void *data, char **text, struct error *e)
{
    (void)data;
    sem_post(&asked);
    sem_wait(&may_answer);
    if (!answer)
        return error_set(e, ENOTCONN, "nothing is mounted");
    *text = strdup(answer);
    return 0;
}

/* Somebody who waits. */
struct somebody {
    struct mount_probe_waiter waiter;
    bool is_suspended;
    sem_t resumed;
};

static void suspend(void *data)
{
    ((struct somebody *)data)->is_suspended = true;
}

static void resume(void *data)
{
    struct somebody *one = data;

    one->is_suspended = false;
    sem_post(&one->resumed);
}

static struct somebody first, second;

static struct mount_probe *open_probe(void)
{
    struct mount_probe_options options = {.ask = ask, .suspend = suspend, .resume = resume};
    struct mount_probe *probe;
    struct error error;

    sem_init(&asked, 0, 0);
    sem_init(&may_answer, 0, 0);
    sem_init(&first.resumed, 0, 0);
    sem_init(&second.resumed, 0, 0);
    assert_int_equal(mount_probe_open(&probe, &options, &error), 0);
    return probe;
}

static void close_probe(struct mount_probe *probe)
{
    sem_post(&may_answer);
    mount_probe_stop(probe);
    assert_true(mount_probe_close(probe));
}

/* It waits, and the mount has been asked by then. */
static void wait_for_answer(struct mount_probe *probe, struct somebody *one)
{
    assert_true(mount_probe_wait(probe, &one->waiter, one));
    assert_true(one->is_suspended);
    sem_wait(&asked);
}

static void assert_reported(struct mount_probe *probe, int expected, const char *said)
{
    struct error error = {0};
    char *text = NULL;

    assert_int_equal(mount_probe_report(probe, &text, &error), expected);
    assert_string_equal(expected < 0 ? error.text : text, said);
    free(text);
    assert_int_equal(mount_probe_report(probe, NULL, &error), expected);
}

static void an_answer_is_good_for_a_second(void **state)
{
    struct mount_probe *probe = open_probe();

    (void)state;
    assert_reported(probe, -ETIMEDOUT, "the mount does not answer");
    answer = "up 1\n";
    wait_for_answer(probe, &first);
    sem_post(&may_answer);
    sem_wait(&first.resumed);
    assert_reported(probe, 0, "up 1\n");
    test_now += 999;
    assert_false(mount_probe_wait(probe, &first.waiter, &first));
    assert_false(first.is_suspended);
    test_now++;
    answer = NULL;
    wait_for_answer(probe, &first);
    sem_post(&may_answer);
    sem_wait(&first.resumed);
    assert_reported(probe, -ENOTCONN, "nothing is mounted");
    close_probe(probe);
}

static void nobody_waits_longer_than_their_patience(void **state)
{
    struct mount_probe *probe = open_probe();

    (void)state;
    answer = "up 1\n";
    wait_for_answer(probe, &first);
    sem_post(&may_answer);
    sem_wait(&first.resumed);
    test_now += 1000; /* and now it hangs */
    wait_for_answer(probe, &first);
    test_now += 1500;
    assert_true(mount_probe_wait(probe, &second.waiter, &second));
    test_now += 4000 - 1501;
    mount_probe_expire(probe, test_now);
    assert_true(first.is_suspended);
    mount_probe_expire(probe, ++test_now);
    assert_false(first.is_suspended);
    assert_true(second.is_suspended);
    assert_reported(probe, 0, "up 1\n");
    test_now++;
    assert_reported(probe, -ETIMEDOUT, "the mount does not answer");
    sem_post(&may_answer);
    sem_wait(&second.resumed);
    assert_false(second.is_suspended);
    assert_reported(probe, 0, "up 1\n");
    close_probe(probe);
}

static void at_the_end_nobody_waits(void **state)
{
    struct mount_probe *probe = open_probe();

    (void)state;
    wait_for_answer(probe, &first);
    assert_true(mount_probe_wait(probe, &second.waiter, &second));
    mount_probe_stop(probe);
    assert_false(first.is_suspended);
    assert_false(second.is_suspended);
    assert_false(mount_probe_wait(probe, &first.waiter, &first));
    close_probe(probe);
    assert_true(mount_probe_close(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_good_for_a_second),
        cmocka_unit_test(nobody_waits_longer_than_their_patience),
        cmocka_unit_test(at_the_end_nobody_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
