#include "fs/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int settings_folder(char **folder, const char *argument)
{
    char *text = NULL, *here;

    if (argument[0] == '/') {
        text = strdup(argument);
    } else {
        here = getcwd(NULL, 0);
        if (!here || asprintf(&text, "%s/%s", here, argument) < 0)
            text = NULL;
        free(here);
    }
    if (!text)
        return -ENOMEM;
    free(*folder);
    *folder = text;
    return 0;
}

/* The first of: our variable, systemd's, root's folder, XDG's, HOME's. */
static char *default_folder(const char *ours, const char *systemd, const char *below_systemd,
                            const char *for_root, const char *xdg, const char *below_home)
{
    const char *value = getenv(ours), *home = getenv("HOME");
    char *folder = NULL;

    if (value && *value) {
        settings_folder(&folder, value);
        return folder;
    }
    value = getenv(systemd);
    if (value && *value == '/') {
        /* systemd separates several folders with colons; the first is ours. */
        if (asprintf(&folder, "%.*s%s", (int)strcspn(value, ":"), value, below_systemd) < 0)
            return NULL;
        return folder;
    }
    if (geteuid() == 0)
        return strdup(for_root);
    value = getenv(xdg);
    if (value && *value == '/') {
        if (asprintf(&folder, "%s/startpointfs%s", value, below_systemd) < 0)
            return NULL;
        return folder;
    }
    if (asprintf(&folder, "%s/%s/startpointfs%s", home && *home ? home : "/tmp", below_home,
                 below_systemd) < 0)
        return NULL;
    return folder;
}

int settings_init(struct settings *settings)
{
    *settings = (struct settings){
        .refs_ttl = 60,
        .timeout = 30,
        .jobs = JOBS_DEFAULT,
        .readahead = READAHEAD_YES,
        .max_file = 1ull << 30,
        .max_nodes = 1u << 26, /* 67 million; sparse, so only what is used costs memory */
        .uid = geteuid(),
        .gid = getegid(),
        .log_level = LOG_LEVEL_INFO,
    };
    net_settings_init(&settings->remote);
    settings->cache = default_folder("STARTPOINTFS_CACHE", "CACHE_DIRECTORY", "",
                                     "/var/cache/startpointfs", "XDG_CACHE_HOME", ".cache");
    settings->sets = default_folder("STARTPOINTFS_SETS", "STATE_DIRECTORY", "/sets",
                                    "/var/lib/startpointfs/sets", "XDG_STATE_HOME", ".local/state");
    settings->no_fetch_for = strdup(NO_FETCH_FOR_DEFAULT);
    return settings->cache && settings->sets && settings->no_fetch_for ? 0 : -ENOMEM;
}

void settings_release(struct settings *settings)
{
    free(settings->cache);
    free(settings->sets);
    free(settings->log_file);
    free(settings->holder);
    free(settings->no_fetch_for);
    free(settings->user);
    free(settings->fuse_options);
}

int settings_number(const char *text, uint64_t most, uint64_t *out)
{
    char *end;
    unsigned shift = 0;

    if (*text < '0' || *text > '9')
        return -EINVAL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    switch (*end) {
    case 'G':
    case 'g':
        shift += 10; /* fall through */
    case 'M':
    case 'm':
        shift += 10; /* fall through */
    case 'K':
    case 'k':
        shift += 10;
        end++;
    }
    if (errno || *end || value > most >> shift)
        return -EINVAL;
    *out = value << shift;
    return 0;
}

int settings_size(const char *text, uint64_t *out)
{
    return settings_number(text, SETTINGS_SIZE_MOST, out);
}
