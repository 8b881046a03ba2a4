/* wildmatch.h - git's patterns for paths: * ? [a-z] [!a] [[:alpha:]] \x, and ** between slashes.
 * Pure. Private to gitcache/. */
#ifndef GITCACHE_CHECKOUT_WILDMATCH_H
#define GITCACHE_CHECKOUT_WILDMATCH_H

#include <stdbool.h>

/* True if the whole text fits. No wildcard but ** takes a slash. Time and memory are bounded by the
 * product of the lengths, whatever the pattern. A pattern that is broken, or
 * longer than 2048 bytes, fits nothing. */
bool wild_match(const char *pattern, const char *text);

#endif
