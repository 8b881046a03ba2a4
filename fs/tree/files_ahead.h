/* files_ahead.h - unpacks the small files that a reader will come to next, while he is at the one before.
 *
 * Who reads one file after the other waits for each to be unpacked, on one processor. So whoever has read two files in a
 * row (file_order.h) has a thread unpack the next ones into mount->blobs:
 *
 *     readings_get_blob -> files_ahead_note: the same reader as before? a few files are left ahead of him? -> the thread
 *
 * It is one thread for all, with a lower priority than any reader's work, and bounded: so many readers, and files and
 * bytes ahead of each. What a reader passes over is dropped, and all of it once nobody has read for a second. Only what is
 * cheap, or seems to be (cheap_file.h), and nothing that a worker has died of. A failure is the reader's to find. */
#ifndef FS_TREE_FILES_AHEAD_H
#define FS_TREE_FILES_AHEAD_H

#include "fs/tree/mount.h"

/* For crash_record.h: neither what the kernel asks for nor a reading. */
#define FILES_AHEAD_OPERATION 0x20000u

struct files_ahead;

/* NULL: out of memory. */
struct files_ahead *files_ahead_new(struct mount *mount);
/* Ends the thread. False: it has not ended after so many milliseconds, and nothing is freed. */
bool files_ahead_stop(struct files_ahead *ahead, int patience);

/* A reader asks for this file's bytes. Waits for nothing. */
void files_ahead_note(struct files_ahead *ahead, uint32_t file);

#endif
