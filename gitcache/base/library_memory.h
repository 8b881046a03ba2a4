/* library_memory.h - libgit2's memory, with a reserve for when there is none.
 *
 * libgit2 crashes in places where an allocation fails: when it starts, when it copies a configuration, and
 * when it keeps an object that was read. So a small block is set aside while there is memory; an
 * allocation that fails gives it up, and is tried again. What is large still fails, and libgit2 says so.
 */
#ifndef GITCACHE_BASE_LIBRARY_MEMORY_H
#define GITCACHE_BASE_LIBRARY_MEMORY_H

/* Before libgit2 is started; more than once does no harm. -ENOMEM: there is no memory for the reserve. */
int library_memory_setup(void);

#endif
