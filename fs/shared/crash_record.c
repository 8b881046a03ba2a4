#include "fs/shared/crash_record.h"

#include <stddef.h>

#include "gitcache/base/clock.h"
#include "gitcache/base/hash.h"

/* A freed slot does not end a search: nothing is ever moved, and a search is bounded. */
#define PROBES 64

static uint64_t key_of(uint64_t hash)
{
    return hash ? hash : 1;
}

uint64_t crash_record_key(const char *url, const char *version)
{
    uint64_t hash = hash_string(HASH_BEGIN, url);

    return key_of(version ? hash_string(hash, version) : hash);
}

uint64_t crash_record_key_of_cached(const char *url)
{
    return key_of(hash_string(hash_string(HASH_BEGIN, "cached"), url));
}

uint64_t crash_record_key_of_request(uint32_t operation, uint64_t inode, const char *name)
{
    uint64_t hash = hash_string(HASH_BEGIN, name);

    hash = hash_bytes(hash, &inode, sizeof inode);
    return key_of(hash_bytes(hash, &operation, sizeof operation));
}

/* The i-th slot in which a key may be. The kernel numbers requests by twos: neighbours in time are
 * neighbours in the table. */
static struct crash_slot *slot_at(struct crash_record *record, uint64_t key, size_t i)
{
    return &record->slots[(key / 2 + i) % CRASH_SLOTS];
}

static struct crash_slot *find(struct crash_record *record, uint64_t key)
{
    if (!atomic_load_explicit(&record->used, memory_order_relaxed))
        return NULL;
    for (size_t i = 0; i < PROBES; i++) {
        struct crash_slot *slot = slot_at(record, key, i);
        if (atomic_load_explicit(&slot->key, memory_order_relaxed) == key)
            return slot;
    }
    return NULL;
}

/* NULL: there is no room. */
static struct crash_slot *find_or_claim(struct crash_record *record, uint64_t key)
{
    struct crash_slot *slot = find(record, key);

    if (slot)
        return slot;
    atomic_store(&record->used, true);
    for (size_t i = 0; i < PROBES; i++) {
        uint64_t nobody = 0;
        slot = slot_at(record, key, i);
        if (atomic_compare_exchange_strong(&slot->key, &nobody, key))
            return slot;
    }
    return NULL;
}

static void release(struct crash_slot *slot)
{
    atomic_store(&slot->working, 0);
    atomic_store(&slot->deaths, 0);
    atomic_store(&slot->kills, 0);
    atomic_store(&slot->key, 0);
}

static bool is_past(const struct crash_slot *slot)
{
    return clock_now() - atomic_load(&slot->died_at) >= CRASH_PAUSE;
}

uint32_t crash_record_deaths(struct crash_record *record, uint64_t key)
{
    const struct crash_slot *slot = find(record, key);

    return slot ? atomic_load(&slot->deaths) : 0;
}

enum crash_verdict crash_record_judge(struct crash_record *record, uint64_t key)
{
    const struct crash_slot *slot = find(record, key);
    uint32_t deaths = slot ? atomic_load(&slot->deaths) : 0;

    if (deaths < CRASH_DEATHS - 1)
        return CRASH_SAFE;
    return deaths < CRASH_DEATHS || is_past(slot) ? CRASH_TRIAL : CRASH_GIVEN_UP;
}

void crash_record_condemn(struct crash_record *record, uint64_t key)
{
    struct crash_slot *slot = find_or_claim(record, key);

    if (!slot)
        return;
    atomic_store(&slot->died_at, clock_now());
    atomic_store(&slot->deaths, CRASH_DEATHS);
}

void crash_record_add(struct crash_record *record, uint64_t key)
{
    find_or_claim(record, key);
}

void crash_record_work(struct crash_record *record, uint64_t key)
{
    struct crash_slot *slot = find_or_claim(record, key);

    if (slot)
        atomic_store(&slot->working, 1);
}

void crash_record_pause(struct crash_record *record, uint64_t key)
{
    struct crash_slot *slot = find(record, key);

    if (slot)
        atomic_store(&slot->working, 0);
}

void crash_record_end(struct crash_record *record, uint64_t key)
{
    struct crash_slot *slot = find(record, key);

    if (slot)
        release(slot);
}

static bool is_death(struct crash_slot *slot, bool was_killed)
{
    return !was_killed || atomic_fetch_add(&slot->kills, 1) % CRASH_KILLS == CRASH_KILLS - 1;
}

void crash_record_recover(struct crash_record *record, bool was_killed)
{
    for (size_t i = 0; i < CRASH_SLOTS; i++) {
        struct crash_slot *slot = &record->slots[i];
        if (!atomic_load(&slot->key))
            continue;
        if (atomic_exchange(&slot->working, 0)) {
            if (is_death(slot, was_killed))
                atomic_fetch_add(&slot->deaths, 1);
            atomic_store(&slot->died_at, clock_now());
        } else if ((!atomic_load(&slot->deaths) && !atomic_load(&slot->kills)) || is_past(slot)) {
            release(slot);
        }
    }
}
