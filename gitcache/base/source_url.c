#include "gitcache/base/source_url.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/base/url.h"

bool source_url_looks_like_scp(const char *address)
{
    size_t length = strcspn(address, ":/");
    return length > 0 && address[length] == ':';
}

bool source_url_has_scheme(const char *address)
{
    const char *separator = strstr(address, "://");
    return separator && (size_t)(separator - address) == strcspn(address, ":/@");
}

/* Leading ./ and ../ are resolved against base, which names no symlinks; later ones are left to
 * the kernel, as a symlink may stand before them. */
static char *absolute_path(const char *base, const char *path)
{
    size_t length = strlen(base);
    char *out = NULL;

    for (;;) {
        while (length > 0 && base[length - 1] == '/')
            length--;
        if (path[0] == '/') {
            path++;
        } else if (path[0] == '.' && (path[1] == '/' || !path[1])) {
            path++;
        } else if (path[0] == '.' && path[1] == '.' && (path[2] == '/' || !path[2])) {
            path += 2;
            while (length > 0 && base[length - 1] != '/')
                length--;
        } else {
            break;
        }
    }
    if (asprintf(&out, "%.*s%s%s", (int)length, base, *path || length == 0 ? "/" : "", path) < 0)
        return NULL;
    return out;
}

static bool is_below_home(const char *address)
{
    return strncmp(address, "~/", 2) == 0;
}

bool source_url_is_marked_path(const char *address)
{
    const char *rest = address + strspn(address, ".");

    if (*address == '/' || is_below_home(address))
        return true;
    return rest > address && rest <= address + 2 && (*rest == '/' || !*rest);
}

bool source_url_lacks_scheme(const char *address)
{
    size_t host = strcspn(address, "/");

    return *address != '.' && address[host] == '/' && memchr(address, '.', host) &&
           !strpbrk(address, " \t");
}

static int refuse_unmarked(const char *shown, const char *address, struct error *e)
{
    if (source_url_lacks_scheme(address))
        return error_set(
            e, EINVAL,
            "%s is not a URL: is https:// missing? (a path begins with /, ./, ../ or ~/)", shown);
    return error_set(
        e, EINVAL, "'%s' is neither a URL nor a path; a path begins with /, ./, ../ or ~/", shown);
}

/* NULL: who runs this has none. */
static const char *home_folder(void)
{
    const char *home = getenv("HOME");

    return home && *home == '/' ? home : NULL;
}

/* An absolute path, malloc'd; NULL: out of memory. */
static char *expand_path(const char *base, const char *address)
{
    if (*address == '/')
        return strdup(address);
    if (is_below_home(address))
        return absolute_path(home_folder(), address + 2);
    return absolute_path(base, address);
}

/* Not those of "://": without them a scheme would be a host of ssh's. */
static void strip_trailing_slashes(char *url)
{
    size_t length = strlen(url);
    size_t least = source_url_has_scheme(url) ? strcspn(url, ":") + strlen("://") : 1;

    while (length > least && url[length - 1] == '/' && url[length - 2] != ':')
        url[--length] = '\0';
}

/* "https://", "https:///path", "https://user@:80/path" */
static bool lacks_host(const char *url)
{
    if (!source_url_has_scheme(url))
        return false;
    const char *host = strstr(url, "://") + 3;
    const char *at = memchr(host, '@', strcspn(host, "/"));
    return strchr("/:", at ? at[1] : *host);
}

static int check_url(const char *url, const char *shown, struct error *e)
{
    if (!strncmp(url, "file://", 7) && url[7] != '/')
        return error_set(e, EINVAL, "%s: a file URL is always of this machine: file:///PATH",
                         shown);
    if (strstr(url, "://-") || (*url != '/' && strstr(url, "@-")))
        return error_set(e, EINVAL, "%s: a host name cannot begin with a dash", shown);
    if (strncmp(url, "file://", 7) != 0 && lacks_host(url))
        return error_set(e, EINVAL, "%s: the URL names no host", shown);
    if (url_scheme(url) == URL_REFUSED)
        return error_set(e, EINVAL,
                         "%s: only http, https, ssh, git and file URLs, user@host:path and paths "
                         "are sources (a path with a colon is written ./PATH)",
                         shown);
    if (*url != '/' && strpbrk(url, " \t"))
        return error_set(e, EINVAL,
                         "%s: a URL has no spaces; write one source per line, or %%20 for a space",
                         shown);
    return 0;
}

int source_url_resolve(char **out, const char *address, const char *base, bool any_path,
                       const char *shown, struct error *e)
{
    char *url;
    int r;

    if (!*address)
        return error_set(e, EINVAL, "the source has no URL; write URL?tag=NAME, URL or SHA@URL");
    if (*address == '-')
        return error_set(e, EINVAL, "%s: a URL cannot begin with a dash", shown);
    if (source_url_has_scheme(address) || source_url_looks_like_scp(address))
        url = strdup(address);
    else if (!any_path && !source_url_is_marked_path(address))
        return refuse_unmarked(shown, address, e);
    else if (is_below_home(address) && !home_folder())
        return error_set(e, EINVAL, "%s: HOME names no folder for ~/; write the whole path", shown);
    else
        url = expand_path(base, address);
    if (!url)
        return error_no_memory(e);
    strip_trailing_slashes(url);
    r = check_url(url, shown, e);
    if (r < 0)
        free(url);
    else
        *out = url;
    return r;
}

char *source_url_name(const char *url)
{
    const char *rest = source_url_has_scheme(url) ? strstr(url, "://") + 3 : url;
    const char *end = rest + strlen(rest);
    const char *start;

    if (source_url_has_scheme(url) && !strchr(rest, '/')) {
        const char *at = strrchr(rest, '@');
        start = at ? at + 1 : rest;
        return strndup(start, strcspn(start, ":"));
    }
    if (end - rest > 5 && !strcmp(end - 5, "/.git"))
        end -= 5;
    while (end > rest && end[-1] == '/')
        end--;
    if (end - rest > 4 && !strncmp(end - 4, ".git", 4) && end[-5] != '/' && end[-5] != ':')
        end -= 4;
    for (start = end; start > rest && start[-1] != '/'; start--)
        if (start[-1] == ':' && !source_url_has_scheme(url) && *url != '/')
            break;
    return strndup(start, (size_t)(end - start));
}
