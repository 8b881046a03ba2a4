/* failing_allocations.h - allocations that fail when the test says so. Included by tests that are linked with --wrap of these calls
 * (Makefile), after their own `bool fails_now(const char *call, int errnum)`: whether this call fails, which has set errno then. */
#ifndef TESTS_FAILING_ALLOCATIONS_H
#define TESTS_FAILING_ALLOCATIONS_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAILING(errnum, failure, type, name, parameters, arguments)          \
    type __real_##name parameters;                                           \
    type __wrap_##name parameters;                                           \
    type __wrap_##name parameters                                            \
    {                                                                        \
        return fails_now(#name, errnum) ? failure : __real_##name arguments; \
    }

FAILING(ENOMEM, NULL, void *, malloc, (size_t size), (size))
FAILING(ENOMEM, NULL, void *, calloc, (size_t count, size_t size), (count, size))
FAILING(ENOMEM, NULL, void *, realloc, (void *old, size_t size), (old, size))
FAILING(ENOMEM, NULL, void *, reallocarray, (void *old, size_t count, size_t size),
        (old, count, size))
FAILING(ENOMEM, NULL, char *, strdup, (const char *text), (text))
FAILING(ENOMEM, NULL, char *, strndup, (const char *text, size_t size), (text, size))

__attribute__((format(printf, 2, 3))) int __wrap_asprintf(char **out, const char *format, ...);
int __wrap_asprintf(char **out, const char *format, ...)
{
    va_list args;

    if (fails_now("asprintf", ENOMEM))
        return -1;
    va_start(args, format);
    int length = vasprintf(out, format, args);
    va_end(args);
    return length;
}

#endif
