/* verb_reload.c - replaces a mount's worker by the program that is on disk now; nobody who reads
 * notices. */
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fs/cli/mountpoint.h"
#include "fs/cli/verb.h"
#include "gitcache/base/clock.h"

#define PATIENCE 30000 /* milliseconds */

static json_int_t number_of(const json_t *status, const char *key)
{
    return json_integer_value(json_object_get(status, key));
}

/* Waits until the mount says that it has been reloaded, or why not. */
static int wait_for_answer(const char *mountpoint, const json_t *before)
{
    int64_t until = clock_now() + PATIENCE;
    struct timespec pause = {.tv_nsec = 100000000};
    struct error error;
    int code = -1;

    while (code < 0 && clock_now() < until) {
        json_t *now = mountpoint_status(mountpoint, &error);
        if (now && number_of(now, "reloads") > number_of(before, "reloads")) {
            code = EXIT_OK;
        } else if (now &&
                   number_of(now, "reloads_refused") > number_of(before, "reloads_refused")) {
            const char *why = json_string_value(json_object_get(now, "reload_refusal"));
            code = exit_fail(EXIT_FAILED, "not reloaded; the old worker carries on: %s",
                             why ? why : "?");
        } else {
            nanosleep(&pause, NULL);
        }
        json_decref(now);
    }
    return code >= 0 ? code
                     : exit_fail(EXIT_FAILED, "%s was not reloaded within %d s", mountpoint,
                                 PATIENCE / 1000);
}

int verb_reload(struct arguments *arguments)
{
    const char *mountpoint = arguments->operands[0];
    struct error error;
    json_t *before = mountpoint_status(mountpoint, &error);
    int code;

    if (!before)
        return exit_fail(EXIT_FAILED, "%s", error.text);
    pid_t supervisor = (pid_t)number_of(before, "supervisor_pid");
    if (supervisor <= 1 || kill(supervisor, SIGUSR1) < 0)
        code = exit_fail(EXIT_FAILED, "cannot reach the supervisor %d of %s: %s", (int)supervisor,
                         mountpoint, strerror(errno));
    else
        code = wait_for_answer(mountpoint, before);
    json_decref(before);
    return code;
}
