#include "gitcache/fetch/list_refs.h"

void list_refs_remember(struct repository *repository, struct remote *remote)
{
    const struct listing *listing = repository_listing_get(repository);

    if (listing)
        remote_remember(remote, repository_url(repository), listing->server);
    repository_listing_put(repository, listing);
}

int list_refs(struct repository *repository, struct remote *remote, const struct watch *watch,
              struct error *e)
{
    struct listing listing = {.refs = NULL};
    char **branches;
    size_t count;
    int r = repository_copy_branches(repository, &branches, &count);

    if (r < 0)
        return error_no_memory(e);
    list_refs_remember(repository, remote);
    r = remote_list(remote, repository_url(repository), (const char *const *)branches, count, watch,
                    &listing, e);
    repository_free_branches(branches, count);
    if (r < 0)
        return r;
    r = repository_keep_listing(repository, &listing, e);
    if (r < 0)
        listing_release(&listing);
    return r;
}
