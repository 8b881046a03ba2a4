/* refname.h - which names a ref can have. Pure. */
#ifndef GITCACHE_BASE_REFNAME_H
#define GITCACHE_BASE_REFNAME_H

#include <stdbool.h>
#include <stddef.h>

/* True if a ref can have this name below refs/tags/ or refs/heads/: the rules of
 * git-check-ref-format(1), with one level allowed. */
bool refname_is_valid(const char *name, size_t length);

#endif
