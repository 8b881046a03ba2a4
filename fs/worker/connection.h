/* connection.h - a worker's conversation with the kernel, over a descriptor that the supervisor
 * keeps.
 *
 * The kernel says FUSE_INIT once in the life of a mount. The supervisor saved it; each worker is
 * fed with it as if it had just come, and so agrees with the kernel on what was agreed on first. A
 * worker that replaces another then asks the kernel (FUSE_NOTIFY_RESEND, Linux 6.9) to send again
 * all requests that were read but not answered.
 *
 * The descriptor is not cloned (FUSE_DEV_IOC_CLONE): a cloned one would die with the worker and
 * take its requests along. */
#ifndef FS_WORKER_CONNECTION_H
#define FS_WORKER_CONNECTION_H

#include "fs/worker/worker.h"

struct connection;

enum connection_end { CONNECTION_UNMOUNTED, CONNECTION_DRAINED };

/* Owns the descriptor on success. Call it before any other thread is started. NULL: out of memory. */
struct connection *connection_new(struct worker *worker, int fuse_fd);
/* After the last request has been answered. */
void connection_free(struct connection *connection);

/* Serves the mount until it is unmounted or connection_drain is called. `ready` is called once
 * requests are being taken. `again`: this worker replaces another. An enum connection_end, or a
 * negative errno. */
int connection_run(struct connection *connection, bool again, void (*ready)(void *data), void *data,
                   struct error *e);

/* Makes connection_run stop taking requests, answer what it has, and return. For a signal handler.
 */
void connection_drain(struct connection *connection);

/* Tells the kernel that a folder has changed: its attributes are asked for anew, and with them, as
 * its time has changed, its listing. `renamed`: a name that it may know means something else now,
 * or nothing; then it looks up all names once more (an epoch, Linux 6.16; where there is none,
 * names that can change are good for a second only: state_has_epochs). Takes no lock of the
 * kernel's: may be called from any thread; does nothing before the connection is open. */
void connection_folder_changed(struct connection *connection, uint32_t folder, bool renamed);

/* Tells the kernel that a file's size is another than it was told, in the same way: with another size it
 * forgets the file's bytes, too. */
void connection_file_corrected(struct connection *connection, uint32_t file);

/* Tells the kernel to forget nodes that nobody uses. */
void connection_unwanted(struct connection *connection, const uint64_t *ids, size_t count);

#endif
