/* error.h - the one way to report an error.
 *
 * A function that can fail returns 0 or a negative errno, and fills a `struct error` with the
 * sentence that goes with it: what failed, for which URL or file, what to do. The sentence is made
 * where the failure is understood; a caller further up passes it on and never replaces it.
 * The errno is what a reader of the mount gets, the sentence what the log and status.json show.
 * The table of which failure has which errno is in the README ("When something fails").
 */
#ifndef GITCACHE_BASE_ERROR_H
#define GITCACHE_BASE_ERROR_H

#include <stdarg.h>

struct error {
    int errnum;      /* positive errno; 0 while nothing failed */
    char text[1000]; /* one sentence, NUL-terminated, no newline, no credentials */
};

/* Records a failure in e (which may be NULL) and returns -errnum, so that callers can write
 * `return error_set(e, EIO, "...")`. Control characters in the finished text are shown as '?'. */
int error_set(struct error *e, int errnum, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int error_vset(struct error *e, int errnum, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

/* ENOMEM: "out of memory". */
int error_no_memory(struct error *e);

/* An error that is kept for long, and so without room for the longest sentence. All zero: none. */
struct kept_error {
    int errnum; /* as above */
    char *text; /* private */
};

/* Keeps a copy in place of what was kept. */
void error_keep(struct kept_error *kept, const struct error *error);
void error_forget(struct kept_error *kept);
/* The sentence; where there was no memory for it, what strerror(3) says. Good until the next of these calls. */
const char *error_kept_text(const struct kept_error *kept);

#endif
