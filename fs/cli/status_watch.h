/* status_watch.h - shows a mount's status on the terminal, anew every second. */
#ifndef FS_CLI_STATUS_WATCH_H
#define FS_CLI_STATUS_WATCH_H

#include "fs/terminal.h"

/* Until 'q', Ctrl-C or a signal; the terminal is then as it was. A mount that does not answer is said so, and asked again. Does not
 * return, but for an exit code where there is no terminal. */
int status_watch_run(const char *mountpoint, enum colour colour);

#endif
