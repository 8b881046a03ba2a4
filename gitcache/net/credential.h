/* credential.h - user names and passwords from git's credential.helper, by `git credential`, which
 * never prompts here. */
#ifndef GITCACHE_NET_CREDENTIAL_H
#define GITCACHE_NET_CREDENTIAL_H

#include <stdbool.h>

struct launcher;

struct credential {
    char *user, *password; /* owned; never to be printed */
};

/* Asks for what belongs to an http(s) URL; `user`, if not NULL, is the name that it must be for.
 * False where there is nothing, git is not installed, or no answer comes in `seconds`.
 * The launcher (or NULL) starts it. */
bool credential_fill(struct credential *out, struct launcher *launcher, const char *url,
                     const char *user, unsigned seconds);

/* Tells the helpers that it worked, so that they keep it, or that it did not. */
void credential_tell(const struct credential *credential, struct launcher *launcher,
                     const char *url, bool worked, unsigned seconds);

void credential_release(struct credential *credential);

#endif
