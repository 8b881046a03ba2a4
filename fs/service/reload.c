#include "fs/service/reload.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/sets/list_folder.h"
#include "gitcache/base/clock.h"
#include "gitcache/base/thread.h"

#define SETTLE      100  /* milliseconds of quiet after a change: editors write in several steps */
#define LOOK        2000 /* milliseconds: how often a folder is looked at, where nothing tells us */
#define FIRST_RETRY 1000
#define CLOSE_TRIES 5 /* seconds that the thread has to end */
#define LAST_RETRY  60000
#define EVENTS \
    (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF)

/* What of a folder's shas.txt can be seen from outside. A mount sends no inotify events for what
 * its own daemon changes. */
struct reload_look {
    struct timespec time;
    off_t size;
    ino_t inode;
};

struct reload {
    struct reload_options options;
    pthread_t thread;
    int inotify;
    int wakeup; /* an eventfd: load, or stop */
    atomic_bool stopping;
    bool is_asking_failed; /* the cache's start-points are served, but a remote did not answer */
    int64_t retry;         /* milliseconds; 0: the last load was good */
    int64_t retry_at;      /* clock_now */
    struct reload_look look;
};

static struct reload_look look_at(const char *folder)
{
    struct reload_look look = {0};
    struct stat st;
    char *path;

    if (asprintf(&path, "%s/shas.txt", folder) < 0)
        return look;
    if (stat(path, &st) == 0)
        look = (struct reload_look){st.st_mtim, st.st_size, st.st_ino};
    free(path);
    return look;
}

static bool is_same_look(const struct reload_look *a, const struct reload_look *b)
{
    return a->time.tv_sec == b->time.tv_sec && a->time.tv_nsec == b->time.tv_nsec &&
           a->size == b->size && a->inode == b->inode;
}

/* The folder that an operand lies in, or is, malloc'd. */
static char *folder_of(const struct load_origin *origin, const char *operand)
{
    const char *slash = strrchr(operand, '/');
    struct stat st;

    if (stat(operand, &st) < 0) /* a set's name */
        return strdup(origin->settings->sets);
    if (S_ISDIR(st.st_mode))
        return strdup(operand);
    return slash ? strndup(operand, slash == operand ? 1 : (size_t)(slash - operand)) : strdup(".");
}

/* A watch that is there already stays the same one. */
static void add_watches(struct reload *reload)
{
    const struct load_origin *origin = &reload->options.origin;

    for (size_t i = 0; i < origin->count; i++) {
        char *folder = folder_of(origin, origin->operands[i]);
        if (folder && inotify_add_watch(reload->inotify, folder, EVENTS | IN_ONLYDIR) < 0)
            log_debug(reload->options.log, "cannot watch %s: %s", folder, strerror(errno));
        free(folder);
    }
}

static void empty(int fd)
{
    char buffer[4096];

    while (read(fd, buffer, sizeof buffer) > 0)
        ;
}

static int timeout_of(const struct reload *reload, bool has_folder)
{
    int64_t left = reload->retry ? reload->retry_at - clock_now() : -1;

    if (reload->retry && left < 0)
        left = 0;
    if (has_folder && (left < 0 || left > LOOK))
        left = LOOK;
    return (int)left;
}

/* Waits for a reason to load again. Returns whether it is only that the last load failed. */
static bool wait_for_reason(struct reload *reload)
{
    struct pollfd events[2] = {{.fd = reload->inotify, .events = POLLIN},
                               {.fd = reload->wakeup, .events = POLLIN}};
    const char *folder = load_folder(&reload->options.origin);

    while (!atomic_load(&reload->stopping)) {
        int n = poll(events, 2, timeout_of(reload, folder != NULL));
        while (n > 0 && !atomic_load(&reload->stopping)) {
            empty(reload->inotify);
            empty(reload->wakeup);
            n = poll(events, 2, SETTLE);
            if (n == 0)
                return false;
        }
        if (reload->retry && clock_now() >= reload->retry_at)
            return true;
        struct reload_look look = folder ? look_at(folder) : reload->look;
        if (!is_same_look(&look, &reload->look))
            return false;
    }
    return false;
}

