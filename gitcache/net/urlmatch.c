#include "gitcache/net/urlmatch.h"

#include <string.h>
#include <strings.h>

#include "gitcache/base/url.h"

static const char *port_of(const struct url_parts *parts, enum url_scheme scheme)
{
    return parts->port ? parts->port : scheme == URL_HTTPS ? "443" : "80";
}

/* A part that is "*" stands for any one part. */
static bool host_matches(const char *pattern, const char *host)
{
    for (;;) {
        size_t pattern_part = strcspn(pattern, "."), part = strcspn(host, ".");
        bool any = pattern_part == 1 && *pattern == '*' && part > 0;
        if (!any && (pattern_part != part || strncasecmp(pattern, host, part) != 0))
            return false;
        pattern += pattern_part;
        host += part;
        if (!*pattern || !*host)
            return *pattern == *host;
        pattern++;
        host++;
    }
}

/* The pattern's path is the URL's, or the folders that it begins with. */
static bool path_matches(const char *pattern, const char *path, size_t *length)
{
    size_t n = strlen(pattern);

    while (n && pattern[n - 1] == '/')
        n--;
    *length = n + 1;
    return strncmp(pattern, path, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

bool urlmatch_fits(const char *pattern, const char *url, struct urlmatch *how)
{
    struct url_parts want = {0}, have = {0};
    enum url_scheme scheme = url_scheme(url);
    bool matches = false;

    *how = (struct urlmatch){0};
    if (scheme == url_scheme(pattern) && (scheme == URL_HTTP || scheme == URL_HTTPS) &&
        url_split(&want, pattern) == 0 && url_split(&have, url) == 0)
        matches = host_matches(want.host, have.host) &&
                  strcmp(port_of(&want, scheme), port_of(&have, scheme)) == 0 &&
                  path_matches(want.path, have.path, &how->path) &&
                  (!want.user || (have.user && strcmp(want.user, have.user) == 0));
    if (matches) {
        how->host = strlen(want.host);
        how->user = want.user != NULL;
    }
    url_parts_release(&want);
    url_parts_release(&have);
    return matches;
}

int urlmatch_compare(const struct urlmatch *a, const struct urlmatch *b)
{
    if (a->host != b->host)
        return a->host < b->host ? -1 : 1;
    if (a->path != b->path)
        return a->path < b->path ? -1 : 1;
    return a->user - b->user;
}
