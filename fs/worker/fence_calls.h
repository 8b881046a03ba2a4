/* fence_calls.h - the system calls that a worker gives up. */
#ifndef FS_WORKER_FENCE_CALLS_H
#define FS_WORKER_FENCE_CALLS_H

/* Refuses them with EPERM from now on, to this process and all its threads to come. 0 or a negative
 * errno: the kernel cannot (ENOSYS, EINVAL, EACCES without no_new_privs). Cannot be taken back. */
int fence_calls_refuse(void);

#endif
