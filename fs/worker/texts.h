/* texts.h - what the generated files say, each text made at most once a second.
 *
 * A generated file has no open to hang on: its text is made when it is looked up or its attributes
 * are asked for; reads serve that same text. So its size is always that of what is read. A text that
 * comes out as it was keeps its time. */
#ifndef FS_WORKER_TEXTS_H
#define FS_WORKER_TEXTS_H

#include <stddef.h>
#include <stdint.h>

#include "fs/tree/ask.h"

struct texts;
/* A text, counted: give it back with texts_put. */
struct text;

/* Makes the text of a control file's node, malloc'd. 0, -EAGAIN (as in ask.h) or another errno. */
typedef int (*texts_make)(void *data, uint32_t node, struct ask *ask, char **bytes);

/* NULL: out of memory. */
struct texts *texts_new(texts_make make, void *data);
void texts_free(struct texts *texts);

/* The text of a control file, made anew if the last is older than a second. With `ask` NULL the last
 * is taken, however old, and nothing is asked of a remote. 0, -EAGAIN (with ask NULL: there is no
 * text yet), or another negative errno. */
int texts_get(struct texts *texts, uint32_t node, struct ask *ask, struct text **out);

void texts_put(struct text *text);
const char *texts_bytes(const struct text *text);
size_t texts_size(const struct text *text);
int64_t texts_made_at(const struct text *text); /* nanoseconds since the epoch */

#endif
