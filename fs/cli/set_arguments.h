/* set_arguments.h - the arguments of `create` and `check`: a type, and sources or lists. */
#ifndef FS_CLI_SET_ARGUMENTS_H
#define FS_CLI_SET_ARGUMENTS_H

#include "fs/cli/verb.h"
#include "fs/sets/set.h"

/* The exit codes of manifest-rules.md that are about arguments. */
enum argument_code {
    CODE_BAD_ARGUMENTS = 4, /* all but: */
    CODE_TWICE_CUSTOM = 11, /* a source given twice */
    CODE_TWICE_EXERCISES = 12,
    CODE_TWICE_LANGUAGES = 13,
};

/* Fills the set's type, sources and given from the operands from `first` on. Returns 0, or the exit
 * code after a sentence on stderr. The caller releases the set in any case. */
int set_arguments_take(struct set *set, const struct arguments *arguments, size_t first);

/* "3 start-points (languages)", "1 start-point (custom)"; returns buffer. */
char *set_arguments_count(const struct set *set, char buffer[64]);

#endif
