/* source_list.h - the sources of lists and of command-line arguments, in order.
 *
 * A list is a file with one source a line; `#` begins a comment, at the front or after a blank. */
#ifndef GITCACHE_BASE_SOURCE_LIST_H
#define GITCACHE_BASE_SOURCE_LIST_H

#include "gitcache/base/source.h"

struct source_list {
    struct source *items;
    size_t count;
};

/* Whether there is a file (or a pipe) at that path: then it is a list. */
bool source_list_is(const char *path);

/* Appends the sources of a list: a source a line, # comments, blank lines, CRLF and a byte order
 * mark accepted; relative paths are relative to the list's folder. Errors name file and line. A
 * list without a single source is EINVAL; one that cannot be read gets that errno. On failure
 * nothing is appended. */
int source_list_add_list(struct source_list *list, const char *path, struct error *e);

/* Appends one source as it is written on a command line, relative to the folder `base` (absolute). ENOENT: it
 * seems to be a path, and nothing is there. */
int source_list_add_source(struct source_list *list, const char *text, const char *base,
                           struct error *e);

/* Appends what one command-line argument means, relative to the current folder: a list, or else a
 * source. */
int source_list_add(struct source_list *list, const char *argument, struct error *e);

/* EINVAL if one repository name is claimed by two different URLs; the sentence names both places.
 */
int source_list_check(const struct source_list *list, struct error *e);
void source_list_release(struct source_list *list);

#endif
