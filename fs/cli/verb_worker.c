/* verb_worker.c - what a mount's supervisor starts: the process that answers requests, and may die
 * at any time. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "fs/cli/verb.h"
#include "fs/cli/worker_arguments.h"
#include "fs/exit.h"
#include "fs/supervisor/spawn.h"
#include "fs/worker/privileges.h"
#include "fs/worker/run_as.h"
#include "fs/worker/worker.h"
#include "gitcache/net/http_files.h"
#include "gitcache/net/launcher.h"

/* The supervisor may be gone, or not listen any more: then the worker will hear of it otherwise. */
static void tell_supervisor(void *data)
{
    (void)data;
    if (write(WORKER_READY_FD, "", 1) < 0)
        return;
}

/* What worker_start's functions are called with. */
struct worker_data {
    const struct settings *settings;
    atomic_bool is_fenced;
};

static void say_ready(void *data)
{
    const struct settings *settings = ((const struct worker_data *)data)->settings;

    tell_supervisor(NULL);
    /* Who called `mount` may wait for the end of its output. */
    if (!settings->foreground)
        log_leave_terminal();
}

static int give_up_privileges(void *data, struct error *e)
{
    int r = run_as_enter(data, 0, e);

    return r < 0 ? r : privileges_drop_launcher(e);
}

/* Without it nothing can be started any more: the next worker has another. */
static void replace_me(void *data)
{
    (void)data;
    kill(getpid(), SIGUSR2);
}

static int open_launcher(struct settings *settings, struct error *e)
{
    const struct launcher_hooks hooks = {give_up_privileges, replace_me, settings};

    return launcher_open(&settings->remote.launcher, &hooks, e);
}

/* Once, before it is fenced, it reads the configuration itself: the launcher is not so far yet. */
static int each_file(void *data, int (*visit)(void *visit_data, const char *path), void *visit_data)
{
    struct worker_data *worker = data;
    struct gitconfig *config;
    bool is_fenced = atomic_exchange(&worker->is_fenced, true);
    int r = launcher_config(is_fenced ? worker->settings->remote.launcher : NULL, &config, NULL);

    if (r < 0) /* a fetch will say so */
        return 0;
    r = http_files_each(config, visit, visit_data);
    gitconfig_free(config);
    return r;
}

static int serve(const struct arguments *arguments)
{
    struct worker_data data = {&arguments->settings, false};
    struct worker_start start = {
        .settings = &arguments->settings,
        .folder = arguments->operands[0],
        .operands = arguments->operands + 1,
        .operand_count = arguments->count - 1,
        .fuse_fd = WORKER_FUSE_FD,
        .nodes_fd = WORKER_NODES_FD,
        .state_fd = WORKER_STATE_FD,
        .lists_fd = WORKER_LISTS_FD,
        .each_file = each_file,
        .ready = say_ready,
        .reloaded = tell_supervisor,
        .data = &data,
    };
    struct error error = {0};
    int r = worker_run(&start, &error);

    if (r == WORKER_REPLACED)
        _exit(EXIT_REPLACE);
    if (r < 0 && !arguments->settings.foreground)
        exit_fail(EXIT_FAILED, "%s", error.text);
    return r < 0 ? EXIT_FAILED : EXIT_OK;
}

static int run(struct arguments *arguments)
{
    struct error error;

    if (open_launcher(&arguments->settings, &error) < 0)
        return exit_fail(EXIT_FAILED, "%s", error.text);
    int code = serve(arguments);
    launcher_close(arguments->settings.remote.launcher);
    return code;
}

int verb_worker(struct arguments *arguments)
{
    struct worker_arguments given;
    struct error error;

    prctl(PR_SET_NAME, "startpointfs");
    for (int fd = WORKER_FUSE_FD; fd <= WORKER_ARGUMENTS_FD; fd++)
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
            return exit_fail(EXIT_USAGE,
                             "'worker' is for 'startpointfs mount' to start, not for people");
    int r = worker_arguments_read(&given, WORKER_ARGUMENTS_FD, arguments->verb, &error);
    close(WORKER_ARGUMENTS_FD);
    int code = r < 0 ? exit_fail(EXIT_FAILED, "%s", error.text) : run(&given.arguments);
    worker_arguments_release(&given);
    return code;
}
