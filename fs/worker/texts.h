/* texts.h - the folder .startpointfs: generated files, reachable by name only.
 *
 * A generated file has no open to hang on: its text is made when it is looked up or its attributes
 * are asked for, at most once a second; reads serve that same text. So its size is always that of
 * what is read. A text that comes out as it was keeps its time. */
#ifndef FS_WORKER_TEXTS_H
#define FS_WORKER_TEXTS_H

#include "fs/tree/mount.h"
#include "fs/tree/namespace.h"

/* Which text a control file has: its node's data. */
enum control_text { CONTROL_STATUS, CONTROL_SHAS, CONTROL_TYPE };

/* A text, counted: give it back with text_put. */
struct text;

/* Makes the control folder's nodes. Call after namespace_open, before lists are opened. 0 or a
 * negative errno. */
int control_open(struct mount *mount, struct error *e);
void control_close(struct mount *mount);

/* The node of .startpointfs/sets. 0 or a negative errno. */
int control_sets_folder(struct mount *mount, uint32_t *folder);

/* The text of a control file, made anew if the last is older than a second. With `asking` NULL the
 * last is taken, however old, and nothing is asked of a remote. 0, -EAGAIN (as in namespace.h; with
 * asking NULL: there is no text yet), or another negative errno. */
int control_get(struct mount *mount, uint32_t node, struct asking *asking, struct text **out);
void text_put(struct text *text);

const char *text_bytes(const struct text *text);
size_t text_size(const struct text *text);
int64_t text_made_at(const struct text *text); /* nanoseconds since the epoch */

#endif
