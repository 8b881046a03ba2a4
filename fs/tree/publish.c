/* publish.c - what the root and the repositories' folders show: from sources, listings and the
 * cache to folders. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/tree/folders.h"
#include "fs/tree/namespace.h"
#include "gitcache/base/clock.h"

/* ---- what a repository's folder shows ---- */

struct collecting {
    struct mount *mount;
    struct version_names *names;
    bool listed; /* what no source names */
};

static int add_cached(void *data, const char *name, const struct version *version)
{
    struct collecting *c = data;
    return version_names_add(c->names, name, c->listed, version->kind == VERSION_BRANCH);
}

static int add_found(void *data, uint32_t child, bool listed)
{
    struct collecting *c = data;
    const struct node *node = node_get(c->mount->nodes, child);

    /* Abbreviated commit ids that somebody has looked up stay reachable, unlisted. */
    if (listed || !node || node->kind != NODE_VERSION ||
        !oid_is_abbreviation(node_name(c->mount->nodes, node), node->name_length))
        return 0;
    return version_names_add(c->names, node_name(c->mount->nodes, node), false, false);
}

static int add_listing(struct collecting *c, const struct listing *listing)
{
    static const char tags[] = "refs/tags/";
    int r = 0;

    for (size_t i = 0; listing && i < listing->count && r == 0; i++)
        if (strncmp(listing->refs[i].name, tags, sizeof tags - 1) == 0)
            r = version_names_add(c->names, listing->refs[i].name + sizeof tags - 1, c->listed,
                                  false);
    return r;
}

static const char *branch_of(const struct ref *ref)
{
    static const char heads[] = "refs/heads/";
    return strncmp(ref->name, heads, sizeof heads - 1) == 0 ? ref->name + sizeof heads - 1 : NULL;
}

/* What sources name. A tag that the remote is known not to have is not shown. */
static int add_named(struct collecting *c, struct repo *repo, const struct listing *listing)
{
    const struct ref *head = listing ? listing_default(listing) : NULL;
    int r = 0;

    /* The default branch is there by name also if no source names it. */
    if (head && branch_of(head))
        r = version_names_add(c->names, branch_of(head), false, true);
    for (size_t i = 0; i < repo->named_count && r == 0; i++) {
        const struct named *named = &repo->named[i];
        const struct ref *ref = NULL;
        if (listing)
            ref =
                named->name ? listing_find_version(listing, named->name) : listing_default(listing);
        if (named->kind == SOURCE_DEFAULT) {
            if (ref && branch_of(ref))
                r = version_names_add(c->names, branch_of(ref), true, true);
        } else if (named->kind == SOURCE_COMMIT || !listing || ref ||
                   versions_find(repo->repository, named->name, NULL, &(struct version){0}, NULL) ==
                       0) {
            r = version_names_add(c->names, named->name, true, ref && branch_of(ref));
        }
    }
    return r;
}

int namespace_publish(struct mount *mount, struct repo *repo)
{
    struct version_names names = {0};
    struct collecting c = {mount, &names, mount->settings->browse == BROWSE_ALL};
    int r;

    pthread_mutex_lock(&repo->folders);
    /* Not before: who waited for the lock would bring back the listing of before. */
    const struct listing *listing = repository_listing_get(repo->repository);
    if (!repo->changed_at)
        repo->changed_at = clock_wall() * 1000000;
    r = add_listing(&c, listing);
    if (r == 0)
        r = versions_each(repo->repository, add_cached, &c, NULL);
    if (r == 0)
        r = node_each_link(mount->nodes, repo->node, add_found, &c);
    if (r == 0) {
        pthread_mutex_lock(&repo->lock);
        r = add_named(&c, repo, listing);
        pthread_mutex_unlock(&repo->lock);
    }
    if (r == 0)
        r = folders_publish_versions(mount, repo, &names);
    if (r > 0)
        repo->changed_at = clock_wall() * 1000000;
    pthread_mutex_unlock(&repo->folders);
    version_names_release(&names);
    repository_listing_put(repo->repository, listing);
    if (r < 0)
        log_error(mount->log, "%s: cannot update its folder: %s", repo->name, strerror(-r));
    return r < 0 ? r : 0;
}

