/* version_order.h - the order of versions' names: 3.7.4-9 before 3.7.4-18, and a pre-release before
 * its release. Pure. */
#ifndef GITCACHE_BASE_VERSION_ORDER_H
#define GITCACHE_BASE_VERSION_ORDER_H

#include <stddef.h>

/* Below, above or 0, as strcmp. Numbers count as numbers. What ends with -rc, -alpha, -beta, -pre,
 * -dev, -preview or -snapshot and what follows (also after a dot or an underscore) comes before the
 * same name without it; 3.7.4-18 follows 3.7.4. */
int version_order(const char *a, const char *b);

/* As git orders them by the suffixes of versionsort.suffix, in their order: a name that differs from another within one comes
 * before that, unless that has a later one; an empty suffix stands for names without any. */
int version_order_by(const char *a, const char *b, const char *const *suffixes, size_t count);

#endif
