#include "gitcache/fetch/bring_back.h"

#include <stdlib.h>
#include <string.h>

#include "gitcache/base/starts_with.h"
#include "gitcache/base/url.h"
#include "gitcache/net/remote.h"
#include "gitcache/store/cache_folder.h"

#define PATIENCE  10 /* seconds for a remote: somebody may wait for room */
#define HOST_SIZE 300

static const char tags[] = "refs/tags/", heads[] = "refs/heads/";

/* What a remote has said, or that it has not. */
struct brought {
    char *folder;
    char *url; /* NULL: not known */
    bool answers;
    struct listing listing;
    struct brought *next;
};

struct bring_back {
    char *cache_folder;
    struct remote *remote;
    const struct watch *watch;
    struct brought *answers;
};

int bring_back_new(struct bring_back **out, const char *cache_folder,
                   const struct net_settings *settings, const struct watch *watch, struct error *e)
{
    struct bring_back *bring_back = calloc(1, sizeof *bring_back);
    struct net_settings hasty = *settings;
    int r = -1;

    if (hasty.connect_timeout > PATIENCE)
        hasty.connect_timeout = PATIENCE;
    hasty.silence_most = PATIENCE;
    if (bring_back && (bring_back->cache_folder = strdup(cache_folder)))
        r = remote_new(&bring_back->remote, &hasty, e);
    else
        error_no_memory(e);
    if (r < 0) {
        bring_back_free(bring_back);
        return -e->errnum;
    }
    bring_back->watch = watch;
    *out = bring_back;
    return 0;
}

static void brought_free(struct brought *brought)
{
    listing_release(&brought->listing);
    free(brought->folder);
    free(brought->url);
    free(brought);
}

void bring_back_free(struct bring_back *bring_back)
{
    if (!bring_back)
        return;
    while (bring_back->answers) {
        struct brought *brought = bring_back->answers;
        bring_back->answers = brought->next;
        brought_free(brought);
    }
    if (bring_back->remote)
        remote_free(bring_back->remote);
    free(bring_back->cache_folder);
    free(bring_back);
}

static bool has_failed(const struct bring_back *bring_back, const char *url)
{
    char host[HOST_SIZE], other[HOST_SIZE];

    url_host(url, host, sizeof host);
    for (const struct brought *a = bring_back->answers; a; a = a->next)
        if (!a->answers && a->url && *host &&
            strcmp(url_host(a->url, other, sizeof other), host) == 0)
            return true;
    return false;
}

static void ask(struct bring_back *bring_back, struct brought *brought)
{
    if (!brought->url || has_failed(bring_back, brought->url))
        return;
    brought->answers = remote_list(bring_back->remote, brought->url, NULL, 0, bring_back->watch,
                                   &brought->listing, NULL) == 0;
}

/* NULL: out of memory. */
static struct brought *find(struct bring_back *bring_back, const char *folder, const char *url)
{
    struct brought *brought;

    for (brought = bring_back->answers; brought; brought = brought->next)
        if (strcmp(brought->folder, folder) == 0)
            return brought;
    brought = calloc(1, sizeof *brought);
    if (!brought || !(brought->folder = strdup(folder))) {
        free(brought);
        return NULL;
    }
    brought->url = url ? strdup(url) : cache_folder_to_url(bring_back->cache_folder, folder);
    ask(bring_back, brought);
    brought->next = bring_back->answers;
    bring_back->answers = brought;
    return brought;
}

/* A listing has no branch that was not asked for by its name, but for master and main. */
static void ask_for_branch(struct bring_back *bring_back, struct brought *brought, const char *name)
{
    struct listing listing = {.refs = NULL};

    brought->answers = remote_list(bring_back->remote, brought->url, &name, 1, bring_back->watch,
                                   &listing, NULL) == 0;
    if (!brought->answers)
        return;
    listing_release(&brought->listing);
    brought->listing = listing;
}

bool bring_back_can(struct bring_back *bring_back, const char *folder, const char *url,
                    const char *ref, const struct oid *target)
{
    struct brought *brought = find(bring_back, folder, url);

    if (!brought || !brought->answers)
        return false;
    if (!starts_with(ref, tags) && !starts_with(ref, heads))
        return true;
    const struct ref *there = listing_find(&brought->listing, ref);
    if (!there && starts_with(ref, heads)) {
        ask_for_branch(bring_back, brought, ref + sizeof heads - 1);
        there = brought->answers ? listing_find(&brought->listing, ref) : NULL;
    }
    return there && (oid_equal(&there->oid, target) || oid_equal(&there->peeled, target));
}
