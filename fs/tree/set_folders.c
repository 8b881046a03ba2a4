#include "fs/tree/set_folders.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/sets/sets.h"
#include "fs/shared/children.h"
#include "fs/tree/control_folder.h"
#include "fs/tree/folders.h"
#include "fs/tree/lists.h"
#include "gitcache/base/grow.h"
#include "gitcache/base/hash.h"
#include "gitcache/base/memory_file.h"

/* The links of a folder while they are collected. */
struct collecting {
    struct node_link *links;
    size_t count, room;
};

static int collect(struct collecting *c, uint32_t node)
{
    struct node_link *links = grow_items(c->links, c->count, 1, sizeof *links, &c->room);

    if (!links)
        return -ENOMEM;
    c->links = links;
    c->links[c->count++] = (struct node_link){node, true};
    return 0;
}

/* What a folder 0/, 1/ ... shows, in an object id's place: another source there becomes another
 * node. */
static struct oid fingerprint(const struct source *source)
{
    uint64_t hash = hash_string(HASH_BEGIN, source->url);
    struct oid oid = {{0}};

    hash = hash_string(hash, source->version);
    hash = hash_string(hash, source->commit);
    memcpy(oid.id, &hash, sizeof hash);
    return oid;
}

/* Whether a source means a branch, as far as is known by now. */
static bool is_branch(struct repo *repo, const struct source *source)
{
    const struct listing *listing;
    struct version version;
    bool branch;

    if (source->commit || source->kind == SOURCE_COMMIT)
        return false;
    if (source->kind == SOURCE_DEFAULT)
        return true;
    listing = repository_listing_get(repo->repository);
    const struct ref *ref = listing ? listing_find_version(listing, source->version) : NULL;
    if (ref)
        branch = strncmp(ref->name, "refs/heads/", 11) == 0;
    else
        branch = versions_find(repo->repository, source->version, NULL, &version, NULL) == 0 &&
                 version.kind == VERSION_BRANCH;
    repository_listing_put(repo->repository, listing);
    return branch;
}

static int add_version(struct mount *mount, const struct mounted_set *mounted, size_t i,
                       struct collecting *c)
{
    const struct source *source = &mounted->set.sources.items[i];
    struct repo *repo = repos_find(&mount->repos, source->name, source->url);
    struct repo_version *wanted =
        repo ? repo_version_get(repo, source->version, source->commit) : NULL;
    char name[24];
    uint32_t node;

    if (!wanted)
        return repo ? -ENOMEM : -EIO;
    snprintf(name, sizeof name, "%zu", i);
    struct node_spec spec = {
        .kind = NODE_VERSION,
        .flags = is_branch(repo, source) ? NODE_BRANCH : 0,
        .name = name,
        .name_length = strlen(name),
        .parent = mounted->node,
        .data = repo->node,
        .oid = fingerprint(source),
        .mtime = mount->state->mounted_at / 1000,
    };
    int r = folders_child(mount, mounted->node, &spec, NULL, &node);
    if (r == 0)
        r = repo_version_add_node(wanted, node);
    return r == 0 ? collect(c, node) : r;
}

static int add_text(struct mount *mount, uint32_t folder, const char *name,
                    enum control_folder_text which, struct collecting *c)
{
    struct node_spec spec = {
        .kind = NODE_CONTROL_FILE,
        .name = name,
        .name_length = strlen(name),
        .parent = folder,
        .data = which,
    };
    uint32_t node;
    int r = folders_child(mount, folder, &spec, NULL, &node);

    return r == 0 ? collect(c, node) : r;
}

static int publish(struct mount *mount, uint32_t folder, struct collecting *c, int r)
{
    if (r == 0)
        r = folders_publish(mount, folder, c->links, c->count);
    free(c->links);
    return r < 0 ? r : 0;
}

static int publish_set(struct mount *mount, struct mounted_set *mounted)
{
    struct collecting c = {0};
    int r = 0;

    for (size_t i = 0; i < mounted->set.sources.count && r == 0; i++)
        r = add_version(mount, mounted, i, &c);
    if (r == 0)
        r = add_text(mount, mounted->node, "shas.txt", CONTROL_FOLDER_SHAS, &c);
    if (r == 0 && mounted->set.type != TYPE_NONE)
        r = add_text(mount, mounted->node, "image.type", CONTROL_FOLDER_TYPE, &c);
    return publish(mount, mounted->node, &c, r);
}

static bool is_collected(struct mount *mount, const struct collecting *c, const char *name,
                         size_t length)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct node *node = node_get(mount->nodes, c->links[i].index);
        if (node->name_length == length && memcmp(node_name(mount->nodes, node), name, length) == 0)
            return true;
    }
    return false;
}

static int publish_level(struct mount *mount, uint32_t folder, const char *prefix);

/* What is called path[0..length): a set, else a folder of sets. A set's folder holds nothing but
 * the set. */
