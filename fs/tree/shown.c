#include "fs/tree/shown.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/hash.h"

/* A folder's children in the order of readdir: by a hash of their names, so that a place in it stays good
 * when names come and go. Offsets are that hash, in 30 bits: they fit what 32-bit programs know. Names
 * with the same hash stand one after the other. */
struct shown_place {
    uint32_t number; /* the hash, made different from the one before */
    uint32_t at;     /* the first name that is it or below it */
};

struct shown_order {
    struct shown_place *places;
    size_t count, skip;
    struct shown_order *next;
    char folder[];
};

struct shown {
    atomic_uint users;
    struct version_names names; /* sorted */
    bool nested;                /* some have a slash */
    pthread_mutex_t lock;       /* guards the orders; each is immutable once it is there */
    struct shown_order *orders;
};

struct shown *shown_new(struct version_names *names)
{
    struct shown *shown = calloc(1, sizeof *shown);

    if (!shown)
        return NULL;
    version_names_sort(names);
    struct version_name *items = realloc(names->items, (names->count + 1) * sizeof *items);
    if (items)
        names->items = items;
    atomic_init(&shown->users, 1);
    pthread_mutex_init(&shown->lock, NULL);
    shown->names = *names;
    *names = (struct version_names){0};
    for (size_t i = 0; i < shown->names.count && !shown->nested; i++)
        shown->nested = strchr(shown->names.items[i].name, '/') != NULL;
    return shown;
}

struct shown *shown_hold(struct shown *shown)
{
    if (shown)
        atomic_fetch_add(&shown->users, 1);
    return shown;
}

void shown_put(struct shown *shown)
{
    if (!shown || atomic_fetch_sub(&shown->users, 1) != 1)
        return;
    for (struct shown_order *order = shown->orders, *next; order; order = next) {
        next = order->next;
        free(order->places);
        free(order);
    }
    version_names_release(&shown->names);
    pthread_mutex_destroy(&shown->lock);
    free(shown);
}

