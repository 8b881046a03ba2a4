/* verb_mount.c - checks what is asked for, then becomes the supervisor (in the background, unless
 * -f). */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/cli/cache_mode.h"
#include "fs/cli/mount_options.h"
#include "fs/cli/mountpoint.h"
#include "fs/cli/verb.h"
#include "fs/cli/worker_arguments.h"
#include "fs/sets/list_folder.h"
#include "fs/sets/operands.h"
#include "fs/supervisor/supervisor.h"
#include "fs/supervisor/takeover.h"
#include "fs/worker/run_as.h"
#include "gitcache/base/hash.h"
#include "gitcache/base/source_list.h"
#include "gitcache/store/lease.h"

#define NOT_USED "the held mount on %s cannot be taken over, so it is mounted afresh: %s"

/* Checks the sources, and makes libfuse's options. */
static int prepare(const struct arguments *arguments, char **options, struct error *e)
{
    size_t count = arguments->count - 1;
    struct source_list sources = {0};
    int r = 0;

    for (size_t i = 0; i < count && r == 0; i++)
        r = list_folder_add(&sources, arguments->operands[i], e);
    if (r == 0)
        r = operands_check(&arguments->settings, &sources, e);
    if (r == 0 && sources.count > 0)
        r = source_list_check(&sources, e);
    if (r == 0)
        r = mount_options_make(options, &arguments->settings, arguments->operands, count, &sources,
                               e);
    source_list_release(&sources);
    return r;
}

/* The mount answers: whoever called `mount` may go on. */
static void say_ready(void *data)
{
    int *to_parent = data;

    if (*to_parent < 0)
        return;
    if (write(*to_parent, "", 1) < 0)
        return;
    close(*to_parent);
    *to_parent = -1;
    log_leave_terminal();
}

/* Where to mount, and how; and who is told, and who holds it. */
struct mount_place {
    char *mountpoint;
    char *options;
    struct notify notify;
    struct custody custody;
    uint64_t operands;    /* a hash of what is to be shown */
    struct error refusal; /* why what was held could not be used; "" if there was nothing */
};

/* With `user=`, it is that user's. */
static int prepare_cache(const struct settings *settings, struct error *e)
{
    int r = run_as_prepare(settings, e);

    if (r < 0)
        return r;
    run_as_lend(settings);
    r = cache_mode_apply(settings, e);
    run_as_take_back();
    return r;
}

/* With the log open, and the arguments at hand for the workers. */
static int supervise(const struct arguments *arguments, struct mount_place *place, struct log *log,
                     int arguments_fd, int *to_parent)
{
    if (chdir("/") < 0)
        return exit_fail(EXIT_FAILED, "cannot enter /: %s", strerror(errno));
    if (*place->refusal.text)
        log_warning(log, NOT_USED, place->mountpoint, place->refusal.text);
    struct supervision supervision = {
        .settings = &arguments->settings,
        .options = place->options,
        .mountpoint = place->mountpoint,
        .arguments_fd = arguments_fd,
        .log = log,
        .notify = &place->notify,
        .custody = &place->custody,
        .operands = place->operands,
        .ready = say_ready,
        .data = to_parent,
    };
    return supervisor_run(&supervision);
}

static int supervise_here(const struct arguments *arguments, struct mount_place *place,
                          int to_parent)
{
    const struct settings *settings = &arguments->settings;
    run_as_lend(settings); /* the cache is the workers' */
    /* Held until the mount ends, by a process that outlives all workers. */
    struct lease *lease =
        lease_begin(settings->cache, settings->offline ? LEASE_KEEPS : LEASE_BRINGS);
    run_as_take_back();
    struct log *log = NULL;
    struct error error;
    int code, fd = worker_arguments_write(arguments, &error), r = 0;

    if (fd >= 0)
        r = log_open(&log, settings->log_level, settings->log_file, settings->foreground);
    if (fd < 0)
        code = exit_fail(EXIT_FAILED, "%s", error.text);
    else if (r < 0)
        code =
            exit_fail(EXIT_FAILED, "cannot open the log %s: %s", settings->log_file, strerror(-r));
    else
        code = supervise(arguments, place, log, fd, &to_parent);
    log_close(log);
    if (fd >= 0)
        close(fd);
    lease_end(lease);
    return code;
}

