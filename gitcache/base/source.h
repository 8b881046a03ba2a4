/* source.h - a source: one line of a list, or one argument.
 *
 *     URL?tag=NAME     that tag (or branch; a tag wins)
 *     URL              branch master, else main, else the remote's HEAD
 *     SHA@URL          that commit, 7 to 40 hex digits
 *     a local path     in place of any URL; it begins with /, ./, ../ or ~/ (the home folder)
 *
 * Further query keys: name=ALIAS (the repository's folder), commit=SHA (40 digits: what the tag or
 * branch must be). Query values are percent-decoded. Everything else is an error that names the
 * cure. Pure.
 */
#ifndef GITCACHE_BASE_SOURCE_H
#define GITCACHE_BASE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "gitcache/base/error.h"

enum source_kind {
    SOURCE_DEFAULT, /* URL alone */
    SOURCE_NAMED,   /* URL?tag=NAME */
    SOURCE_COMMIT,  /* SHA@URL */
};

struct source {
    char *text; /* as it was written */
    char *url;  /* URL or absolute path, without query; may hold credentials */
    char *name; /* the repository's folder: the alias, or the URL's last part less .git */
    enum source_kind kind;
    char *version; /* tag or branch (NAMED), lower-case hex digits (COMMIT), NULL (DEFAULT) */
    char *commit;  /* 40 lower-case digits of commit=, else NULL */
    char *file;    /* the list it stands in; NULL for an argument */
    unsigned line; /* in file, from 1 */
};

/* Parses one source. `base` is the folder that a relative path is relative to (absolute).
 * EINVAL with a sentence for: an unknown or repeated query key, an empty or impossible tag, a URL
 * that begins with a dash, ext:: and other schemes than http, https, ssh, git, file (and
 * user@host:path), a name that can't be a folder. On success the caller owns *out (source_release).
 */
int source_parse(struct source *out, const char *text, const char *base, struct error *e);

/* The same for what stands on a command line: a relative path needs no mark at its front, but ENOENT
 * if it has none and nothing is there. One with a mark may be gone while its versions are cached. */
int source_parse_operand(struct source *out, const char *text, const char *base, struct error *e);
void source_release(struct source *source);

/* Whether a local path may be a repository: as for git clone(1) also by its name without .git. What
 * this user may not look at can be there all the same. */
bool source_path_is_there(const char *path);

/* The spelling of a source that means the same wherever it is parsed: without relative paths.
 * Malloc'd; NULL: out of memory. */
char *source_format(const struct source *source);
/* The same, to a stream; its errors are the stream's. */
void source_print(const struct source *source, FILE *out);

#endif
