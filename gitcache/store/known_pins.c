#include "gitcache/store/known_pins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/sorted.h"
#include "gitcache/store/repository_state.h"

/* The index of the ref, or where it belongs. The caller holds `lock`. */
static size_t position(const struct repository *repository, const char *ref, bool *found)
{
    return sorted_place(repository->pins, repository->pin_count, sizeof(struct pin), ref, found);
}

static int make_room(struct repository *repository)
{
    size_t room = repository->pin_room ? 2 * repository->pin_room : 16;
    struct pin *pins;

    if (repository->pin_count < repository->pin_room)
        return 0;
    pins = reallocarray(repository->pins, room, sizeof *pins);
    if (!pins)
        return -ENOMEM;
    repository->pins = pins;
    repository->pin_room = room;
    return 0;
}

int known_pins_add(struct repository *repository, const char *ref, const struct oid *target,
                   const struct version *version)
{
    bool found;
    size_t at;
    int r = 0;

    pthread_rwlock_wrlock(&repository->lock);
    at = position(repository, ref, &found);
    if (!found) {
        char *copy = strdup(ref);
        r = copy ? make_room(repository) : -ENOMEM;
        if (r < 0) {
            free(copy);
        } else {
            struct pin *pin = &repository->pins[at];
            memmove(pin + 1, pin, (repository->pin_count++ - at) * sizeof *pin);
            pin->ref = copy;
        }
    }
    if (r == 0) {
        repository->pins[at].target = *target;
        repository->pins[at].version = *version;
        repository->pins[at].seen = repository->pin_scans;
    }
    pthread_rwlock_unlock(&repository->lock);
    return r;
}

bool known_pins_find(struct repository *repository, const char *ref, struct oid *target,
                     struct version *out)
{
    bool found;
    size_t at;

    pthread_rwlock_rdlock(&repository->lock);
    at = position(repository, ref, &found);
    if (found) {
        *target = repository->pins[at].target;
        *out = repository->pins[at].version;
    }
    pthread_rwlock_unlock(&repository->lock);
    return found;
}

int known_pins_each(struct repository *repository, int (*visit)(void *data, const struct pin *pin),
                    void *data)
{
    int r = 0;

    pthread_rwlock_rdlock(&repository->lock);
    for (size_t i = 0; i < repository->pin_count && r == 0; i++)
        r = visit(data, &repository->pins[i]);
    pthread_rwlock_unlock(&repository->lock);
    return r;
}

void known_pins_forget(struct repository *repository, const char *ref)
{
    bool found;
    size_t at;

    pthread_rwlock_wrlock(&repository->lock);
    at = position(repository, ref, &found);
    if (found) {
        struct pin *pin = &repository->pins[at];
        free(pin->ref);
        memmove(pin, pin + 1, (--repository->pin_count - at) * sizeof *pin);
    }
    pthread_rwlock_unlock(&repository->lock);
}

uint64_t known_pins_scan(struct repository *repository)
{
    pthread_rwlock_wrlock(&repository->lock);
    uint64_t scan = ++repository->pin_scans;
    pthread_rwlock_unlock(&repository->lock);
    return scan;
}

bool known_pins_see(struct repository *repository, const char *ref, uint64_t scan)
{
    bool found;
    size_t at;

    pthread_rwlock_wrlock(&repository->lock);
    at = position(repository, ref, &found);
    if (found && repository->pins[at].seen < scan)
        repository->pins[at].seen = scan;
    pthread_rwlock_unlock(&repository->lock);
    return found;
}

void known_pins_forget_unseen(struct repository *repository, uint64_t scan)
{
    size_t kept = 0;

    pthread_rwlock_wrlock(&repository->lock);
    for (size_t i = 0; i < repository->pin_count; i++) {
        if (repository->pins[i].seen < scan)
            free(repository->pins[i].ref);
        else
            repository->pins[kept++] = repository->pins[i];
    }
    repository->pin_count = kept;
    repository->pins_are_all = true;
    pthread_rwlock_unlock(&repository->lock);
}

bool known_pins_are_all(struct repository *repository)
{
    pthread_rwlock_rdlock(&repository->lock);
    bool are_all = repository->pins_are_all;
    pthread_rwlock_unlock(&repository->lock);
    return are_all;
}

void known_pins_release(struct repository *repository)
{
    for (size_t i = 0; i < repository->pin_count; i++)
        free(repository->pins[i].ref);
    free(repository->pins);
}
