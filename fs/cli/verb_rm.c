/* verb_rm.c - removes a named set. What was fetched for it stays in the cache. */
#include <stdio.h>

#include "fs/cli/verb.h"
#include "fs/sets/set.h"

int verb_rm(struct arguments *arguments)
{
    const char *name = arguments->operands[0];
    struct error error;

    if (set_remove(arguments->settings.sets, name, &error) < 0)
        return exit_fail(EXIT_FAILED, "%s", error.text);
    if (!arguments->settings.quiet)
        printf("Removed the set '%s'. Its versions stay in the cache until 'startpointfs gc'.\n",
               name);
    return EXIT_OK;
}
