/* mount_users.h - who uses a mount, as `fuser -vm` says, and also from other mount namespaces (containers). Nothing is
 * asked of the mount itself: it may not answer. */
#ifndef FS_CLI_MOUNT_USERS_H
#define FS_CLI_MOUNT_USERS_H

#include <stdint.h>
#include <stdio.h>

/* Prints a line for each process that stands in the mount of that device (mount_table.h), has something of it open or
 * mapped; and one for each other mount namespace in which it is mounted. Returns
 * how many. Processes that may not be looked into are passed over: only root sees all. */
unsigned mount_users_print(uint64_t device, FILE *out);

#endif
