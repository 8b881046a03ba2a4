/* Preloaded into a process: names that end with ".invalid" are those of 127.0.0.1, as long as the file is
 * there that RESOLVES names; else, as the standard says, there are none such. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
        dlsym(RTLD_NEXT, "getaddrinfo");
    const char *file = getenv("RESOLVES"), *dot = node ? strrchr(node, '.') : NULL;

    if (dot && strcmp(dot, ".invalid") == 0) {
        if (!file || access(file, F_OK) != 0)
            return EAI_NONAME;
        node = "127.0.0.1";
    }
    return next(node, service, hints, out);
}
