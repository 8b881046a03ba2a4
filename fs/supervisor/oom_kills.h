/* oom_kills.h - how many processes the kernel has killed for want of memory. */
#ifndef FS_SUPERVISOR_OOM_KILLS_H
#define FS_SUPERVISOR_OOM_KILLS_H

#include <stdint.h>

/* Since the machine started, in any control group: "oom_kill" of proc_vmstat(5). 0 if that cannot be
 * read. */
uint64_t oom_kills(void);

#endif
