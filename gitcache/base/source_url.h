/* source_url.h - which repository the address in a source means. Private to gitcache/base. */
#ifndef GITCACHE_BASE_SOURCE_URL_H
#define GITCACHE_BASE_SOURCE_URL_H

#include <stdbool.h>

#include "gitcache/base/error.h"

/* "https://...", in front of any colon, slash or at-sign. */
bool source_url_has_scheme(const char *address);
/* What git reads as [user@]host:path: a colon before any slash. */
bool source_url_looks_like_scp(const char *address);
/* "/x", "./x", "../x", "~/x", "." and "..": what a list may hold as a path. */
bool source_url_is_marked_path(const char *address);
/* "github.com/my/repository" */
bool source_url_lacks_scheme(const char *address);

/* The URL or absolute path that an address means, malloc'd. any_path: a relative path, which is one from
 * the folder `base`, needs no mark at its front. `shown` stands in sentences. EINVAL or ENOMEM. */
int source_url_resolve(char **out, const char *address, const char *base, bool any_path,
                       const char *shown, struct error *e);

/* The URL's last part as `git clone` would name the folder, malloc'd; NULL: out of memory. Never user
 * information: of a URL without a path that is the host alone. */
char *source_url_name(const char *url);

#endif
