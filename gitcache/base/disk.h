/* disk.h - the few operations on files that a crash must not leave half done. Errors name the path. */
#ifndef GITCACHE_BASE_DISK_H
#define GITCACHE_BASE_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gitcache/base/error.h"
#include "gitcache/base/watch.h"

/* Joins two parts with a slash; owned, or NULL (ENOMEM). */
char *disk_path(const char *folder, const char *name);

/* mkdir -p, mode 0755 less the umask. */
int disk_make_folders(const char *path, struct error *e);

/* The same, but the folder itself is its owner's alone, if it was not there: mode 0700. */
int disk_make_private_folder(const char *path, struct error *e);

/* Reads a whole file of at most `max` bytes; a NUL stands behind the last one. ENOENT if there is
 * none, EFBIG if it is larger. The caller frees *out. */
int disk_read(const char *path, size_t max, char **out, size_t *size, struct error *e);

/* Reads from a descriptor until the end, whatever size it is said to have; a NUL stands behind the
 * last byte. 0, or a negative errno: EFBIG if more than `max` bytes come. The caller frees *out. */
int disk_read_all(int fd, uint64_t max, char **out, size_t *size);

/* Writes all of it. 0 or a negative errno. */
int disk_write_all(int fd, const void *data, size_t size);

/* Makes a new file with that text, which is on the disk on return. */
int disk_write(const char *path, const char *text, struct error *e);

/* Replaces a file by renaming a new one over it: a reader sees the old bytes or the new ones.
 * `durable`: they are on the disk before the new name is, and so is the name on return. */
int disk_replace(const char *path, const void *bytes, size_t size, bool durable, struct error *e);

int disk_sync_folder(const char *path, struct error *e);

/* The bytes of all files in a folder, not below it. */
uint64_t disk_size(const char *folder);

/* Removes a file, or a folder with all that is in it. Silent: leftovers are harmless. */
void disk_remove(const char *path);

/* Removes what begins so in a folder and is older than an hour: temporary files and folders of a
 * process that was killed. */
void disk_remove_leftovers(const char *folder, const char *prefix);

/* Takes the exclusive lock on a file (made if need be), waiting for other holders until it is free
 * or watch->cancelled says so (ECANCELED). Returns a descriptor, which close() unlocks, or a
 * negative errno. */
int disk_lock(const char *path, const struct watch *watch, struct error *e);

#endif
