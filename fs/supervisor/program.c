#include "fs/supervisor/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/exit.h"

int program_open(struct program *program, struct state *state, struct log *log)
{
    *program = (struct program){.state = state, .log = log, .old_fd = -1};
    ssize_t length = readlink("/proc/self/exe", program->path, sizeof program->path - 1);

    program->fd = spawn_move_fd(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    if (length < 0 || program->fd < 0)
        return exit_fail(EXIT_FAILED, "cannot find this program: %s", strerror(errno));
    return EXIT_OK;
}

static void refuse(struct program *program, const char *why)
{
    struct state *state = program->state;

    snprintf(state->reload_refusal, sizeof state->reload_refusal, "%.700s: %.300s", program->path,
             why);
    atomic_fetch_add(&state->reloads_refused, 1);
    log_error(program->log, "not reloaded: %s", state->reload_refusal);
}

bool program_ask(struct program *program, const struct spawn_fds *fds)
{
    if (program->probe > 0 || program_is_on_trial(program))
        return false;
    program->candidate_fd = spawn_move_fd(open(program->path, O_RDONLY | O_CLOEXEC));
    if (program->candidate_fd < 0) {
        refuse(program, "cannot be opened");
        return false;
    }
    program->probe = spawn_child(fds, program->candidate_fd, "probe", &program->answer_fd);
    if (program->probe > 0)
        return true;
    close(program->candidate_fd);
    refuse(program, "cannot be started");
    return false;
}

bool program_answer(struct program *program, int status)
{
    char text[200];
    ssize_t size = read(program->answer_fd, text, sizeof text - 1);

    close(program->answer_fd);
    program->probe = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_OK) {
        program->old_fd = program->fd;
        program->fd = program->candidate_fd;
        return true;
    }
    close(program->candidate_fd);
    text[size > 0 ? size : 0] = '\0';
    refuse(program, size > 0 ? text : "it is not a startpointfs that can take over this mount");
    return false;
}

bool program_is_on_trial(const struct program *program)
{
    return program->old_fd >= 0;
}

void program_keep(struct program *program)
{
    close(program->old_fd);
    program->old_fd = -1;
    atomic_fetch_add(&program->state->reloads, 1);
}

void program_give_back(struct program *program)
{
    close(program->fd);
    program->fd = program->old_fd;
    program->old_fd = -1;
    refuse(program, "its worker does not start");
}
