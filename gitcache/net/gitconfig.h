/* gitconfig.h - git's own configuration: the system's, the user's, and what GIT_CONFIG_* in the
 * environment say. A snapshot: load it anew to see changes. Values are borrowed from it. */
#ifndef GITCACHE_NET_GITCONFIG_H
#define GITCACHE_NET_GITCONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "gitcache/base/error.h"

struct gitconfig;

/* Takes some 0.1 ms where libgit2 is set up already. A file that cannot be read is passed over, as
 * git does; one with an error in it is EINVAL. */
int gitconfig_load(struct gitconfig **out, struct error *e);
void gitconfig_free(struct gitconfig *config);

/* Writes it into a descriptor, for another process to gitconfig_unpack. 0 or a negative errno. */
int gitconfig_pack(const struct gitconfig *config, int fd);
int gitconfig_unpack(struct gitconfig **out, const char *bytes, size_t size, struct error *e);

/* The last value of a key (section and variable in lower case, "core.sshcommand"); NULL if it is
 * not set. A variable without a value has the value "true". */
const char *gitconfig_get(const struct gitconfig *config, const char *key);

/* All values of a key that may stand several times, in order: an array of borrowed strings that is the caller's; *count how many. NULL: out of memory. */
const char **gitconfig_get_all(const struct gitconfig *config, const char *key, size_t *count);
/* Calls visit with each of them. Stops at the first non-zero and returns it. */
int gitconfig_each(const struct gitconfig *config,
                   int (*visit)(void *data, const char *key, const char *value), void *data);

/* url.BASE.insteadOf, the longest that fits, applied. Owned; NULL if out of memory. */
char *gitconfig_rewrite(const struct gitconfig *config, const char *url);

/* http.VARIABLE or the best fitting http.URL.VARIABLE, chosen as git does (variable in lower case);
 * NULL if none is set. */
const char *gitconfig_http(const struct gitconfig *config, const char *url, const char *variable);

/* The same for a variable that may stand several times: calls visit with each value that counts, in
 * order. An empty value means "forget those before". Stops at the first non-zero and returns it. */
int gitconfig_http_all(const struct gitconfig *config, const char *url, const char *variable,
                       int (*visit)(void *data, const char *value), void *data);

/* git's idea of a boolean; `otherwise` for NULL or what is none. */
bool gitconfig_bool(const char *value, bool otherwise);

/* "libgit2 1.5.1", as it is at run time: it is what reads the files. Returns buffer. */
const char *gitconfig_library(char *buffer, size_t size);

#endif
