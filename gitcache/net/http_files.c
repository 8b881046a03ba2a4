#include "gitcache/net/http_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct files_visit {
    int (*visit)(void *data, const char *path);
    void *data;
};

/* As http_options.c reads a path. */
static int visit_path(const struct files_visit *to, const char *path)
{
    const char *home = getenv("HOME");
    char *full = NULL;

    if (!path || !*path)
        return 0;
    if (strncmp(path, "~/", 2) != 0 || !home)
        return to->visit(to->data, path);
    if (asprintf(&full, "%s%s", home, path + 1) < 0)
        return -ENOMEM;
    int r = to->visit(to->data, full);
    free(full);
    return r;
}

static int visit_entry(void *data, const char *key, const char *value)
{
    static const char *const variables[] = {"sslcainfo", "sslcapath", "sslcert", "sslkey",
                                            "cookiefile"};
    const char *last = strrchr(key, '.');

    if (strncmp(key, "http.", 5) != 0)
        return 0;
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        if (strcmp(last + 1, variables[i]) == 0)
            return visit_path(data, value);
    return 0;
}

int http_files_each(const struct gitconfig *config, int (*visit)(void *data, const char *path),
                    void *data)
{
    static const char *const variables[] = {"GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_SSL_CERT",
                                            "GIT_SSL_KEY",    "SSL_CERT_FILE",  "SSL_CERT_DIR",
                                            "NETRC"};
    struct files_visit to = {visit, data};
    int r = visit_path(&to, "~/.netrc");

    for (size_t i = 0; i < sizeof variables / sizeof *variables && r == 0; i++)
        r = visit_path(&to, getenv(variables[i]));
    return r == 0 ? gitconfig_each(config, visit_entry, &to) : r;
}
