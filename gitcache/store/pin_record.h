/* pin_record.h - a second copy of the pins, with a checksum: REPOSITORY/startpointfs-pins. Private to
 * gitcache/store.
 *
 * A ref is 41 bytes that nothing stands behind: one flipped digit, and nobody would know at which
 * commit the version was pinned. So each pin is written here first, then as a ref. Where the two
 * differ, the record counts for a tag or a commit, which never move, if its commit can be read, else the
 * ref; for a branch the ref counts if its commit can be read (it was moved by somebody's git, or by a
 * version of this program that kept no record), else the record. A record that is damaged, or not
 * there, is made again from the refs. */
#ifndef GITCACHE_STORE_PIN_RECORD_H
#define GITCACHE_STORE_PIN_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#include "gitcache/base/error.h"
#include "gitcache/base/oid.h"

#define PIN_RECORD_FILE "startpointfs-pins"

struct pin_record_item {
    char *ref; /* first: the array is searched by it */
    struct oid target;
};

struct pin_record {
    struct pin_record_item *items; /* sorted by ref */
    size_t count, room;
};

/* Reads a repository's record. ENOENT: there is none; EIO: it is damaged; *out is empty then, and
 * needs no release. */
int pin_record_load(struct pin_record *out, const char *folder, struct error *e);
void pin_record_release(struct pin_record *record);

/* NULL if the ref is not in it. Borrowed. */
const struct oid *pin_record_find(const struct pin_record *record, const char *ref);

/* 0 or -ENOMEM. */
int pin_record_set(struct pin_record *record, const char *ref, const struct oid *target);
void pin_record_remove(struct pin_record *record, const char *ref);

/* Replaces the file. The caller has the repository's lock. */
int pin_record_save(const struct pin_record *record, const char *folder, struct error *e);

#endif
