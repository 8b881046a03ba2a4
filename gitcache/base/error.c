#include "gitcache/base/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What came from a server or a file must not be able to move a terminal's cursor. */
static void show_control_characters(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
}

int error_vset(struct error *e, int errnum, const char *format, va_list args)
{
    if (e) {
        e->errnum = errnum;
        vsnprintf(e->text, sizeof e->text, format, args);
        show_control_characters(e->text);
    }
    return -errnum;
}

int error_set(struct error *e, int errnum, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    error_vset(e, errnum, format, args);
    va_end(args);
    return -errnum;
}

int error_no_memory(struct error *e)
{
    return error_set(e, ENOMEM, "out of memory");
}

void error_keep(struct kept_error *kept, const struct error *error)
{
    char *text = strdup(error->text);

    error_forget(kept);
    *kept = (struct kept_error){error->errnum, text};
}

void error_forget(struct kept_error *kept)
{
    free(kept->text);
    *kept = (struct kept_error){0};
}

const char *error_kept_text(const struct kept_error *kept)
{
    return kept->text ? kept->text : strerror(kept->errnum);
}
