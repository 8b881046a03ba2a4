/* fuzz_url.c - any text as a URL: it can be shown, and what goes to ssh or git is no option. */
#include <ctype.h>

#include "gitcache/base/url.h"
#include "tests/fuzz/pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char shown[64], host[32], *url = strndup((const char *)data, size), *path;
    struct url_parts parts;

    if (!url)
        abort();
    url_display(url, shown, sizeof shown);
    url_host(url, host, sizeof host);
    for (const char *c = shown; *c; c++)
        if (iscntrl((unsigned char)*c))
            abort();
    path = url_local_path(url);
    if (!path)
        abort();
    free(path);
    if (url_split(&parts, url) == 0) {
        if (*parts.host == '-' || *parts.path == '-' || !*parts.host ||
            (parts.user && *parts.user == '-') || strpbrk(parts.host, "\r\n") ||
            strpbrk(parts.path, "\r\n"))
            abort();
        url_parts_release(&parts);
    }
    free(url);
    return 0;
}
