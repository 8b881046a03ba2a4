#include "gitcache/net/protocol.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *name_of(enum url_scheme scheme)
{
    switch (scheme) {
    case URL_HTTP:
        return "http";
    case URL_HTTPS:
        return "https";
    case URL_SSH:
        return "ssh";
    case URL_GIT:
        return "git";
    case URL_LOCAL:
        return "file";
    case URL_REFUSED:
        break;
    }
    return "";
}

/* True if a list, separated by colons, has the name. */
static bool has_name(const char *list, const char *name)
{
    size_t n = strlen(name);

    for (const char *at = list; at; at = strchr(at, ':')) {
        at += *at == ':';
        if (strncmp(at, name, n) == 0 && (at[n] == ':' || at[n] == '\0'))
            return true;
    }
    return false;
}

/* "user" means: where a person asked for it, which git is told by its environment. */
static bool allows(const char *policy)
{
    if (strcasecmp(policy, "user") == 0)
        return gitconfig_bool(getenv("GIT_PROTOCOL_FROM_USER"), true);
    return strcasecmp(policy, "never") != 0;
}

int protocol_check(const struct gitconfig *config, enum url_scheme scheme, const char *who,
                   struct error *e)
{
    const char *list = getenv("GIT_ALLOW_PROTOCOL"), *name = name_of(scheme), *policy;
    char key[40];

    if (list) {
        if (has_name(list, name))
            return 0;
        return error_set(e, EACCES, "%s: GIT_ALLOW_PROTOCOL forbids the protocol %s", who, name);
    }
    snprintf(key, sizeof key, "protocol.%s.allow", name);
    policy = gitconfig_get(config, key);
    if (!policy)
        policy = gitconfig_get(config, "protocol.allow");
    if (!policy)
        policy = scheme == URL_LOCAL ? "user" : "always";
    if (allows(policy))
        return 0;
    return error_set(e, EACCES, "%s: git's %s forbids the protocol %s", who,
                     gitconfig_get(config, key) ? key : "protocol.allow", name);
}

int protocol_version(const struct gitconfig *config)
{
    const char *version = gitconfig_get(config, "protocol.version");

    return version && (strcmp(version, "0") == 0 || strcmp(version, "1") == 0) ? *version - '0' : 2;
}

const char *protocol_variable(const struct gitconfig *config)
{
    static const char *const variables[] = {"GIT_PROTOCOL", "GIT_PROTOCOL=version=1",
                                            "GIT_PROTOCOL=version=2"};
    return variables[protocol_version(config)];
}
