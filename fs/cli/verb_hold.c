/* verb_hold.c - holds mounts for their supervisors, in the foreground. */
#include "fs/cli/verb.h"
#include "fs/exit.h"
#include "fs/supervisor/holder.h"

int verb_hold(struct arguments *arguments)
{
    struct error error;

    return holder_run(arguments->operands[0], &error) < 0 ? exit_fail(EXIT_FAILED, "%s", error.text)
                                                          : EXIT_OK;
}