/* ---- the root ---- */

static struct repo *find_repo(struct mount *mount, const char *name, const char *url)
{
    struct repo *repo;

    for (size_t i = 0; (repo = repos_at(&mount->repos, i)); i++)
        if (strcmp(repo->name, name) == 0 && strcmp(repository_url(repo->repository), url) == 0)
            return repo;
    return NULL;
}

struct repo *namespace_repo_of_source(struct mount *mount, const struct source *source)
{
    return find_repo(mount, source->name, source->url);
}

static int add_repo(struct mount *mount, const struct source *source, struct repo **out,
                    struct error *e)
{
    struct node_spec spec = {
        .kind = NODE_REPO,
        .name = source->name,
        .name_length = strlen(source->name),
        .mtime = mount->state->mounted_at / 1000,
    };
    uint32_t node;
    int r = folders_child(mount, NODE_ROOT_INDEX, &spec, source->url, &node);

    if (r < 0)
        return error_set(e, -r, "cannot make a folder for %s: %s", source->name, strerror(-r));
    r = repo_new(out, mount->cache, source->name, source->url, node, e);
    if (r == 0 && repos_add(&mount->repos, *out) < 0)
        r = error_no_memory(e);
    return r;
}

static int use_source(struct mount *mount, const struct source *source, struct error *e)
{
    struct repo *repo = find_repo(mount, source->name, source->url);
    int r = 0;

    if (!repo)
        r = add_repo(mount, source, &repo, e);
    if (r == 0) {
        repo->in_use = true;
        r = repo_name_version(repo, source);
    }
    return r;
}

/* The root's links: the repositories in use, and the control folder. */
static int publish_root(struct mount *mount)
{
    struct node_spec spec = {
        .kind = NODE_CONTROL,
        .name = CONTROL_NAME,
        .name_length = strlen(CONTROL_NAME),
        .mtime = mount->state->mounted_at / 1000,
    };
    size_t count = 0;
    struct repo *repo;
    int r;

    while (repos_at(&mount->repos, count))
        count++;
    struct node_link *links = calloc(count + 1, sizeof *links);
    if (!links)
        return -ENOMEM;
    r = folders_child(mount, NODE_ROOT_INDEX, &spec, NULL, &links[0].index);
    count = 1;
    for (size_t i = 0; (repo = repos_at(&mount->repos, i)); i++)
        if (repo->in_use)
            links[count++] = (struct node_link){repo->node, true};
    if (r == 0)
        r = folders_publish(mount, NODE_ROOT_INDEX, links, count);
    free(links);
    return r < 0 ? r : 0;
}

int namespace_open(struct mount *mount, struct error *e)
{
    const struct node *root = node_get(mount->nodes, NODE_ROOT_INDEX);
    int r = root ? 0 : -EIO;

    /* A later worker finds the root as the one before left it; its folders keep their numbers only
     * if they are found there. */
    if (root && !node_has_children(root))
        r = publish_root(mount);
    return r < 0 ? error_set(e, -r, "cannot make the root folder: %s", strerror(-r)) : 0;
}

int namespace_set_sources(struct mount *mount, const struct source_list *sources, struct error *e)
{
    struct repo *repo;
    int r = 0;

    pthread_mutex_lock(&mount->folders);
    for (size_t i = 0; (repo = repos_at(&mount->repos, i)); i++) {
        repo->in_use = false;
        repo_forget_named(repo);
    }
    for (size_t i = 0; i < sources->count && r == 0; i++)
        r = use_source(mount, &sources->items[i], e);
    if (r == 0) {
        r = publish_root(mount);
        if (r < 0)
            error_set(e, -r, "cannot make the root folder: %s", strerror(-r));
    }
    pthread_mutex_unlock(&mount->folders);
    for (size_t i = 0; r == 0 && (repo = repos_at(&mount->repos, i)); i++)
        namespace_publish(mount, repo);
    return r;
}
