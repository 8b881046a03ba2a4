#include "fs/tree/files_ahead.h"

#include <errno.h>
#include <stdlib.h>

#include "fs/shared/sweep.h"
#include "fs/tree/cheap_file.h"
#include "fs/tree/file_order.h"
#include "gitcache/base/clock.h"
#include "gitcache/base/thread.h"

#define READERS    4 /* that are followed at once */
#define FILES      64
#define BYTES      ((uint64_t)2 << 20)
#define IN_A_ROW   1  /* files after the first, until others are unpacked ahead */
#define WALKS      16 /* until a reader is believed to go on in another folder, which uses them up */
#define MOST_WALKS 4
#define IDLE       1000 /* milliseconds without any reader */

struct file_ahead {
    uint64_t id, size;
};

/* Somebody who reads one file after the other. */
struct follower {
    bool is_used;
    uint32_t last;     /* the file that he read last */
    uint32_t cursor;   /* the last file that was looked at for him; `last` if none was */
    uint32_t checkout; /* whose file `last` is */
    unsigned in_a_row;
    bool descends;                  /* file_order.h */
    bool ended;                     /* no file follows the cursor */
    uint64_t used;                  /* the count of notes at his last one */
    struct file_ahead files[FILES]; /* that are ahead of him, as a ring */
    size_t first, count;
    uint64_t bytes; /* of these */
};

struct files_ahead {
    struct mount *mount;
    pthread_mutex_t lock; /* guards all below; blobs' lock is taken with it */
    pthread_cond_t more;
    struct follower followers[READERS];
    uint64_t notes;
    bool waits, has_thread, stops;
    pthread_t thread;
};

/* ---- what is ahead of a reader ---- */

static void pop(struct files_ahead *ahead, struct follower *follower, bool is_read)
{
    struct file_ahead *file = &follower->files[follower->first];

    if (!is_read)
        blobs_drop(ahead->mount->blobs, file->id);
    follower->bytes -= file->size;
    follower->first = (follower->first + 1) % FILES;
    follower->count--;
}

static void push(struct follower *follower, const struct file_ahead *file)
{
    follower->files[(follower->first + follower->count) % FILES] = *file;
    follower->bytes += file->size;
    follower->count++;
}

static void drop_all(struct files_ahead *ahead, struct follower *follower)
{
    while (follower->count > 0)
        pop(ahead, follower, false);
}

static bool holds(const struct follower *follower, uint64_t id)
{
    for (size_t i = 0; i < follower->count; i++)
        if (follower->files[(follower->first + i) % FILES].id == id)
            return true;
    return false;
}

static bool is_full(const struct follower *follower, unsigned part)
{
    return follower->count >= FILES / part || follower->bytes >= BYTES / part;
}

/* ---- following readers ---- */

static bool follows(struct files_ahead *ahead, struct follower *follower, uint32_t file)
{
    const struct nodes *nodes = ahead->mount->nodes;

    if (follower->last == file)
        return true;
    if (file_order_follows(nodes, follower->last, file, follower->descends))
        return true;
    if (!file_order_follows(nodes, follower->last, file, !follower->descends))
        return false;
    /* He goes another way than it was thought. */
    follower->descends = !follower->descends;
    drop_all(ahead, follower);
    return true;
}

static void move_to(struct files_ahead *ahead, struct follower *follower, uint32_t file,
                    uint32_t checkout)
{
    uint64_t id = node_id(ahead->mount->nodes, file);
    bool is_ahead = holds(follower, id);

    if (!is_ahead)
        drop_all(ahead, follower);
    while (is_ahead && follower->files[follower->first].id != id)
        pop(ahead, follower, false);
    if (is_ahead)
        pop(ahead, follower, true);
    follower->last = file;
    follower->checkout = checkout;
    if (is_ahead)
        return;
    follower->cursor = file;
    follower->ended = false;
}

/* For somebody who comes from elsewhere: who has read a lot of that version one after the other has perhaps gone
 * to another folder. */
static struct follower *begin(struct files_ahead *ahead, uint32_t file, uint32_t checkout)
{
    struct follower *oldest = &ahead->followers[0];

    for (size_t i = 0; i < READERS; i++) {
        struct follower *follower = &ahead->followers[i];
        if (follower->is_used && follower->checkout == checkout && follower->in_a_row >= WALKS) {
            move_to(ahead, follower, file, checkout);
            follower->in_a_row -= WALKS - IN_A_ROW;
            return follower;
        }
        if (follower->used < oldest->used)
            oldest = follower;
    }
    drop_all(ahead, oldest);
    *oldest = (struct follower){
        .is_used = true, .last = file, .cursor = file, .checkout = checkout, .descends = true};
    return oldest;
}

static struct follower *find(struct files_ahead *ahead, uint32_t file)
{
    for (size_t i = 0; i < READERS; i++)
        if (ahead->followers[i].is_used && follows(ahead, &ahead->followers[i], file))
            return &ahead->followers[i];
    return NULL;
}

static bool wants_more(const struct follower *follower, unsigned part)
{
    return follower->is_used && follower->in_a_row >= IN_A_ROW && !follower->ended &&
           !is_full(follower, part);
}

static void *run(void *data);

