/* version.h - which program this is, and on which libraries it runs. */
#ifndef FS_CLI_VERSION_H
#define FS_CLI_VERSION_H

#include <stdio.h>

void version_print(FILE *out);

#endif
