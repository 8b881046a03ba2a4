/* http_files.h - which files libcurl reads: certificates, keys, .netrc. */
#ifndef GITCACHE_NET_HTTP_FILES_H
#define GITCACHE_NET_HTTP_FILES_H

#include "gitcache/net/gitconfig.h"

/* Calls visit with each path that git's configuration or the environment name, for whatever URL, and with .netrc's;
 * whether there is such a file or not. Stops at the first non-zero and returns it; -ENOMEM. */
int http_files_each(const struct gitconfig *config, int (*visit)(void *data, const char *path),
                    void *data);

#endif
