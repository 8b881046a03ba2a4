/* model.h - what `make analyze` tells the checkers, which look at one file at a time; included
 * before each source, and nowhere else. Without it they follow ways that there are not: on which
 * what reports an error returns success, and what it should have made is read. */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "gitcache/base/error.h"

#define NEGATIVE(call)               \
    __extension__({                  \
        int result_ = (call);        \
        if (result_ >= 0)            \
            __builtin_unreachable(); \
        result_;                     \
    })

#define error_set(...)     NEGATIVE(error_set(__VA_ARGS__))
#define error_vset(...)    NEGATIVE(error_vset(__VA_ARGS__))
#define error_no_memory(e) NEGATIVE(error_no_memory(e))

/* Nobody looks at errno unless a call has failed. */
#undef errno
#define errno                             \
    (*__extension__({                     \
        int *errno_ = __errno_location(); \
        if (*errno_ <= 0)                 \
            __builtin_unreachable();      \
        errno_;                           \
    }))

/* gcc 12 takes glibc's reallocarray(3) for one that frees the old block even if it fails. */
#define reallocarray(old, count, size) realloc(old, (count) * (size))
