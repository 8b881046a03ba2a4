/* site.h - what is known of a repository's server: which version of the protocol it speaks, what it
 * can do, where a redirect has led to. Learnt once, and kept by the caller for the next process. */
#ifndef GITCACHE_NET_SITE_H
#define GITCACHE_NET_SITE_H

#include <stdbool.h>
#include <stddef.h>

#include "gitcache/net/capabilities.h"

struct site {
    char *url;               /* as it was asked for; may hold a password */
    char *base;              /* without user information; where redirects led to */
    struct capabilities can; /* .known once it was asked */
    bool noted;              /* that it has no shallow fetches */
    bool version_2;          /* it has answered in version 2, asked or not */
};

#define SITE_COUNT 8 /* that one thread remembers; it works on few at a time */

struct sites {
    struct site sites[SITE_COUNT];
    size_t next; /* the one to be replaced next */
};

/* The site of a URL, a new one if need be, borrowed until the next call. NULL: out of memory. */
struct site *site_get(struct sites *sites, const char *url);
/* Back to what the URL alone says. -ENOMEM. */
int site_forget(struct site *site);
void site_release_all(struct sites *sites);

/* What of it is worth keeping, as one line of text; owned, NULL if there is nothing. And back; what
 * cannot be read is as good as nothing. */
char *site_format(const struct site *site);
void site_parse(struct site *site, const char *text);

/* A URL without user information and slashes at the end. Owned; NULL if out of memory. */
char *site_base_of(const char *url);

#endif
