/* turns.h - lets work that takes long take turns: so many at once, each for a moment, in the order in which
 * they asked.
 *
 * Who has used a processor for a moment goes on only with a turn. There are half as many as processors: what
 * a repository makes expensive leaves the other half to everybody else, and to itself a fair part of what is
 * left. */
#ifndef FS_TREE_TURNS_H
#define FS_TREE_TURNS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct turns {
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    unsigned most, taken;
    uint64_t next;  /* the number that the next one who asks gets */
    uint64_t first; /* of those who wait; the same as next: nobody does */
};

/* `most` at once; 0: half of the processors. */
void turns_init(struct turns *turns, unsigned most);
void turns_release(struct turns *turns);

/* Waits for a turn, as long as `cancelled` says false, which it is asked every few milliseconds. False: it
 * said true, and there is no turn. */
bool turns_take(struct turns *turns, bool (*cancelled)(void *data), void *data);
void turns_give_back(struct turns *turns);
/* Whether others wait. */
bool turns_are_wanted(struct turns *turns);

#endif