/* Leaves a supervisor in the background; returns when the mount answers, or it has failed. */
static int supervise_in_background(const struct arguments *arguments, struct mount_place *place)
{
    int pipes[2], status;
    char byte;

    if (pipe2(pipes, O_CLOEXEC) < 0)
        return exit_fail(EXIT_FAILED, "cannot make a pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid < 0)
        return exit_fail(EXIT_FAILED, "cannot start a process: %s", strerror(errno));
    if (pid == 0) {
        close(pipes[0]);
        return supervise_here(arguments, place, pipes[1]);
    }
    close(pipes[1]);
    ssize_t n = read(pipes[0], &byte, 1);
    close(pipes[0]);
    if (n == 1)
        return EXIT_OK;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return exit_fail(EXIT_FAILED, "cannot wait for the mount: %s", strerror(errno));
    if (WIFSIGNALED(status))
        return exit_fail(EXIT_FAILED, "the mount's supervisor was killed by signal %d",
                         WTERMSIG(status));
    return WEXITSTATUS(status) ? WEXITSTATUS(status) : EXIT_FAILED; /* it has said why */
}

/* Of an absolute path. What is still to be made lies where the folder above it is, links and all. */
static bool is_within(const char *path, const char *folder)
{
    char real[PATH_MAX], there[PATH_MAX];
    size_t length = strlen(folder);

    snprintf(there, sizeof there, "%s", path);
    while (!realpath(there, real)) {
        char *slash = strrchr(there, '/');
        if (errno != ENOENT || !slash || slash == there) { /* as of a mount that nobody answers */
            snprintf(real, sizeof real, "%s", path);
            break;
        }
        *slash = '\0';
    }
    return strncmp(real, folder, length) == 0 && (real[length] == '/' || !real[length]);
}

/* A mount that keeps its cache in itself would wait for itself. */
static int find_place(const struct settings *settings, const char *path, struct mount_place *place,
                      struct error *e)
{
    int r = mountpoint_find(path, &place->mountpoint, e);

    if (r == 0 && (is_within(settings->cache, place->mountpoint) ||
                   is_within(settings->sets, place->mountpoint)))
        r = error_set(e, EINVAL, "the cache %s and the sets %s must not lie in the mount point %s",
                      settings->cache, settings->sets, place->mountpoint);
    return r;
}

/* What lies in the mount point cannot be seen until it is unmounted. */
static void say_what_is_hidden(const struct arguments *arguments, const char *mountpoint)
{
    size_t count = arguments->settings.quiet ? 0 : mountpoint_entries(mountpoint);

    if (count > 0)
        exit_fail(EXIT_OK, "the mount hides %zu entr%s of %s until it is unmounted", count,
                  count == 1 ? "y" : "ies", mountpoint);
}

/* Relative ones are other ones elsewhere. */
static uint64_t hash_operands(const struct arguments *arguments)
{
    uint64_t hash = HASH_BEGIN;
    char here[PATH_MAX];

    for (size_t i = 0; i + 1 < arguments->count; i++) {
        const char *operand = arguments->operands[i];
        hash = hash_string(hash, operand);
        if (*operand != '/' && getcwd(here, sizeof here))
            hash = hash_string(hash, here);
    }
    return hash;
}

/* A mount that somebody holds for us is gone on with; else the place must be free. */
static int make_way(const struct arguments *arguments, struct mount_place *place, struct error *e)
{
    const struct settings *settings = &arguments->settings;
    bool is_bare = false;

    /* Only of a service's main process; one in the background is not. */
    if (settings->foreground)
        notify_open(&place->notify);
    custody_open(&place->custody, settings->holder, place->mountpoint, &place->notify);
    int r = custody_find(&place->custody, e);
    if (r > 0 &&
        takeover_check(&place->custody, settings->fuse_options ? settings->fuse_options : "",
                       &place->refusal) < 0)
        r = exit_fail(0, NOT_USED, place->mountpoint, place->refusal.text);
    if (r == 0)
        r = mountpoint_clear(place->mountpoint, &is_bare, e);
    if (r == 0 && is_bare)
        say_what_is_hidden(arguments, place->mountpoint);
    return r < 0 ? r : 0;
}

static int run(const struct arguments *arguments, struct mount_place *place)
{
    struct error error;

    place->operands = hash_operands(arguments);
    if (make_way(arguments, place, &error) < 0)
        return exit_fail(EXIT_FAILED, "%s", error.text);
    return arguments->settings.foreground ? supervise_here(arguments, place, -1)
                                          : supervise_in_background(arguments, place);
}

int verb_mount(struct arguments *arguments)
{
    const char *path = arguments->operands[arguments->count - 1];
    struct mount_place place = {.notify = {.fd = -1}};
    struct error error;
    int code, r = prepare(arguments, &place.options, &error);

    if (r < 0) {
        code = exit_fail(r == -EPERM ? EXIT_FAILED : EXIT_USAGE, "%s", error.text);
    } else if (find_place(&arguments->settings, path, &place, &error) < 0 ||
               prepare_cache(&arguments->settings, &error) < 0) {
        code = exit_fail(EXIT_FAILED, "%s", error.text);
    } else {
        code = run(arguments, &place);
        custody_close(&place.custody);
        notify_close(&place.notify);
    }
    free(place.mountpoint);
    free(place.options);
    return code;
}
