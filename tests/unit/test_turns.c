/* Work that takes turns: never more at once than may, in order, and none waits for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdatomic.h>
#include <unistd.h>

#include "fs/tree/turns.h"

#define THREADS 6
#define ROUNDS  30

struct world {
    struct turns turns;
    atomic_int at_once, most;
    atomic_int rounds[THREADS];
};

struct worker_thread {
    struct world *world;
    int number;
};

static bool never(void *data)
{
    (void)data;
    return false;
}

static bool always(void *data)
{
    (void)data;
    return true;
}

static void *take_rounds(void *data)
{
    struct worker_thread *thread = data;
    struct world *world = thread->world;

    for (int i = 0; i < ROUNDS; i++) {
        if (!turns_take(&world->turns, never, NULL))
            return data;
        int now = atomic_fetch_add(&world->at_once, 1) + 1;
        if (now > atomic_load(&world->most))
            atomic_store(&world->most, now);
        usleep(200);
        atomic_fetch_add(&world->rounds[thread->number], 1);
        atomic_fetch_sub(&world->at_once, 1);
        turns_give_back(&world->turns);
    }
    return NULL;
}

static void never_more_than_may(void **state)
{
    struct world world = {0};
    struct worker_thread threads[THREADS];
    pthread_t ids[THREADS];
    void *failed;

    (void)state;
    turns_init(&world.turns, 2);
    for (int i = 0; i < THREADS; i++) {
        threads[i] = (struct worker_thread){&world, i};
        assert_int_equal(pthread_create(&ids[i], NULL, take_rounds, &threads[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(ids[i], &failed);
        assert_null(failed);
        assert_int_equal(atomic_load(&world.rounds[i]), ROUNDS);
    }
    assert_in_range(atomic_load(&world.most), 1, 2);
    assert_false(turns_are_wanted(&world.turns));
    turns_release(&world.turns);
}

static void who_gives_up_stands_in_nobodys_way(void **state)
{
    struct turns turns;

    (void)state;
    turns_init(&turns, 1);
    assert_true(turns_take(&turns, always, NULL)); /* not asked where none has to wait */
    assert_false(turns_take(&turns, always, NULL));
    assert_false(turns_take(&turns, always, NULL));
    assert_false(turns_are_wanted(&turns));
    turns_give_back(&turns);
    assert_true(turns_take(&turns, always, NULL)); /* those who gave up have taken none */
    turns_give_back(&turns);
    turns_release(&turns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_more_than_may),
        cmocka_unit_test(who_gives_up_stands_in_nobodys_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