static int publish_name(struct mount *mount, uint32_t folder, char *path, size_t length)
{
    for (struct mounted_set *mounted = mount->lists->first; mounted; mounted = mounted->next) {
        if (!mounted->set.name || strncmp(mounted->set.name, path, length) != 0 ||
            mounted->set.name[length] || mounted->set.sources.count == 0)
            continue;
        mounted->node = folder;
        return publish_set(mount, mounted);
    }
    return publish_level(mount, folder, path);
}

/* Folders for names that begin with `prefix` (a folder's path with a slash, or ""), below `folder`:
 * sets, and folders of sets. */
static int publish_level(struct mount *mount, uint32_t folder, const char *prefix)
{
    size_t skip = strlen(prefix);
    struct collecting c = {0};
    int r = 0;

    for (struct mounted_set *mounted = mount->lists->first; mounted && r == 0;
         mounted = mounted->next) {
        if (!mounted->set.name || mounted->set.sources.count == 0 ||
            strncmp(mounted->set.name, prefix, skip) != 0)
            continue;
        size_t length = strcspn(mounted->set.name + skip, "/");
        struct node_spec spec = {.kind = NODE_CONTROL,
                                 .name = mounted->set.name + skip,
                                 .name_length = length,
                                 .parent = folder};
        uint32_t child;
        if (is_collected(mount, &c, spec.name, length))
            continue;
        r = folders_child(mount, folder, &spec, NULL, &child);
        if (r == 0)
            r = collect(&c, child);
        char *path = strndup(mounted->set.name, skip + length + 1);
        if (r == 0)
            r = path ? publish_name(mount, child, path, skip + length) : -ENOMEM;
        free(path);
    }
    return publish(mount, folder, &c, r);
}

int set_folders_publish(struct mount *mount, struct error *e)
{
    uint32_t folder;
    int r = control_folder_sets(mount, &folder);

    if (r == 0)
        r = publish_level(mount, folder, "");
    return r < 0 ? error_set(e, -r, "cannot make the sets' folders: %s", strerror(-r)) : 0;
}

/* ---- the texts ---- */

static struct mounted_set *find_by_folder(struct mount *mount, uint32_t folder)
{
    struct mounted_set *mounted = mount->lists->first;

    while (mounted && (!mounted->set.name || mounted->node != folder))
        mounted = mounted->next;
    return mounted;
}

/* The commit of one source: pinned, or cached; else it is asked for. */
static int commit_of(struct mount *mount, const struct source *source, struct ask *ask,
                     struct oid *commit)
{
    struct repo *repo = repos_find(&mount->repos, source->name, source->url);
    struct repo_version *wanted;
    struct version version;
    int r;

    if (source->commit && oid_parse(commit, source->commit, strlen(source->commit)))
        return 0;
    if (!repo)
        return -EIO;
    r = versions_find(repo->repository, source->version, NULL, &version, NULL);
    if (r == -ENOENT) {
        wanted = repo_version_get(repo, source->version, source->commit);
        return wanted ? ask_version(mount, wanted, ask) : -ENOMEM;
    }
    if (r == 0)
        *commit = version.commit;
    return r;
}

/* All that is missing is asked for at once; the first failure counts. */
static int write_shas(struct mount *mount, const struct mounted_set *mounted, struct ask *ask,
                      FILE *out)
{
    struct ask before = *ask;
    char hex[OID_HEX_SIZE];
    int result = 0;

    for (size_t i = 0; i < mounted->set.sources.count; i++) {
        struct ask mine = before;
        struct oid commit;
        int r = commit_of(mount, &mounted->set.sources.items[i], &mine, &commit);
        if (r == -EAGAIN) {
            *ask = mine;
            ask->version = before.version;
            result = r;
        } else if (r < 0) {
            return r;
        } else {
            fprintf(out, "%zu \t %s \t %s\n", i, oid_format(&commit, hex), mounted->set.given[i]);
        }
    }
    return result;
}

int set_folders_shas(struct mount *mount, uint32_t folder, struct ask *ask, char **text)
{
    struct mounted_set *mounted;
    size_t size;
    FILE *out = memory_file_open(text, &size);
    int r = -ENOENT;

    if (!out)
        return -ENOMEM;
    pthread_mutex_lock(&mount->lists->lock);
    mounted = find_by_folder(mount, folder);
    if (mounted)
        r = write_shas(mount, mounted, ask, out);
    pthread_mutex_unlock(&mount->lists->lock);
    if (fclose(out) != 0 && r == 0)
        r = -ENOMEM;
    if (r < 0) {
        free(*text);
        *text = NULL;
    }
    return r;
}

int set_folders_type(struct mount *mount, uint32_t folder, char **text)
{
    int r = -ENOENT;

    pthread_mutex_lock(&mount->lists->lock);
    const struct mounted_set *mounted = find_by_folder(mount, folder);
    if (mounted && mounted->set.type != TYPE_NONE)
        r = asprintf(text, "%s", type_name(mounted->set.type)) < 0 ? -ENOMEM : 0;
    pthread_mutex_unlock(&mount->lists->lock);
    return r;
}
