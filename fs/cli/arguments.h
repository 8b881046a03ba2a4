/* arguments.h - the command line: options anywhere, `--` ends them. */
#ifndef FS_CLI_ARGUMENTS_H
#define FS_CLI_ARGUMENTS_H

#include <stdio.h>

#include "fs/cli/verb.h"

/* A copy of a program's arguments, for arguments_free_copy; NULL: out of memory. In the originals,
 * which everybody can read while the program runs (ps(1)), names and passwords in URLs become stars.
 */
char **arguments_copy(int argc, char **argv);
void arguments_free_copy(char **copy);

/* Parses what follows the verb. argv is reordered: operands first. EINVAL with a sentence, ENOMEM.
 * *help becomes true if
 * --help is among them (then nothing else is checked). On any return, arguments_release. */
int arguments_parse(struct arguments *arguments, const struct verb *verb, int argc, char **argv,
                    bool *help, struct error *e);
/* Moves the verb to the front of argv, behind which options that stood before it then follow.
 * Returns false if there is none. */
bool arguments_find_verb(int argc, char **argv);

void arguments_release(struct arguments *arguments);

/* Prints the options that a verb accepts, a line each. */
void arguments_print_options(const struct verb *verb, FILE *out);

#endif
