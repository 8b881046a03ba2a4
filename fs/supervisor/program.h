/* program.h - the program that workers run, and how the one that is on disk now takes its place.
 *
 * The new one is asked first whether it can go on with this mount's tables; the worker works until
 * it has said yes. If its first worker does not start, the old one comes back. Why a program was
 * refused is in the log and in state->reload_refusal. */
#ifndef FS_SUPERVISOR_PROGRAM_H
#define FS_SUPERVISOR_PROGRAM_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "fs/log.h"
#include "fs/shared/state.h"
#include "fs/supervisor/spawn.h"

struct program {
    struct state *state;
    struct log *log;
    char path[PATH_MAX]; /* where a reload looks for it */
    int fd;              /* what workers run */
    int old_fd;          /* what they ran before, until the new one is ready; else -1 */
    /* While it is asked: */
    pid_t probe; /* 0: nobody is asked */
    int candidate_fd, answer_fd;
};

/* Begins with the program that runs now. An exit code; if it is not EXIT_OK, a sentence is on
 * stderr. */
int program_open(struct program *program, struct state *state, struct log *log);

/* Asks the program on disk, unless one is on trial already. True: its answer comes by the end of
 * `probe`. */
bool program_ask(struct program *program, const struct spawn_fds *fds);

/* The probe has ended so. True: the program on disk is the one to run now. */
bool program_answer(struct program *program, int status);

/* Whether a new program has been chosen, and no worker of it was ready yet. */
bool program_is_on_trial(const struct program *program);
/* The trial has ended: a worker is ready, or none gets so far. */
void program_keep(struct program *program);
void program_give_back(struct program *program);

#endif
