/* status_screen.h - a mount's status.json as people read it: as wide as the terminal, what is wrong in colours. */
#ifndef FS_CLI_STATUS_SCREEN_H
#define FS_CLI_STATUS_SCREEN_H

#include "fs/terminal.h"

struct json_t;

/* rows: no more lines than that, and those repositories first that something is wrong with; 0: all, in their order. */
void status_screen_print(const struct json_t *status, const char *mountpoint,
                         const struct terminal *terminal, unsigned rows, FILE *out);

#endif