/* The first name from `low` on that does not sort before path[0..length) with a slash (or not) behind. */
static size_t lower_bound(const struct shown *shown, size_t low, const char *path, size_t length,
                          bool slash)
{
    size_t high = shown->names.count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *name = shown->names.items[middle].name;
        int c = strncmp(name, path, length);
        if (c == 0 && slash && (unsigned char)name[length] < '/')
            c = -1;
        if (c < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_below(const struct shown *shown, size_t at, const char *path, size_t length)
{
    return at < shown->names.count && strncmp(shown->names.items[at].name, path, length) == 0 &&
           shown->names.items[at].name[length] == '/';
}

static bool has_below(const struct shown *shown, const char *path, size_t length)
{
    return shown->nested &&
           is_below(shown, lower_bound(shown, 0, path, length, true), path, length);
}

enum shown_kind shown_find(const struct shown *shown, const char *path, bool *branch)
{
    size_t length = strlen(path), at = lower_bound(shown, 0, path, length, false);

    *branch = false;
    if (has_below(shown, path, length))
        return SHOWN_PREFIX;
    if (at == shown->names.count || strcmp(shown->names.items[at].name, path) != 0)
        return SHOWN_NOTHING;
    *branch = shown->names.items[at].branch;
    return SHOWN_VERSION;
}

/* ---- listing ---- */

static uint32_t hash_of(const char *part, size_t length)
{
    uint64_t hash = hash_bytes(HASH_BEGIN, part, length);
    return (uint32_t)((hash ^ hash >> 32) * 11400714819323198485ull >> 34);
}

static int compare_places(const void *a, const void *b)
{
    const struct shown_place *x = a, *y = b;

    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* The end of the names that are below names[at]'s part of `length` bytes; whether one is listed. */
static size_t end_of_group(const struct shown *shown, size_t at, size_t length, bool *listed)
{
    const char *first = shown->names.items[at].name;

    for (; is_below(shown, at, first, length); at++)
        *listed |= shown->names.items[at].listed;
    return at;
}

static void collect_places(const struct shown *shown, struct shown_order *order, size_t begin,
                           size_t end)
{
    for (size_t i = begin, next; i < end; i = next) {
        const char *name = shown->names.items[i].name;
        size_t part = strcspn(name + order->skip, "/"), whole = order->skip + part;
        bool listed = false;
        if (name[whole]) {
            next = end_of_group(shown, i, whole, &listed);
        } else {
            next = i + 1;
            listed = shown->names.items[i].listed && !has_below(shown, name, whole);
        }
        if (listed)
            order->places[order->count++] =
                (struct shown_place){hash_of(name + order->skip, part), (uint32_t)i};
    }
}

static struct shown_order *make_order(const struct shown *shown, const char *folder)
{
    struct shown_order *order = calloc(1, sizeof *order + strlen(folder) + 1);
    size_t length = strlen(folder), begin = 0, end = shown->names.count;

    if (!order)
        return NULL;
    strcpy(order->folder, folder);
    if (length > 0) {
        order->skip = length + 1;
        begin = end = lower_bound(shown, 0, folder, length, true);
        while (is_below(shown, end, folder, length))
            end++;
    }
    order->places = malloc((end - begin + 1) * sizeof *order->places);
    if (!order->places) {
        free(order);
        return NULL;
    }
    collect_places(shown, order, begin, end);
    qsort(order->places, order->count, sizeof *order->places, compare_places);
    for (size_t i = 1; i < order->count; i++)
        if (order->places[i].number <= order->places[i - 1].number)
            order->places[i].number = order->places[i - 1].number + 1;
    return order;
}

/* Made when it is first wanted; NULL: out of memory. */
static const struct shown_order *order_of(struct shown *shown, const char *folder)
{
    pthread_mutex_lock(&shown->lock);
    struct shown_order *order = shown->orders;
    while (order && strcmp(order->folder, folder) != 0)
        order = order->next;
    if (!order && (order = make_order(shown, folder))) {
        order->next = shown->orders;
        shown->orders = order;
    }
    pthread_mutex_unlock(&shown->lock);
    return order;
}

size_t shown_count(struct shown *shown, const char *folder)
{
    const struct shown_order *order = order_of(shown, folder);
    return order ? order->count : 0;
}

int shown_next(struct shown *shown, const char *folder, uint64_t *offset, struct shown_child *out)
{
    const struct shown_order *order = order_of(shown, folder);

    if (!order)
        return -ENOMEM;
    size_t low = 0, high = order->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (order->places[middle].number + 1ull > *offset)
            high = middle;
        else
            low = middle + 1;
    }
    if (low == order->count)
        return -ENOENT;
    const struct shown_place *place = &order->places[low];
    const struct version_name *name = &shown->names.items[place->at];
    size_t length = strcspn(name->name + order->skip, "/");
    bool is_prefix = name->name[order->skip + length] == '/';
    *out = (struct shown_child){
        .name = name->name + order->skip,
        .length = length,
        .kind = is_prefix ? SHOWN_PREFIX : SHOWN_VERSION,
        .branch = !is_prefix && name->branch,
        .number = place->number,
    };
    *offset = place->number + 1ull;
    return 0;
}

/* ---- comparing ---- */

/* Whether a new name makes a folder of what was a version. */
static bool covers_version(const struct shown *before, const char *name)
{
    for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
        size_t length = (size_t)(slash - name);
        size_t at = lower_bound(before, 0, name, length, false);
        if (at < before->names.count && strncmp(before->names.items[at].name, name, length) == 0 &&
            !before->names.items[at].name[length])
            return true;
    }
    return false;
}

enum shown_change shown_compare(const struct shown *before, const struct shown *after)
{
    const struct version_names *a = before ? &before->names : &(struct version_names){0};
    const struct version_names *b = &after->names;
    enum shown_change change = before ? SHOWN_SAME : SHOWN_MORE;
    size_t i = 0, j = 0;

    while (i < a->count || j < b->count) {
        int c = i == a->count ? 1 : j == b->count ? -1 : strcmp(a->items[i].name, b->items[j].name);
        if (c < 0 || (c == 0 && a->items[i].branch != b->items[j].branch))
            return SHOWN_OTHER;
        if (c == 0 && a->items[i].listed != b->items[j].listed)
            change = SHOWN_MORE;
        if (c > 0) {
            if (before && covers_version(before, b->items[j].name))
                return SHOWN_OTHER;
            change = SHOWN_MORE;
        }
        i += c <= 0;
        j += c >= 0;
    }
    return change;
}
