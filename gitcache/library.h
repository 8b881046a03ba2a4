/* library.h - libgit2, set up once for the whole process. */
#ifndef GITCACHE_LIBRARY_H
#define GITCACHE_LIBRARY_H

#include <git2.h>

#include "error.h"
#include "oid.h"

/* Counted: each successful library_open needs a library_close. */
int library_open(struct error *e);
void library_close(void);

void oid_to_git(git_oid *out, const struct oid *oid);
void oid_from_git(struct oid *out, const git_oid *oid);

#endif
