#include "fs/exit.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fs/terminal.h"

int exit_fail(int code, const char *format, ...)
{
    struct terminal terminal = terminal_of(STDERR_FILENO, COLOUR_NEVER);
    char text[4096] = "startpointfs: ";
    size_t used = strlen(text);
    va_list args;

    va_start(args, format);
    vsnprintf(text + used, sizeof text - used, format, args);
    va_end(args);
    if (!isatty(STDERR_FILENO))
        terminal.columns = 0;
    terminal_print(&terminal, stderr, STYLE_PLAIN, 0, 4, terminal_clean(text));
    return code;
}
