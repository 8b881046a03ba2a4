/* sweep.h - finds the nodes that nobody can reach any more, and has their places used again.
 *
 * Why it is sound. The unit is a checkout with all that is in it, or the node of a name. A unit is dead if
 *
 *   - nothing that is published leads to it: its branch shows another checkout by now, or its name was
 *     taken out of its folder's chain (node_unchain), and
 *   - the kernel knows none of its nodes (holds.h): no file of it is open, no process stands in it, and
 *   - no thread works with it: it is not pinned.
 *
 * Nothing of that is ever undone: an old checkout is never published again, a name that comes back gets a
 * new node, and the kernel can ask only for what it was told. The one who could still have such a unit in
 * hand is a thread that found it before. So a sweep has two halves: it looks for what is dead; waits until
 * everybody has left who was inside by then; looks once more, and frees what was dead both times.
 *
 * Freeing a place is: its generation goes up, and then it has no kind. A worker that dies between any two
 * instructions leaves units that are free in part. They are dead all the same, for the reasons above, none
 * of which is in the freed places; the next sweep frees the rest. No list of what is free is kept in the
 * memory: a worker finds it by looking, which takes some 10 ns a node.
 *
 * The names of a unit go before it does, by their owner (names.h): in a worker that dies in between, nodes without names are
 * left, which nobody can reach.
 *
 * A place whose generation has come to its end is not used again. */
#ifndef FS_SHARED_SWEEP_H
#define FS_SHARED_SWEEP_H

#include "fs/shared/nodes.h"

/* Around whatever finds nodes and works with them, for moments; not around waiting. What enter returned
 * goes to leave. */
unsigned nodes_enter(struct nodes *nodes);
void nodes_leave(struct nodes *nodes, unsigned inside);

/* A sweep; one at a time. NULL: out of memory. */
struct sweep;
struct sweep *nodes_sweep_new(struct nodes *nodes);
void nodes_sweep_free(struct sweep *sweep);

/* A thread works with this node: its unit lives. Once for each half. What is being made is pinned already
 * (struct node_spec). */
void nodes_sweep_pin(struct sweep *sweep, uint32_t index);

/* The first half. Then whoever remembers nodes for later has to forget those that are dead. */
void nodes_sweep_look(struct sweep *sweep);
bool nodes_sweep_is_dead(const struct sweep *sweep, uint32_t index);

/* Waits until all have left who were inside. */
void nodes_sweep_wait(struct sweep *sweep);

/* The second half, after the wait and after pinning anew. Corrects what repositories are charged with.
 * Returns how many places are free now that were not. */
uint32_t nodes_sweep_finish(struct sweep *sweep);

/* Before the first half, after pinning: every node that would be dead if the kernel did not know its unit, those deep in a
 * tree first. `visit` gets its number. 0 or -ENOMEM. */
int nodes_sweep_each_held(struct sweep *sweep, void (*visit)(void *data, uint64_t id), void *data);

#endif
