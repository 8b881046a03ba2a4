/* urlmatch.h - which http.URL.* settings are for a URL: the rules of git-config(1), "http.<url>.*".
 * Pure. */
#ifndef GITCACHE_NET_URLMATCH_H
#define GITCACHE_NET_URLMATCH_H

#include <stdbool.h>
#include <stddef.h>

/* How closely a pattern fits; all zero for a setting without a URL. */
struct urlmatch {
    size_t host; /* characters of the pattern's host */
    size_t path; /* characters of its path */
    bool user;   /* it names the user too */
};

/* True if the pattern (a URL; its host may have parts that are "*") is for this http(s) URL. */
bool urlmatch_fits(const char *pattern, const char *url, struct urlmatch *how);

/* Less than, equal to or greater than 0, as a fits less closely than b, as closely, or closer. */
int urlmatch_compare(const struct urlmatch *a, const struct urlmatch *b);

#endif
