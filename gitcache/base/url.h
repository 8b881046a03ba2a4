/* url.h - what kind of place a URL names, its parts, and how to show it. Pure. */
#ifndef GITCACHE_BASE_URL_H
#define GITCACHE_BASE_URL_H

#include <stdbool.h>
#include <stddef.h>

enum url_scheme {
    URL_HTTP,
    URL_HTTPS,
    URL_SSH, /* ssh://, and user@host:path */
    URL_GIT,
    URL_LOCAL, /* file://, or an absolute path */
    URL_REFUSED,
};

enum url_scheme url_scheme(const char *url);

/* Copies url into out without user name and password, control characters as '?'. Always terminates;
 * a longer URL is cut. Returns out, so that it can stand in a printf argument. */
char *url_display(const char *url, char *out, size_t size);

/* The host (with port, if any) that a URL connects to, for counting what goes on at once; "" for a
 * path. */
char *url_host(const char *url, char *out, size_t size);

/* The file-system path of a URL_LOCAL url (percent-decoded for file://). NULL if out of memory.
 * The caller frees it. */
char *url_local_path(const char *url);

/* The parts of a URL_SSH, URL_GIT, URL_HTTP or URL_HTTPS url, percent-decoded but for http's path.
 * All strings are owned. */
struct url_parts {
    char *user;     /* NULL if there is none */
    char *password; /* NULL if there is none */
    char *host;     /* without the brackets of an IPv6 address */
    char *port;     /* digits; NULL if there is none */
    char *path; /* as the server's git gets it: "/srv/x.git", "~anna/x.git", "x.git" (host:x.git) */
};

/* 0, -EINVAL (a part that no such URL can have: an empty host, an empty path of ssh
 * or git, one that begins with a dash,
 * a port that is no number, a control character) or -ENOMEM. */
int url_split(struct url_parts *out, const char *url);
void url_parts_release(struct url_parts *parts);

#endif
