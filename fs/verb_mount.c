/* verb_mount.c - checks what is asked for, then becomes the supervisor (in the background, unless
 * -f). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/mountpoint.h"
#include "fs/supervisor.h"
#include "fs/verb.h"
#include "gitcache/source.h"

static int check_sources(const struct arguments *arguments, struct error *e)
{
    struct source_list sources = {0};
    int r = 0;

    for (size_t i = 0; i + 1 < arguments->count && r == 0; i++)
        r = source_list_add(&sources, arguments->operands[i], e);
    if (r == 0 && sources.count > 0)
        r = source_list_check(&sources, e);
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
    size_t n = 0;

    line->folder = getcwd(NULL, 0);
    line->argv = calloc(arguments->count + 16, sizeof *line->argv);
    if (!line->folder || !line->argv)
        return -ENOMEM;
    if (asprintf(&line->options, "%s%s%s,jobs=%u", arguments->options,
                 settings->log_file ? ",log_file=" : "",
                 settings->log_file ? settings->log_file : "", settings->jobs) < 0) {
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
    if (settings->type != TYPE_NONE)
        line->argv[n++] = set_type_option(settings->type);
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

static int supervise_here(const struct arguments *arguments, const char *mountpoint, int to_parent)
{
    const struct settings *settings = &arguments->settings;
    struct worker_line line = {0};
    struct log *log = NULL;
    int code;

    if (worker_line_init(&line, arguments) < 0) {
        code = verb_fail(EXIT_FAILED, "out of memory");
    } else if (log_open(&log, settings->log_level, settings->log_file, settings->foreground) < 0) {
        code = verb_fail(EXIT_FAILED, "cannot open the log %s: %s", settings->log_file,
                         strerror(errno));
    } else if (chdir("/") < 0) {
        code = verb_fail(EXIT_FAILED, "cannot enter /: %s", strerror(errno));
    } else {
        struct supervision supervision = {
            .settings = settings,
            .mountpoint = mountpoint,
            .worker = (const char *const *)line.argv,
            .log = log,
            .ready = say_ready,
            .data = &to_parent,
        };
        code = supervise(&supervision);
    }
    log_close(log);
    worker_line_release(&line);
    return code;
}

/* Leaves a supervisor in the background; returns when the mount answers, or it has failed. */
static int supervise_in_background(const struct arguments *arguments, const char *mountpoint)
{
    int pipes[2], status;
    char byte;

    if (pipe2(pipes, O_CLOEXEC) < 0)
        return verb_fail(EXIT_FAILED, "cannot make a pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid < 0)
        return verb_fail(EXIT_FAILED, "cannot start a process: %s", strerror(errno));
    if (pid == 0) {
        close(pipes[0]);
        setsid();
        return supervise_here(arguments, mountpoint, pipes[1]);
    }
    close(pipes[1]);
    ssize_t n = read(pipes[0], &byte, 1);
    close(pipes[0]);
    if (n == 1)
        return EXIT_OK;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : EXIT_FAILED;
}

int verb_mount(struct arguments *arguments)
{
    const char *path = arguments->operands[arguments->count - 1];
    struct error error;
    char *mountpoint;
    int code;

    if (check_sources(arguments, &error) < 0)
        return verb_fail(EXIT_USAGE, "%s", error.text);
    if (mountpoint_prepare(path, &mountpoint, &error) < 0)
        return verb_fail(EXIT_FAILED, "%s", error.text);
    if (arguments->settings.foreground)
        code = supervise_here(arguments, mountpoint, -1);
    else
        code = supervise_in_background(arguments, mountpoint);
    free(mountpoint);
    return code;
}
