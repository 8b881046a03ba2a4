/* names.h - where nodes' names lie, and what lies before some of them. Private to fs/shared. Reading them: nodes.h.
 *
 * Names that are appended together lie one behind the other in a few pieces, whose owner is their unit (sweep.h): with that they
 * are free again. A piece has no owner before its nodes are there: one of a worker that died meanwhile is free. */
#ifndef FS_SHARED_NAMES_H
#define FS_SHARED_NAMES_H

#include "fs/shared/nodes_layout.h"

size_t names_pieces(size_t bytes);

/* Where the name of a node of that kind begins, if the ones before it end at `at`. */
uint64_t names_begin(uint64_t at, enum node_kind kind);

/* Writes a node's name, and what lies before it. */
void names_write(struct nodes *nodes, const struct node_spec *spec, uint64_t name);

void names_own(struct nodes *nodes, uint32_t piece, size_t pieces, uint32_t unit);

#endif
