/* settings.h - how long the network may take and how much it may send. */
#ifndef GITCACHE_NET_SETTINGS_H
#define GITCACHE_NET_SETTINGS_H

#include <stdint.h>

struct gitconfig;
struct launcher;
struct politeness;

struct net_settings {
    unsigned connect_timeout; /* seconds until a connection must stand */
    unsigned silence_timeout; /* seconds without progress; 0: what git's configuration says */
    unsigned silence_most;    /* seconds that the silence may last at most; 0: no bound */
    uint64_t max_pack;        /* bytes; a larger pack is refused while it streams */
    uint64_t max_listing;     /* bytes; likewise */
    unsigned rate;            /* requests a second to one host; 0: any number */
    /* Shared by all that ask the same hosts; borrowed. NULL: each has its own. */
    struct politeness *politeness;
    /* What starts programs for us; borrowed. NULL: we do. */
    struct launcher *launcher;
};

/* 10 s, git's, 2 GiB, 64 MiB, 15 a second. Reads no file. */
void net_settings_init(struct net_settings *settings);
/* Where nothing else is said, http.lowSpeedTime, else 30 s, is how long silence may last. */
void net_settings_complete(struct net_settings *settings, const struct gitconfig *config);

#endif
