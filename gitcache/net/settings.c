#include "gitcache/net/settings.h"

#include <stdlib.h>

#include "gitcache/net/gitconfig.h"

void net_settings_init(struct net_settings *settings)
{
    const char *low_speed_time = getenv("GIT_HTTP_LOW_SPEED_TIME");
    struct gitconfig *config = NULL;

    *settings = (struct net_settings){
        .connect_timeout = 10,
        .silence_timeout = 30,
        .max_pack = UINT64_C(2) << 30,
        .max_listing = UINT64_C(64) << 20,
        .rate = 15,
    };
    if (!low_speed_time && gitconfig_load(&config, NULL) == 0)
        low_speed_time = gitconfig_get(config, "http.lowspeedtime");
    /* 0 is git's word for waiting for ever, which no call here does. */
    if (low_speed_time && atoi(low_speed_time) > 0)
        settings->silence_timeout = (unsigned)atoi(low_speed_time);
    gitconfig_free(config);
}