/* Woken when half of what may be ahead has been read, and not for each file. */
static void wake(struct files_ahead *ahead, const struct follower *follower)
{
    if (!wants_more(follower, 2))
        return;
    if (!ahead->has_thread)
        ahead->has_thread = pthread_create(&ahead->thread, NULL, run, ahead) == 0;
    else if (ahead->waits)
        pthread_cond_signal(&ahead->more);
}

void files_ahead_note(struct files_ahead *ahead, uint32_t file)
{
    const struct node *node = node_get(ahead->mount->nodes, file);
    struct follower *follower;

    if (!node || (node->kind != NODE_FILE && node->kind != NODE_EXECUTABLE))
        return;
    pthread_mutex_lock(&ahead->lock);
    follower = find(ahead, file);
    if (!follower) {
        follower = begin(ahead, file, node->checkout);
    } else if (follower->last != file) {
        move_to(ahead, follower, file, node->checkout);
        follower->in_a_row += follower->in_a_row < MOST_WALKS * WALKS;
    }
    follower->used = ++ahead->notes;
    wake(ahead, follower);
    pthread_mutex_unlock(&ahead->lock);
}

/* ---- the thread ---- */

/* Who read last comes first. */
static struct follower *choose(struct files_ahead *ahead)
{
    struct follower *chosen = NULL;

    for (size_t i = 0; i < READERS; i++) {
        struct follower *follower = &ahead->followers[i];
        if (wants_more(follower, 1) && (!chosen || follower->used > chosen->used))
            chosen = follower;
    }
    return chosen;
}

static bool is_deadly(struct mount *mount, uint64_t key)
{
    return crash_record_deaths(&mount->state->crashes, key) > 0;
}

/* Unpacks it unless it is there. */
static struct blob *unpack(struct mount *mount, uint32_t file, uint64_t id)
{
    const struct node *node = node_get(mount->nodes, file);
    struct repo *repo = repos_of_node(&mount->repos, file);
    uint64_t key = crash_record_key_of_request(FILES_AHEAD_OPERATION, id, "");
    struct blob *blob = NULL;

    if (!node || !repo || !cheap_file_may_be(node, repo) || is_deadly(mount, key))
        return NULL;
    blob = blobs_find(mount->blobs, id);
    if (blob)
        return blob;
    crash_record_work(&mount->state->crashes, key);
    if (cheap_file_try(mount, repo, file, &blob) < 0)
        blob = NULL;
    crash_record_end(&mount->state->crashes, key);
    return blob;
}

/* The next file for a reader; the lock is not held meanwhile. */
static void advance(struct files_ahead *ahead, struct follower *follower)
{
    struct mount *mount = ahead->mount;
    unsigned inside = nodes_enter(mount->nodes);
    uint32_t file = file_order_next(mount->nodes, follower->cursor, follower->descends);
    const struct node *node = node_get(mount->nodes, file);

    if (file == NODE_ROOT_INDEX || !node) {
        follower->ended = true;
    } else {
        const struct file_ahead next = {node_id(mount->nodes, file), node->size};

        push(follower, &next);
        follower->cursor = file;
        pthread_mutex_unlock(&ahead->lock);
        struct blob *blob = unpack(mount, file, next.id);
        pthread_mutex_lock(&ahead->lock);
        /* A reader who was faster has it, and so has the kernel. */
        if (blob)
            (holds(follower, next.id) ? blobs_put : blobs_put_read)(mount->blobs, blob);
    }
    nodes_leave(mount->nodes, inside);
}

/* Once nobody has read for a while, nothing is ahead of anybody. */
static void wait_for_more(struct files_ahead *ahead)
{
    uint64_t notes = ahead->notes;
    int r;

    ahead->waits = true;
    r = thread_wait_until(&ahead->more, &ahead->lock, clock_now() + IDLE);
    if (r == ETIMEDOUT && ahead->notes == notes) {
        for (size_t i = 0; i < READERS; i++) {
            drop_all(ahead, &ahead->followers[i]);
            ahead->followers[i] = (struct follower){.is_used = false};
        }
        while (!ahead->stops && ahead->notes == notes)
            pthread_cond_wait(&ahead->more, &ahead->lock);
    }
    ahead->waits = false;
}

static void *run(void *data)
{
    struct files_ahead *ahead = data;
    struct follower *follower;

    thread_lower_priority();
    pthread_mutex_lock(&ahead->lock);
    while (!ahead->stops) {
        follower = choose(ahead);
        if (follower)
            advance(ahead, follower);
        else
            wait_for_more(ahead);
    }
    pthread_mutex_unlock(&ahead->lock);
    return NULL;
}

struct files_ahead *files_ahead_new(struct mount *mount)
{
    struct files_ahead *ahead = calloc(1, sizeof *ahead);

    if (!ahead)
        return NULL;
    ahead->mount = mount;
    pthread_mutex_init(&ahead->lock, NULL);
    thread_condition_init(&ahead->more);
    return ahead;
}

bool files_ahead_stop(struct files_ahead *ahead, int patience)
{
    if (!ahead)
        return true;
    pthread_mutex_lock(&ahead->lock);
    ahead->stops = true;
    pthread_cond_signal(&ahead->more);
    pthread_mutex_unlock(&ahead->lock);
    if (ahead->has_thread && thread_join(ahead->thread, patience) != 0)
        return false;
    pthread_cond_destroy(&ahead->more);
    pthread_mutex_destroy(&ahead->lock);
    free(ahead);
    return true;
}
