/* verb_probe.c - whether this program can go on with a mount that another version of it has begun:
 * asked by the supervisor before it replaces the worker. The answer is the exit code; the reason
 * goes to the pipe. */
#include <string.h>
#include <unistd.h>

#include "fs/cli/verb.h"
#include "fs/shared/nodes.h"
#include "fs/shared/state.h"
#include "fs/supervisor/spawn.h"

int verb_probe(struct arguments *arguments)
{
    struct nodes *nodes = NULL;
    struct state *state;
    struct error error;
    int r = nodes_map(&nodes, WORKER_NODES_FD, &error);

    (void)arguments;
    if (r == 0)
        r = state_map(&state, WORKER_STATE_FD, &error);
    nodes_unmap(nodes);
    if (r == 0)
        return EXIT_OK;
    if (write(WORKER_READY_FD, error.text, strlen(error.text)) < 0)
        return exit_fail(EXIT_FAILED, "'probe' is for mounts to start, not for people");
    return EXIT_FAILED;
}
