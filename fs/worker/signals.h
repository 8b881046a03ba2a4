/* signals.h - the signals that a worker understands, taken by a thread of their own: no handler
 * runs anywhere.
 *
 *     SIGHUP            read the lists again
 *     SIGTERM, SIGUSR2  take no more requests, answer those at hand, end
 */
#ifndef FS_WORKER_SIGNALS_H
#define FS_WORKER_SIGNALS_H

#include <pthread.h>

#include "fs/worker/worker.h"

/* Blocks them; call before any thread is started, so that all inherit it. */
void signals_block(void);

/* Starts the thread. Signals that came before are not lost. mount->connection must be there. 0 or a
 * negative errno. */
int signals_start(pthread_t *thread, struct worker *worker);
void signals_stop(pthread_t thread);

#endif
