/* run_as.h - the user that a mount's workers and launchers run as: option user=. */
#ifndef FS_WORKER_RUN_AS_H
#define FS_WORKER_RUN_AS_H

#include <sys/types.h>

#include "fs/settings.h"

/* Before anything is mounted: whether there is that user, and may be become; its cache is made, and must be its own. 0,
 * also without such an option, or a negative errno with a sentence. */
int run_as_prepare(const struct settings *settings, struct error *e);

/* This thread's files are that user's from now on, and root's again. Nothing else is changed. */
void run_as_lend(const struct settings *settings);
void run_as_take_back(void);

/* Becomes that user for good: its groups, its HOME, and it still ends with its parent, by `death_signal` (0: none). 0,
 * also without such an option, or a negative errno with a sentence. */
int run_as_enter(const struct settings *settings, int death_signal, struct error *e);

#endif
