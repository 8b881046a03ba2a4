/* regex.h - whether Ruby, which the services are written in, would accept a regular expression. */
#ifndef MANIFEST_REGEX_H
#define MANIFEST_REGEX_H

#include <stdbool.h>

/* A bigger one is refused: compiling takes time and memory far out of proportion. */
#define REGEX_MAX 4096 /* bytes */

#define REGEX_WHY_SIZE 256

/* Compiles a pattern (UTF-8) with Ruby's syntax. False, and the reason in `why`, if that fails. */
bool regex_is_valid(const char *pattern, char why[REGEX_WHY_SIZE]);

#endif
