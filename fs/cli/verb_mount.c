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

#include "fs/cli/mount_options.h"
#include "fs/cli/mountpoint.h"
#include "fs/cli/verb.h"
#include "fs/sets/list_folder.h"
#include "fs/supervisor/supervisor.h"
#include "gitcache/base/source_list.h"
#include "gitcache/store/lease.h"

/* Checks the sources, and makes libfuse's options. */
static int prepare(const struct arguments *arguments, char **options, struct error *e)
{
    size_t count = arguments->count - 1;
    struct source_list sources = {0};
    int r = 0;

    for (size_t i = 0; i < count && r == 0; i++)
        r = list_folder_add(&sources, arguments->operands[i], e);
    if (r == 0 && sources.count > 0)
        r = source_list_check(&sources, e);
    if (r == 0)
        r = mount_options_make(options, &arguments->settings, arguments->operands, count, &sources,
                               e);
    source_list_release(&sources);
    return r;
}

/* The worker's command line: the same settings with absolute paths, the folder we are in, the
 * sources. */
struct worker_line {
    char *options, *folder;
    const char **argv;
};

static int worker_line_init(struct worker_line *line, const struct arguments *arguments)
{
    const struct settings *settings = &arguments->settings;
    const char *type = type_name(settings->type);
    size_t n = 0;

    line->folder = getcwd(NULL, 0);
    line->argv = calloc(arguments->count + 16, sizeof *line->argv);
    if (!line->folder || !line->argv)
        return -ENOMEM;
    if (asprintf(&line->options, "%s%s%s%s%s,jobs=%u", arguments->options,
                 settings->log_file ? ",log_file=" : "",
                 settings->log_file ? settings->log_file : "", type ? ",type=" : "",
                 type ? type : "", settings->jobs) < 0) {
        line->options = NULL;
        return -ENOMEM;
    }
    line->argv[n++] = "startpointfs";
    line->argv[n++] = "worker";
    line->argv[n++] = "-o";
    line->argv[n++] = line->options;
    line->argv[n++] = "--cache";
    line->argv[n++] = settings->cache;
    line->argv[n++] = "--sets";
    line->argv[n++] = settings->sets;
    if (settings->offline)
        line->argv[n++] = "--offline";
    if (settings->foreground)
        line->argv[n++] = "-f";
    line->argv[n++] = "--";
    line->argv[n++] = line->folder;
    for (size_t i = 0; i + 1 < arguments->count; i++)
        line->argv[n++] = arguments->operands[i];
    return 0;
}

static void worker_line_release(struct worker_line *line)
{
    free(line->options);
    free(line->folder);
    free(line->argv);
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
    stdio_to_null();
}

/* Where to mount, and how. */
struct target {
    char *mountpoint;
    char *options;
};

static int supervise_here(const struct arguments *arguments, const struct target *target,
                          int to_parent)
{
    const struct settings *settings = &arguments->settings;
    struct notify notify = {.fd = -1};
    /* Held until the mount ends, by a process that outlives all workers. */
    struct lease *lease = lease_begin(settings->cache);
    struct worker_line line = {0};
    struct log *log = NULL;
    int code;

    if (worker_line_init(&line, arguments) < 0) {
        code = exit_fail(EXIT_FAILED, "out of memory");
    } else if (log_open(&log, settings->log_level, settings->log_file, settings->foreground) < 0) {
        code = exit_fail(EXIT_FAILED, "cannot open the log %s: %s", settings->log_file,
                         strerror(errno));
    } else if (chdir("/") < 0) {
        code = exit_fail(EXIT_FAILED, "cannot enter /: %s", strerror(errno));
    } else {
        /* Only of a service's main process; one in the background is not. */
        if (settings->foreground)
            notify_open(&notify);
        struct supervision supervision = {
            .settings = settings,
            .options = target->options,
            .mountpoint = target->mountpoint,
            .worker = (const char *const *)line.argv,
            .log = log,
            .notify = &notify,
            .ready = say_ready,
            .data = &to_parent,
        };
        code = supervise(&supervision);
        notify_close(&notify);
    }
    log_close(log);
    worker_line_release(&line);
    lease_end(lease);
    return code;
}

/* Leaves a supervisor in the background; returns when the mount answers, or it has failed. */
static int supervise_in_background(const struct arguments *arguments, const struct target *target)
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
        setsid();
        return supervise_here(arguments, target, pipes[1]);
    }
    close(pipes[1]);
    ssize_t n = read(pipes[0], &byte, 1);
    close(pipes[0]);
    if (n == 1)
        return EXIT_OK;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : EXIT_FAILED;
}

static bool is_within(const char *path, const char *folder)
{
    char real[PATH_MAX];
    size_t length = strlen(folder);

    if (!realpath(path, real))
        snprintf(real, sizeof real, "%s", path);
    return strncmp(real, folder, length) == 0 && (real[length] == '/' || !real[length]);
}

/* A mount that keeps its cache in itself would wait for itself. */
static int find_target(const struct settings *settings, const char *path, struct target *target,
                       struct error *e)
{
    int r = mountpoint_prepare(path, &target->mountpoint, e);

    if (r == 0 && (is_within(settings->cache, target->mountpoint) ||
                   is_within(settings->sets, target->mountpoint)))
        r = error_set(e, EINVAL, "the cache %s and the sets %s must not lie in the mount point %s",
                      settings->cache, settings->sets, target->mountpoint);
    return r;
}

int verb_mount(struct arguments *arguments)
{
    const char *path = arguments->operands[arguments->count - 1];
    struct target target = {0};
    struct error error;
    int code, r = prepare(arguments, &target.options, &error);

    if (r < 0)
        code = exit_fail(r == -EPERM ? EXIT_FAILED : EXIT_USAGE, "%s", error.text);
    else if (find_target(&arguments->settings, path, &target, &error) < 0)
        code = exit_fail(EXIT_FAILED, "%s", error.text);
    else if (arguments->settings.foreground)
        code = supervise_here(arguments, &target, -1);
    else
        code = supervise_in_background(arguments, &target);
    free(target.mountpoint);
    free(target.options);
    return code;
}
