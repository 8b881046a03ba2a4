/* findings.h - what a check found: for each fault its exit code, where it is, and a sentence.
 *
 *     struct findings findings = {0};
 *     findings_add(&findings, SEVERITY_ERROR, 41, &where, "must be an integer ..., not %s", value);
 *     ...
 *     if (findings.error) ...                   // a negative errno: the check itself failed
 *     text = findings_format(&findings);        // or findings_format_json
 *     exit_code = findings.exit_code;
 *     findings_release(&findings);
 *
 * Adding never fails for the caller: if memory runs out, that is kept in `error`, which is looked
 * at once, at the end. Sentences may quote hostile files: what could harm a terminal, or is not
 * UTF-8, is shown as '?'.
 */
#ifndef MANIFEST_FINDINGS_H
#define MANIFEST_FINDINGS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

enum severity { SEVERITY_ERROR, SEVERITY_WARNING };

/* The exit codes that end a check at once. */
#define CODE_NO_MANIFEST    16
#define CODE_NOT_JSON       17
#define CODE_DUPLICATE_KEYS 18

/* Where a finding is. Strings may be NULL and are copied; line and column count from 1 and are 0
 * where unknown; a column counts characters. */
struct where {
    const char *source;  /* as people shall see it: without credentials */
    const char *file;    /* from the start-point's root */
    const char *pointer; /* a JSON pointer, "/visible_filenames/2" */
    unsigned line, column;
    bool in_folder; /* the source is a folder as it was given, and the file lies below it */
};

struct finding {
    enum severity severity;
    int code;
    struct where where; /* owns its strings */
    char *text;         /* a clause that goes on where the place ends: "must be ..., not 9" */
};

/* More than this many are counted only, so that no file can fill the memory. */
#define FINDINGS_MAX 1000

struct findings {
    struct finding *items;
    size_t count;
    size_t left_out; /* findings beyond FINDINGS_MAX */
    int exit_code; /* that of the first error; of one that ends the check, if there is one; or 0 */
    int error;     /* 0, or the first negative errno */
};

void findings_add(struct findings *findings, enum severity severity, int code,
                  const struct where *where, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
void findings_vadd(struct findings *findings, enum severity severity, int code,
                   const struct where *where, const char *format, va_list args)
    __attribute__((format(printf, 5, 0)));

/* Records that the check itself could not go on. Only the first errno is kept. */
void findings_fail(struct findings *findings, int error);

/* For people, a line each in the order in which they were found; "" if there are none:
 *     SOURCE: start_point/manifest.json:7:17: /tab_size: must be ..., not 9 [41]
 *     FOLDER/start_point/manifest.json:7:17: /tab_size: ...  (a path that terminals can open)
 * The caller frees the string. NULL: out of memory. */
char *findings_format(const struct findings *findings);
/* The same, but the findings of one file in the order of its lines. */
char *findings_format_by_line(const struct findings *findings);

/* The same as a JSON array of objects with severity, code, text, and what is known of source, file,
 * pointer, line, column; ends with a newline. The caller frees the string. NULL: out of memory. */
char *findings_format_json(const struct findings *findings);

/* How many there are of a kind, less those that were left out. */
size_t findings_count(const struct findings *findings, enum severity severity);

void findings_release(struct findings *findings);

#endif
