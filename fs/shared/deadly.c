#include "fs/shared/deadly.h"

#include <stdbool.h>
#include <stddef.h>

#include "gitcache/base/clock.h"

#define HASH_BEGIN 14695981039346656037ull /* FNV-1a */

static uint64_t hash_number(uint64_t hash, uint64_t number)
{
    return (hash ^ number) * 1099511628211ull;
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
    do /* with the NUL, so that "ab" "c" is not "a" "bc" */
        hash = hash_number(hash, (unsigned char)*text);
    while (*text++);
    return hash;
}

static uint64_t key_of(uint64_t hash)
{
    return hash ? hash : 1;
}

uint64_t deadly_key(const char *url, const char *version)
{
    uint64_t hash = hash_text(HASH_BEGIN, url);

    return key_of(version ? hash_text(hash, version) : hash);
}

uint64_t deadly_key_of_request(uint32_t operation, uint64_t inode, const char *name)
{
    return key_of(hash_number(hash_number(hash_text(HASH_BEGIN, name), inode), operation));
}

static struct deadly_slot *find(struct deadly *deadly, uint64_t key)
{
    if (!atomic_load_explicit(&deadly->used, memory_order_relaxed))
        return NULL;
    for (size_t i = 0; i < DEADLY_SLOTS; i++)
        if (atomic_load(&deadly->slots[i].key) == key)
            return &deadly->slots[i];
    return NULL;
}

static struct deadly_slot *claim(struct deadly *deadly, uint64_t key)
{
    atomic_store(&deadly->used, true);
    for (size_t i = 0; i < DEADLY_SLOTS; i++) {
        uint64_t nobody = 0;
        if (atomic_compare_exchange_strong(&deadly->slots[i].key, &nobody, key))
            return &deadly->slots[i];
    }
    return NULL;
}

static void release(struct deadly_slot *slot)
{
    atomic_store(&slot->working, 0);
    atomic_store(&slot->deaths, 0);
    atomic_store(&slot->key, 0);
}

enum deadly_verdict deadly_judge(struct deadly *deadly, uint64_t key)
{
    const struct deadly_slot *slot = find(deadly, key);
    uint32_t deaths = slot ? atomic_load(&slot->deaths) : 0;

    if (deaths < DEADLY_DEATHS - 1)
        return DEADLY_NOT;
    if (deaths < DEADLY_DEATHS || clock_now() - atomic_load(&slot->died_at) >= DEADLY_PAUSE)
        return DEADLY_TRIAL;
    return DEADLY_GIVEN_UP;
}

void deadly_begin(struct deadly *deadly, uint64_t key)
{
    struct deadly_slot *slot = find(deadly, key);

    if (!slot)
        slot = claim(deadly, key);
    if (slot)
        atomic_store(&slot->working, 1);
}

void deadly_condemn(struct deadly *deadly, uint64_t key)
{
    struct deadly_slot *slot = find(deadly, key);

    if (!slot)
        slot = claim(deadly, key);
    if (!slot)
        return;
    atomic_store(&slot->died_at, clock_now());
    atomic_store(&slot->deaths, DEADLY_DEATHS);
}

void deadly_pause(struct deadly *deadly, uint64_t key)
{
    struct deadly_slot *slot = find(deadly, key);

    if (slot)
        atomic_store(&slot->working, 0);
}

void deadly_end(struct deadly *deadly, uint64_t key)
{
    struct deadly_slot *slot = find(deadly, key);

    if (slot)
        release(slot);
}

void deadly_recover(struct deadly *deadly)
{
    for (size_t i = 0; i < DEADLY_SLOTS; i++) {
        struct deadly_slot *slot = &deadly->slots[i];
        if (!atomic_load(&slot->key))
            continue;
        if (atomic_exchange(&slot->working, 0)) {
            atomic_fetch_add(&slot->deaths, 1);
            atomic_store(&slot->died_at, clock_now());
        } else if (clock_now() - atomic_load(&slot->died_at) >= DEADLY_PAUSE) {
            release(slot);
        }
    }
}
