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

#define SETTLE 100  /* milliseconds of quiet after a change: editors write in several steps */
#define RETRY  5000 /* milliseconds until a folder that was not there is looked for again */
/* Not what is written, but what is complete: a list is read when its writer has closed it. */
#define EVENTS \
    (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF)

struct list_watch {
    struct mount *mount;
    void (*reloaded)(void *data);
    void *data;
    pthread_t thread;
    int inotify;
    int wakeup; /* an eventfd: reload, or stop */
    atomic_bool stopping;
    bool missing; /* a folder can't be watched yet */
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
    if (errno == ENOENT)
        add_parent(watch, folder);
    else if (!watch->missing)
        log_warning(watch->mount->log, "cannot watch %s: %s", folder, strerror(errno));
    watch->missing = true;
}

static void add_folders(struct list_watch *watch)
{
    watch->missing = false;
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
    int timeout = watch->missing ? RETRY : -1;

    while (poll(events, 2, timeout) > 0 && !atomic_load(&watch->stopping)) {
        empty(watch->inotify);
        empty(watch->wakeup);
        timeout = SETTLE;
    }
}

static void reload(struct list_watch *watch)
{
    lists_reload(watch->mount);
    watch->reloaded(watch->data);
}

static void *run(void *arg)
{
    struct list_watch *watch = arg;

    while (!atomic_load(&watch->stopping)) {
        add_folders(watch);
        wait_for_change(watch);
        if (!atomic_load(&watch->stopping))
            reload(watch);
    }
    return NULL;
}

struct list_watch *list_watch_open(struct mount *mount, void (*reloaded)(void *data), void *data)
{
    struct list_watch *watch = calloc(1, sizeof *watch);

    if (!watch)
        return NULL;
    watch->mount = mount;
    watch->reloaded = reloaded;
    watch->data = data;
    watch->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    watch->wakeup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (watch->inotify < 0 || watch->wakeup < 0 ||
        pthread_create(&watch->thread, NULL, run, watch) != 0) {
        log_warning(mount->log, "cannot watch the lists: a change needs a SIGHUP to be seen");
        if (watch->inotify >= 0)
            close(watch->inotify);
        if (watch->wakeup >= 0)
            close(watch->wakeup);
        free(watch);
        return NULL;
    }
    return watch;
}

void list_watch_close(struct list_watch *watch)
{
    if (!watch)
        return;
    atomic_store(&watch->stopping, true);
    list_watch_reload(watch);
    pthread_join(watch->thread, NULL);
    close(watch->inotify);
    close(watch->wakeup);
    free(watch);
}

void list_watch_reload(struct list_watch *watch)
{
    if (watch)
        eventfd_write(watch->wakeup, 1);
}
