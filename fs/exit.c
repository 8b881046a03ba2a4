#include "fs/exit.h"

#include <stdarg.h>
#include <stdio.h>

int exit_fail(int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("startpointfs: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return code;
}
