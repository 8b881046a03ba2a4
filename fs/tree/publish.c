#include "fs/tree/publish.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/shared/children.h"
#include "fs/tree/control_folder.h"
#include "fs/tree/folders.h"
#include "gitcache/base/clock.h"

/* ---- what a repository's folder shows ---- */

struct repo_names {
    struct mount *mount;
    struct version_names *names;
    bool listed; /* what no source names */
};

static int add_cached(void *data, const char *name, const struct version *version)
{
    struct repo_names *c = data;

    /* Branches and commits may be there for others: they are reachable, and listed by who names
     * them. Commits have many spellings: they are looked for. */
    if (version->kind == VERSION_COMMIT)
        return 0;
    return version_names_add(c->names, name, c->listed && version->kind == VERSION_TAG,
                             version->kind == VERSION_BRANCH);
}

static int add_listing(struct repo_names *c, const struct listing *listing)
{
    static const char tags[] = "refs/tags/";
    int r = 0;

    for (size_t i = 0; i < listing->count && r == 0; i++)
        if (strncmp(listing->refs[i].name, tags, sizeof tags - 1) == 0)
            r = version_names_borrow(c->names, listing->refs[i].name + sizeof tags - 1, c->listed,
                                     false);
    return r;
}

static const char *branch_of(const struct ref *ref)
{
    static const char heads[] = "refs/heads/";
    return strncmp(ref->name, heads, sizeof heads - 1) == 0 ? ref->name + sizeof heads - 1 : NULL;
}

/* What sources name. A tag that the remote is known not to have is not shown. */
static int add_sources(struct repo_names *c, struct repo *repo, const struct listing *listing)
{
    const struct ref *head = listing ? listing_default(listing) : NULL;
    int r = 0;

    /* The default branch is there by name also if no source names it. */
    if (head && branch_of(head))
        r = version_names_add(c->names, branch_of(head), false, true);
    for (size_t i = 0; i < repo->source_count && r == 0; i++) {
        const struct repo_source *source = &repo->sources[i];
        const struct ref *ref = NULL;
        if (listing)
            ref = source->version ? listing_find_version(listing, source->version)
                                  : listing_default(listing);
        if (source->kind == SOURCE_DEFAULT) {
            if (ref && branch_of(ref))
                r = version_names_add(c->names, branch_of(ref), true, true);
        } else if (source->kind == SOURCE_COMMIT || !listing || ref ||
                   versions_find(repo->repository, source->version, NULL, &(struct version){0},
                                 NULL) == 0) {
            r = version_names_add(c->names, source->version, true, ref && branch_of(ref));
        }
    }
    return r;
}

/* The caller holds repo->folders. */
static int show_repo(struct mount *mount, struct repo *repo)
{
    struct version_names names = {0};
    struct repo_names c = {mount, &names, mount->settings->browse == BROWSE_ALL};
    int r;

    /* Under that lock: who waited for it would bring back the listing of before. */
    const struct listing *listing = repository_listing_get(repo->repository);
    names.repository = repo->repository;
    names.listing = listing;
    r = listing ? add_listing(&c, listing) : repository_listing_fault(repo->repository);
    if (r == 0)
        r = versions_each(repo->repository, add_cached, &c, NULL);
    if (r == 0) {
        pthread_mutex_lock(&repo->lock);
        r = add_sources(&c, repo, listing);
        pthread_mutex_unlock(&repo->lock);
    }
    if (r == 0)
        r = folders_publish_versions(mount, repo, &names);
    version_names_release(&names);
    if (r < 0)
        log_error(mount->log, "%s: cannot update its folder: %s", repo->name, strerror(-r));
    return r < 0 ? r : 0;
}

static uint64_t key_of(const struct repo *repo)
{
    return crash_record_key_of_cached(repository_url(repo->repository));
}

/* One death less than for a request: whoever reads, as `status` does, must not be given up with it. A
 * trial comes when a minute is over. */
static bool is_deadly(struct mount *mount, struct repo *repo)
{
    struct crash_record *crashes = &mount->state->crashes;
    enum crash_verdict verdict = crash_record_judge(crashes, key_of(repo));

    if (verdict == CRASH_TRIAL && !repo->left_out) {
        crash_record_condemn(crashes, key_of(repo));
        return true;
    }
    return verdict == CRASH_GIVEN_UP;
}

