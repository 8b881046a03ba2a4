/* memory_file.h - a stream whose text grows in memory, and that says so when it did not.
 *
 * As open_memstream, whose fclose is 0, and ferror too, where there was no memory in between: then a piece
 * of the text is missing, and nobody knows. Whoever writes a file from it would keep that.
 */
#ifndef GITCACHE_BASE_MEMORY_FILE_H
#define GITCACHE_BASE_MEMORY_FILE_H

#include <stddef.h>
#include <stdio.h>

/* NULL: out of memory. After fflush and fclose that return 0, *text is all that was written, with a NUL
 * behind it, and *size its length. Where fclose does not return 0, memory ran out, and *text is NULL.
 * The caller frees *text after fclose, never before. ftell works, fseek does not. */
FILE *memory_file_open(char **text, size_t *size);

#endif
