#include "fs/tree/attempt.h"

#include <errno.h>

#include "gitcache/base/clock.h"
#include "gitcache/fetch/pool.h"

static void on_progress(void *data, uint64_t bytes, const char *line)
{
    struct attempt *attempt = data;
    int64_t now = clock_now();

    (void)line;
    attempt->bytes = bytes;
    for (size_t i = 0; bytes > 0 && !attempt->receiving && i < attempt->count; i++)
        crash_record_work(&attempt->mount->state->crashes, attempt->keys[i]);
    attempt->receiving = bytes > 0;
    for (size_t i = 0; i < attempt->count; i++) {
        atomic_store(&attempt->works[i]->progress_at, now);
        atomic_store(&attempt->works[i]->bytes, bytes);
    }
}

static void on_checked(void *data)
{
    struct attempt *attempt = data;

    for (size_t i = 0; i < attempt->count; i++)
        crash_record_pause(&attempt->mount->state->crashes, attempt->keys[i]);
    attempt->receiving = false;
}

static void on_note(void *data, const char *sentence)
{
    const struct attempt *attempt = data;

    log_warning(attempt->mount->log, "%s", sentence);
}

static bool on_cancelled(void *data)
{
    struct attempt *attempt = data;
    return pool_is_stopping(attempt->mount->pool);
}

void attempt_init(struct attempt *attempt, struct mount *mount)
{
    *attempt = (struct attempt){.mount = mount,
                                .watch = {.progress = on_progress,
                                          .cancelled = on_cancelled,
                                          .checked = on_checked,
                                          .note = on_note,
                                          .data = attempt}};
}

void attempt_add(struct attempt *attempt, struct work *work, struct repo *repo, const char *version)
{
    attempt->works[attempt->count] = work;
    attempt->keys[attempt->count++] = crash_record_key(repository_url(repo->repository), version);
}

bool attempt_is_suspect(struct mount *mount, struct repo *repo, const char *version)
{
    uint64_t key = crash_record_key(repository_url(repo->repository), version);

    return crash_record_judge(&mount->state->crashes, key) != CRASH_SAFE;
}

int attempt_begin(struct attempt *attempt, struct error *e)
{
    struct crash_record *crashes = &attempt->mount->state->crashes;
    enum crash_verdict verdict = crash_record_judge(crashes, attempt->keys[0]);

    on_progress(attempt, 0, NULL);
    int64_t now = clock_now();
    for (size_t i = 0; i < attempt->count; i++)
        atomic_store(&attempt->works[i]->began_at, now);
    if (verdict == CRASH_GIVEN_UP)
        return error_set(e, EIO,
                         "%d workers died of what the remote sent: not tried again for %d s",
                         CRASH_DEATHS, CRASH_PAUSE / 1000);
    attempt->on_trial = verdict == CRASH_TRIAL;
    if (attempt->on_trial)
        pthread_mutex_lock(&attempt->mount->fetch_trial);
    return 0;
}

void attempt_end(struct attempt *attempt)
{
    for (size_t i = 0; i < attempt->count; i++)
        crash_record_end(&attempt->mount->state->crashes, attempt->keys[i]);
    if (attempt->on_trial)
        pthread_mutex_unlock(&attempt->mount->fetch_trial);
}