static void set_retry(struct reload *reload, bool failed)
{
    int64_t next = reload->retry ? reload->retry * 2 : FIRST_RETRY;

    reload->retry = !failed ? 0 : next < LAST_RETRY ? next : LAST_RETRY;
    reload->retry_at = clock_now() + reload->retry;
}

/* The answers that are served stay; says so once for each sentence. */
static void report_failure(struct reload *reload, const struct error *error)
{
    const struct reload_options *options = &reload->options;
    bool is_news = shelf_fail(options->shelf, error);
    struct catalogue *served = shelf_take(options->shelf);

    if (is_news)
        log_error(options->log, "%s; %s", error->text,
                  served ? "the last good start-points are served" : "nothing is served yet");
    catalogue_put(served);
}

/* Loads once. 0, or a negative errno that was reported. */
static int load(struct reload *reload, bool newest, struct load_notes *notes)
{
    const struct reload_options *options = &reload->options;
    struct catalogue *catalogue;
    struct error error = {0};
    int r = load_run(&catalogue, notes, &options->origin, newest, &error);

    malloc_trim(0);
    set_retry(reload, r < 0);
    if (r == -EINTR) {
        options->interrupted(options->data);
        atomic_store(&reload->stopping, true);
    } else if (r < 0) {
        report_failure(reload, &error);
    } else {
        log_info(options->log, "serves %zu start-points", catalogue->count);
        shelf_replace(options->shelf, catalogue);
    }
    return r;
}

/* First what the cache has, so that nobody waits for a remote; then, where there are branches, what
 * they are now. */
static void load_all(struct reload *reload, bool is_again)
{
    struct load_notes notes = {.has_branches = true};

    if (!is_again || !reload->is_asking_failed) {
        reload->is_asking_failed = false;
        if (load(reload, false, &notes) < 0)
            return;
    }
    if (notes.has_branches && !reload->options.origin.settings->offline)
        reload->is_asking_failed = load(reload, true, &notes) < 0;
}

static void *run(void *data)
{
    struct reload *reload = data;
    bool is_again = false;

    while (!atomic_load(&reload->stopping)) {
        const char *folder = load_folder(&reload->options.origin);
        add_watches(reload);
        if (folder)
            reload->look = look_at(folder);
        load_all(reload, is_again);
        is_again = wait_for_reason(reload);
    }
    return NULL;
}

int reload_open(struct reload **out, const struct reload_options *options, struct error *e)
{
    struct reload *reload = calloc(1, sizeof *reload);

    if (!reload)
        return error_no_memory(e);
    reload->options = *options;
    reload->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    reload->wakeup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int r = reload->inotify < 0 || reload->wakeup < 0 ? errno : 0;
    if (r == 0)
        r = pthread_create(&reload->thread, NULL, run, reload);
    if (r == 0) {
        *out = reload;
        return 0;
    }
    if (reload->inotify >= 0)
        close(reload->inotify);
    if (reload->wakeup >= 0)
        close(reload->wakeup);
    free(reload);
    return error_set(e, r, "cannot watch the start-points: %s", strerror(r));
}

/* A fetch ends at the signal that ended the program, if it had begun by then; else at this one. */
static bool join(struct reload *reload)
{
    int r = ETIMEDOUT;

    for (int tries = 0; r == ETIMEDOUT && tries < CLOSE_TRIES; tries++) {
        r = thread_join(reload->thread, 1000);
        if (r == ETIMEDOUT)
            kill(getpid(), SIGTERM);
    }
    return r == 0;
}

bool reload_close(struct reload *reload)
{
    if (!reload)
        return true;
    atomic_store(&reload->stopping, true);
    eventfd_write(reload->wakeup, 1);
    if (!join(reload))
        return false;
    close(reload->inotify);
    close(reload->wakeup);
    free(reload);
    return true;
}

void reload_now(struct reload *reload)
{
    if (reload)
        eventfd_write(reload->wakeup, 1);
}
