/* notify.h - tells a service manager how it is with us: sd_notify(3)'s protocol, one datagram a
 * message to the socket that $NOTIFY_SOCKET names. Where there is none, nothing happens. */
#ifndef FS_SUPERVISOR_NOTIFY_H
#define FS_SUPERVISOR_NOTIFY_H

struct notify {
    int fd; /* -1: nobody to tell */
};

/* Takes the socket out of the environment: it is not for the processes that we start. */
void notify_open(struct notify *notify);
void notify_close(struct notify *notify);

void notify_ready(const struct notify *notify, const char *status);
void notify_reloading(const struct notify *notify);
void notify_stopping(const struct notify *notify);

/* Has the manager keep a descriptor over our end, under that name, or forget it again (sd_pid_notify_with_fds(3)).
 * 0 or a negative errno. Whether it does depends on the unit's FileDescriptorStoreMax=; it does not answer. */
int notify_store(const struct notify *notify, const char *name, int fd);
void notify_forget(const struct notify *notify, const char *name);

#endif
