#include "gitcache/net/settings.h"

#include <stdlib.h>

#include "gitcache/net/gitconfig.h"

#define SILENCE_TIMEOUT 30

void net_settings_init(struct net_settings *settings)
{
    *settings = (struct net_settings){
        .connect_timeout = 10,
        .max_pack = UINT64_C(2) << 30,
        .max_listing = UINT64_C(64) << 20,
        .rate = 15,
    };
}

/* 0 is git's word for waiting for ever, which no call here does. */
static unsigned silence_of_git(const struct gitconfig *config)
{
    const char *text = getenv("GIT_HTTP_LOW_SPEED_TIME");

    if (!text)
        text = gitconfig_get(config, "http.lowspeedtime");
    return text && atoi(text) > 0 ? (unsigned)atoi(text) : SILENCE_TIMEOUT;
}

void net_settings_complete(struct net_settings *settings, const struct gitconfig *config)
{
    if (settings->silence_timeout == 0)
        settings->silence_timeout = silence_of_git(config);
    if (settings->silence_most > 0 && settings->silence_timeout > settings->silence_most)
        settings->silence_timeout = settings->silence_most;
}
