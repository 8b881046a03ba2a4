/* version_order.h - the order of versions' names: 3.7.4-9 before 3.7.4-18, and a pre-release before
 * its release. Pure. */
#ifndef GITCACHE_BASE_VERSION_ORDER_H
#define GITCACHE_BASE_VERSION_ORDER_H

/* Below, above or 0, as strcmp. Numbers count as numbers. What ends with -rc, -alpha, -beta, -pre,
 * -dev, -preview or -snapshot and what follows (also after a dot or an underscore) comes before the
 * same name without it; 3.7.4-18 follows 3.7.4. */
int version_order(const char *a, const char *b);

#endif
