/* settings.h - what the command line, -o and the environment say, in one struct for all verbs. */
#ifndef FS_SETTINGS_H
#define FS_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "fs/log.h"
#include "fs/terminal.h"
#include "gitcache/base/error.h"
#include "gitcache/net/settings.h"
#include "manifest/type.h"

#define JOBS_DEFAULT 16
#define JOBS_MAX     256

#define SETTINGS_SIZE_MOST (1ull << 40) /* bytes: a bound against slips */

/* Those that index a whole machine unasked. */
#define NO_FETCH_FOR_DEFAULT \
    "updatedb:updatedb.plocate:updatedb.mlocate:baloo_file:tracker-miner-fs-3:localsearch-3"

/* Which versions a listing of a repository shows: all, or those that a source names. */
enum browse { BROWSE_ALL, BROWSE_NAMED };

/* Where a commit that no list names is looked for in its remote's history: where that comes without files,
 * or everywhere. */
enum search_where { SEARCH_CHEAP, SEARCH_ALWAYS };

/* Whether the rest of a list is fetched when readers have asked for two of its versions. */
enum readahead_choice { READAHEAD_NO, READAHEAD_YES };

/* Who can read the cache: its owner, or all. One that is there already is left as it is unless one is said. */
enum cache_mode { CACHE_MODE_AS_IT_IS, CACHE_MODE_OWNER, CACHE_MODE_ALL };

struct settings {
    /* folders, absolute */
    char *cache;
    enum cache_mode cache_mode;
    char *sets;
    /* for every verb */
    bool offline;
    bool json;
    bool quiet;
    enum colour colour;
    enum start_point_type type;
    /* for a mount; times in seconds */
    bool foreground;
    unsigned refs_ttl;
    unsigned timeout;
    unsigned jobs;
    bool prefetch;
    enum readahead_choice readahead;
    enum browse browse;
    char *no_fetch_for; /* names of processes, separated by colons */
    enum search_where search;
    bool no_resend; /* behave as on a kernel that can't resend requests: for tests */
    uint64_t max_file;
    uint64_t cache_max; /* bytes of the cache; 0: no limit */
    uint32_t max_nodes;
    uid_t uid;
    gid_t gid;
    enum log_level log_level;
    char *log_file;
    char *holder; /* who else holds the mount: a holder's socket, or "systemd"; NULL: nobody */
    char *user;   /* whom the workers run as; NULL: as who mounts */
    struct net_settings remote;
    char *fuse_options; /* comma-separated, for libfuse; NULL if none */
};

/* Defaults, with the environment (STARTPOINTFS_CACHE, CACHE_DIRECTORY, XDG_CACHE_HOME, HOME ...). 0
 * or -ENOMEM. */
int settings_init(struct settings *settings);
void settings_release(struct settings *settings);

/* A number of at most that much, or with K, M or G behind it. 0 or -EINVAL. */
int settings_number(const char *text, uint64_t most, uint64_t *out);

/* A number of bytes, or with K, M or G: what options that are a SIZE take. 0 or -EINVAL. */
int settings_size(const char *text, uint64_t *out);

/* Sets cache or sets folder from an argument, made absolute. 0 or -ENOMEM. */
int settings_folder(char **folder, const char *argument);

#endif
