#include "fs/worker/list_watch.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "fs/tree/lists.h"
#include "fs/tree/lists_reload.h"
#include "fs/worker/connection.h"
#include "fs/worker/fence.h"

#define SETTLE 100  /* milliseconds of quiet after a change: editors write in several steps */
#define RETRY  5000 /* milliseconds until what could not be read or watched is tried again */
/* Not what is written, but what is complete: a list is read when its writer has closed it. */
#define EVENTS                                                                                  \
    (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | \
     IN_ATTRIB)

struct list_watch {
    struct worker *worker;
    struct mount *mount;
    pthread_t thread;
    int inotify; /* -1: only a SIGHUP says that something has changed */
    int wakeup;  /* an eventfd: reload, or stop */
    atomic_bool stopping;
    bool again;    /* something could not be watched or read: look again soon */
    bool has_said; /* that a folder cannot be watched */
};

/* A folder that is not there yet: its nearest parent tells when that changes. */
static void add_parent(struct list_watch *watch, const char *folder)
{
    char *path = strdup(folder), *slash;

    while (path && (slash = strrchr(path, '/'))) {
        *slash = '\0';
        if (inotify_add_watch(watch->inotify, *path ? path : "/",
                              IN_CREATE | IN_MOVED_TO | IN_ONLYDIR | IN_MASK_ADD) >= 0 ||
            errno != ENOENT)
            break;
    }
    free(path);
}

static void add_folder(void *data, const char *folder)
{
    struct list_watch *watch = data;

    /* A folder that is watched already keeps its watch. */
    if (inotify_add_watch(watch->inotify, folder, EVENTS | IN_ONLYDIR | IN_MASK_ADD) >= 0)
        return;
    watch->again = true;
    if (errno == ENOENT) {
        add_parent(watch, folder);
    } else if (!watch->has_said) {
        log_warning(watch->mount->log, "cannot watch %s: %s", folder, strerror(errno));
        watch->has_said = true;
    }
}

static void add_folders(struct list_watch *watch)
{
    watch->again = false;
    if (watch->inotify >= 0)
        lists_each_folder(watch->mount, add_folder, watch);
}

static void empty(int fd)
{
    char buffer[4096];

    while (read(fd, buffer, sizeof buffer) > 0)
        ;
}

/* Waits for a change, and then until it is quiet. */
static void wait_for_change(struct list_watch *watch)
{
    struct pollfd events[2] = {{.fd = watch->inotify, .events = POLLIN},
                               {.fd = watch->wakeup, .events = POLLIN}};
    int timeout = watch->again ? RETRY : -1;

    while (poll(events, 2, timeout) > 0 && !atomic_load(&watch->stopping)) {
        empty(watch->inotify);
        empty(watch->wakeup);
        timeout = SETTLE;
    }
}

static void reload(struct list_watch *watch)
{
    if (lists_reload(watch->mount) > 0)
        watch->again = true;
    watch->worker->start->reloaded(watch->worker->start->data);
}

static void *run(void *arg)
{
    struct list_watch *watch = arg;

    while (!atomic_load(&watch->stopping)) {
        add_folders(watch);
        if (fence_is_outdated(watch->worker->fence))
            connection_drain(watch->worker->connection);
        reload(watch); /* what has changed before the folders were watched */
        wait_for_change(watch);
    }
    return NULL;
}

static void close_descriptors(struct list_watch *watch)
{
    if (watch->inotify >= 0)
        close(watch->inotify);
    if (watch->wakeup >= 0)
        close(watch->wakeup);
}

struct list_watch *list_watch_open(struct worker *worker)
{
    struct mount *mount = &worker->mount;
    struct list_watch *watch = calloc(1, sizeof *watch);

    if (!watch)
        return NULL;
    watch->worker = worker;
    watch->mount = mount;
    watch->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    watch->wakeup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (watch->inotify < 0)
        log_warning(mount->log, "cannot watch the lists (%s): after a change, send SIGHUP",
                    strerror(errno));
    if (watch->wakeup >= 0 && pthread_create(&watch->thread, NULL, run, watch) == 0)
        return watch;
    log_error(mount->log, "changes of the lists go unnoticed: no thread can watch them");
    close_descriptors(watch);
    free(watch);
    return NULL;
}

void list_watch_close(struct list_watch *watch)
{
    if (!watch)
        return;
    atomic_store(&watch->stopping, true);
    list_watch_reload(watch);
    pthread_join(watch->thread, NULL);
    close_descriptors(watch);
    free(watch);
}

void list_watch_reload(struct list_watch *watch)
{
    if (watch)
        eventfd_write(watch->wakeup, 1);
}
