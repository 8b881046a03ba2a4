/* descriptors.h - a message with descriptors over a unix socket (SCM_RIGHTS). Neither waits longer than the
 * socket does, and neither allocates. */
#ifndef FS_SUPERVISOR_DESCRIPTORS_H
#define FS_SUPERVISOR_DESCRIPTORS_H

#include <stddef.h>
#include <sys/types.h>

#define DESCRIPTORS_MOST 8

/* One message; `count` may be 0. 0 or a negative errno. */
int descriptors_send(int socket, const void *bytes, size_t size, const int *fds, unsigned count);

/* The next message. *count is how many descriptors came, at most DESCRIPTORS_MOST; they are the caller's,
 * close-on-exec. The message's size (0: the other end is gone), or a negative errno. */
ssize_t descriptors_receive(int socket, void *bytes, size_t size, int fds[DESCRIPTORS_MOST],
                            unsigned *count);

#endif