bool publish_reading_begins(struct mount *mount, struct repo *repo)
{
    struct error error;

    repo->left_out = is_deadly(mount, repo);
    if (!repo->left_out) {
        crash_record_work(&mount->state->crashes, key_of(repo));
        return true;
    }
    error_set(&error, EIO,
              "%s: %d workers died reading it from the cache: left out for %d s; if this goes on, "
              "remove it from the cache",
              repo->shown, CRASH_DEATHS - 1, CRASH_PAUSE / 1000);
    if (repo_failed(repo, &error))
        log_error(mount->log, "%s", error.text);
    return false;
}

void publish_reading_ends(struct mount *mount, struct repo *repo)
{
    crash_record_end(&mount->state->crashes, key_of(repo));
}

void publish_reading_ends_early(struct mount *mount, struct repo *repo)
{
    struct crash_record *crashes = &mount->state->crashes;

    if (crash_record_deaths(crashes, key_of(repo)) > 0)
        crash_record_pause(crashes, key_of(repo));
    else
        crash_record_end(crashes, key_of(repo));
}

int publish_repo(struct mount *mount, struct repo *repo)
{
    if (!publish_reading_begins(mount, repo))
        return -EIO;
    pthread_mutex_lock(&repo->folders);
    int r = show_repo(mount, repo);
    if (r < 0)
        repo->is_published = false; /* who looks next has it done */
    pthread_mutex_unlock(&repo->folders);
    publish_reading_ends(mount, repo);
    return r;
}

int publish_repo_once(struct mount *mount, struct repo *repo)
{
    return repo->is_published && !repo->left_out ? 0 : publish_repo(mount, repo);
}

/* ---- the root ---- */

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
    r = repos_add(&mount->repos, source->name, source->url, node, out, e);
    /* Later than in any worker before: a kernel that has kept the listing asks for it again. */
    if (r == 0)
        folders_advance(&(*out)->changed_at);
    return r;
}

static int use_source(struct mount *mount, const struct source *source, struct error *e)
{
    struct repo *repo = repos_find(&mount->repos, source->name, source->url);
    int r = repo ? 0 : add_repo(mount, source, &repo, e);

    if (r < 0)
        return r;
    repo->in_use = true;
    return repo_add_source(repo, source) < 0 ? error_no_memory(e) : 0;
}

/* The root's links: the repositories in use, and the control folder. */
static int link_root(struct mount *mount)
{
    struct node_spec spec = {
        .kind = NODE_CONTROL,
        .name = CONTROL_FOLDER_NAME,
        .name_length = strlen(CONTROL_FOLDER_NAME),
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

int publish_root(struct mount *mount, struct error *e)
{
    const struct node *root = node_get(mount->nodes, NODE_ROOT_INDEX);
    int r = root ? 0 : -EIO;

    /* A later worker finds the root as the one before left it; its folders keep their numbers only
     * if they are found there. */
    if (root && !node_has_children(root))
        r = link_root(mount);
    return r < 0 ? error_set(e, -r, "cannot make the root folder: %s", strerror(-r)) : 0;
}

int publish_sources(struct mount *mount, const struct source_list *sources, struct error *e)
{
    struct repo *repo;
    int r = 0;

    pthread_mutex_lock(&mount->folders);
    for (size_t i = 0; (repo = repos_at(&mount->repos, i)); i++) {
        repo->in_use = false;
        repo_forget_sources(repo);
    }
    for (size_t i = 0; i < sources->count && r == 0; i++) {
        r = use_source(mount, &sources->items[i], e);
        /* One that cannot be opened takes no other's place. */
        if (r < 0 && r != -ENOMEM) {
            log_error(mount->log, "%s", e->text);
            r = 0;
        }
    }
    if (r == 0) {
        r = link_root(mount);
        if (r < 0)
            error_set(e, -r, "cannot make the root folder: %s", strerror(-r));
    }
    pthread_mutex_unlock(&mount->folders);
    for (size_t i = 0; r == 0 && (repo = repos_at(&mount->repos, i)); i++)
        if (repo->is_published)
            publish_repo(mount, repo);
    return r;
}
