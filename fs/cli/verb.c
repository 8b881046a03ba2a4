#include "fs/cli/verb.h"

#include <stdarg.h>
#include <stdio.h>

int verb_fail(int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("startpointfs: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return code;
}
