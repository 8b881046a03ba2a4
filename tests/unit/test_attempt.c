/* test_attempt.c - an attempt to fetch: what workers may have died of is tried alone, and what the next worker is told of it. */
#include <netinet/in.h>
#include <sys/socket.h>

#include "fs/tree/attempt.h"
#include "gitcache/base/clock.h"
#include "tests/unit/mounted.h"

/* Two versions and a listing are fetched; workers have died of the first. */
struct subject {
    struct mounted mounted;
    struct work works[3];
    struct attempt attempt;
    struct crash_record *crashes;
    uint64_t key;
};

static void begin(struct subject *subject, void **state, int deaths)
{
    static const char *const versions[] = {"1", "2", ""};

    make_repository(*state);
    mounted_open(&subject->mounted, state, "./repo?tag=1");
    struct mount *mount = &subject->mounted.mount;
    struct repo *repo = repos_at(&mount->repos, 0);
    subject->crashes = &mount->state->crashes;
    subject->key = crash_record_key(repository_url(repo->repository), "1");
    for (int i = 0; i < deaths; i++) {
        crash_record_work(subject->crashes, subject->key);
        crash_record_recover(subject->crashes, false);
    }
    assert_int_equal(attempt_is_suspect(mount, repo, "1"), deaths > 1);
    assert_false(attempt_is_suspect(mount, repo, "2"));
    attempt_init(&subject->attempt, mount);
    for (int i = 0; i < 3; i++)
        attempt_add(&subject->attempt, &subject->works[i], repo, versions[i]);
}

static bool is_tried_alone(struct subject *subject)
{
    bool is_free = pthread_mutex_trylock(&subject->mounted.mount.fetch_trial) == 0;

    if (is_free)
        pthread_mutex_unlock(&subject->mounted.mount.fetch_trial);
    return !is_free;
}

static void what_workers_died_of_is_tried_alone(void **state)
{
    for (int deaths = 0; deaths < 3; deaths++) {
        struct subject subject = {.key = 0};
        struct error error;
        begin(&subject, state, deaths);
        assert_int_equal(attempt_begin(&subject.attempt, &error), 0);
        assert_int_equal(is_tried_alone(&subject), deaths == 2);
        attempt_end(&subject.attempt);
        assert_false(is_tried_alone(&subject));
        assert_int_equal(crash_record_deaths(subject.crashes, subject.key), 0); /* of no more */
        mounted_close(&subject.mounted);
        run(*state, "rm -rf repo cache");
    }
}

static void what_three_died_of_is_given_up(void **state)
{
    struct subject subject = {.key = 0};
    struct error error;

    begin(&subject, state, 3);
    assert_int_equal(attempt_begin(&subject.attempt, &error), -EIO);
    assert_string_equal(error.text,
                        "3 workers died of what the remote sent: not tried again for 60 s");
    assert_false(is_tried_alone(&subject));
    mounted_close(&subject.mounted);
}

/* A worker dies now: of how many of the works, as the next one sees it. */
static unsigned died_of(struct subject *subject)
{
    unsigned count = 0;

    crash_record_recover(subject->crashes, false);
    for (size_t i = 0; i < subject->attempt.count; i++)
        count += crash_record_deaths(subject->crashes, subject->attempt.keys[i]) > 0;
    return count;
}

/* Nobody dies of waiting for a server, nor of writing what has been looked at. */
static void a_worker_dies_of_what_it_receives(void **state)
{
    struct subject subject = {.key = 0};
    const struct watch *watch = &subject.attempt.watch;
    struct error error;

    begin(&subject, state, 0);
    assert_int_equal(attempt_begin(&subject.attempt, &error), 0);
    watch->progress(watch->data, 0, "counting");
    assert_int_equal(died_of(&subject), 0);
    watch->progress(watch->data, 100, NULL);
    watch->checked(watch->data);
    assert_int_equal(died_of(&subject), 0);
    watch->progress(watch->data, 200, NULL);
    watch->progress(watch->data, 300, NULL);
    assert_int_equal(died_of(&subject), 3);
    attempt_end(&subject.attempt);
    mounted_close(&subject.mounted);
}

/* What `status` shows, and what readers' patience is measured from. */
static void progress_is_every_works(void **state)
{
    struct subject subject = {.key = 0};
    const struct watch *watch = &subject.attempt.watch;
    struct error error;

    begin(&subject, state, 0);
    assert_int_equal(attempt_begin(&subject.attempt, &error), 0);
    for (int i = 0; i < 3; i++) {
        assert_true(subject.works[i].began_at > 0 && subject.works[i].progress_at > 0);
        assert_int_equal(subject.works[i].bytes, 0);
        subject.works[i].progress_at = 0;
    }
    watch->progress(watch->data, 100, NULL);
    assert_int_equal(subject.attempt.bytes, 100);
    for (int i = 0; i < 3; i++) {
        assert_true(subject.works[i].progress_at > 0);
        assert_int_equal(subject.works[i].bytes, 100);
    }
    attempt_end(&subject.attempt);
    assert_false(watch->cancelled(watch->data));
    mounted_close(&subject.mounted);
}

/* Of its server, say: that it sends more than was asked for. */
static void what_is_noted_is_a_warning(void **state)
{
    struct subject subject = {.key = 0};
    const struct watch *watch = &subject.attempt.watch;
    struct log *log;
    char path[100];

    begin(&subject, state, 0);
    snprintf(path, sizeof path, "%s/said", subject.mounted.box->folder);
    assert_int_equal(log_open(&log, LOG_LEVEL_WARNING, path, true), 0);
    subject.mounted.mount.log = log;
    watch->note(watch->data, "it sends too much");
    assert_string_equal(output(*state, "grep -c 'it sends too much' said"), "1");
    mounted_close(&subject.mounted);
    log_close(log);
}

/* A server that takes the connection and says nothing. */
static void an_attempt_ends_with_the_mount(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    struct mounted mounted;
    struct ask ask = {0};
    char path[100];
    struct log *log;

    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listening, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listening, 5), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &size), 0);
    snprintf(path, sizeof path, "git://127.0.0.1:%d/repo?tag=1", ntohs(address.sin_port));
    mounted_open(&mounted, state, path);
    snprintf(path, sizeof path, "%s/said", mounted.box->folder);
    assert_int_equal(log_open(&log, LOG_LEVEL_DEBUG, path, true), 0);
    mounted.mount.log = log;
    assert_int_equal(ask_listing(&mounted.mount, repos_at(&mounted.mount.repos, 0), &ask), -EAGAIN);
    int connection = accept(listening, NULL, NULL); /* it is asked now */
    assert_true(connection >= 0);
    int64_t began = clock_now();
    mounted_close(&mounted);
    assert_true(clock_now() - began < 20000); /* not after `timeout` */
    assert_string_equal(output(*state, "grep -c 'warning.*repo' said; true"), "0");
    log_close(log);
    close(connection);
    close(listening);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_open, sandbox_close)
    const struct CMUnitTest tests[] = {
        TEST(what_workers_died_of_is_tried_alone), TEST(what_three_died_of_is_given_up),
        TEST(a_worker_dies_of_what_it_receives),   TEST(progress_is_every_works),
        TEST(what_is_noted_is_a_warning),          TEST(an_attempt_ends_with_the_mount),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
