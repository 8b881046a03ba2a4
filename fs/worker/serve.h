/* serve.h - answering requests: each function replies once and returns 0, or replies to nothing and
 * returns a negative errno: -EAGAIN if the request is to wait for request->ask.work. Called
 * again with the same request after that. */
#ifndef FS_WORKER_SERVE_H
#define FS_WORKER_SERVE_H

#include "fs/worker/request.h"

int serve_lookup(struct request *request);
int serve_getattr(struct request *request);
int serve_readlink(struct request *request);
int serve_read(struct request *request);
int serve_readdir(struct request *request);
int serve_readdirplus(struct request *request);

#endif
