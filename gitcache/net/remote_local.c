#include "gitcache/net/remote_local.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gitcache/base/library.h"
#include "gitcache/base/url.h"

#define SHOWN_SIZE 400

static int open_path(git_repository **out, const char *path)
{
    char *with_suffix;
    int r = git_repository_open_ext(out, path, GIT_REPOSITORY_OPEN_NO_SEARCH, NULL);

    /* As git: /srv/x also means /srv/x.git. */
    if (r != GIT_ENOTFOUND || asprintf(&with_suffix, "%s.git", path) < 0)
        return r;
    r = git_repository_open_ext(out, with_suffix, GIT_REPOSITORY_OPEN_NO_SEARCH, NULL);
    free(with_suffix);
    return r;
}

static int open_local(git_repository **out, const char *url, const char *shown, struct error *e)
{
    char *path = url_local_path(url);
    int r;

    if (!path)
        return error_set(e, ENOMEM, "out of memory while opening %s", shown);
    r = open_path(out, path);
    free(path);
    if (r == GIT_ENOTFOUND)
        return error_set(e, ENOENT, "%s is not a git repository; look for a spelling mistake",
                         shown);
    if (r < 0)
        return library_error(e, r, "cannot open the repository %s", shown);
    return 0;
}

/* What a tag object names in the end; anything else is itself. A broken one is listed as it is, and
 * fails when it is fetched. */
static void peel(git_repository *repository, git_odb *odb, const git_oid *id, git_oid *out)
{
    git_object *tag = NULL, *target = NULL;
    git_object_t type;
    size_t size;

    git_oid_cpy(out, id);
    if (git_odb_read_header(&size, &type, odb, id) || type != GIT_OBJECT_TAG)
        return;
    if (git_object_lookup(&tag, repository, id, GIT_OBJECT_TAG) == 0 &&
        git_object_peel(&target, tag, GIT_OBJECT_ANY) == 0)
        git_oid_cpy(out, git_object_id(target));
    git_object_free(target);
    git_object_free(tag);
}

static int add_ref(struct listing *listing, git_repository *repository, git_odb *odb,
                   const git_reference *ref, const char *name)
{
    git_reference *resolved = NULL;
    const git_oid *id;
    git_oid peeled;
    struct oid a, b;
    int r = 0;

    /* A symbolic ref to nowhere is no version. */
    if (git_reference_resolve(&resolved, ref) == 0) {
        id = git_reference_target(resolved);
        peel(repository, odb, id, &peeled);
        oid_from_git(&a, id);
        oid_from_git(&b, &peeled);
        r = listing_add(listing, name, &a, &b);
    }
    git_reference_free(resolved);
    return r;
}

static int add_tags(struct listing *listing, git_repository *repository, git_odb *odb)
{
    git_reference_iterator *iterator = NULL;
    git_reference *ref;
    int r = git_reference_iterator_glob_new(&iterator, repository, "refs/tags/*");

    while (!r && (r = git_reference_next(&ref, iterator)) == 0) {
        r = add_ref(listing, repository, odb, ref, git_reference_name(ref));
        git_reference_free(ref);
    }
    git_reference_iterator_free(iterator);
    return r == GIT_ITEROVER ? 0 : r;
}

static int add_named(struct listing *listing, git_repository *repository, git_odb *odb,
                     const char *name)
{
    git_reference *ref = NULL;
    int r = git_reference_lookup(&ref, repository, name);

    if (r)
        return r == GIT_ENOTFOUND || r == GIT_EINVALIDSPEC ? 0 : r;
    r = add_ref(listing, repository, odb, ref, name);
    git_reference_free(ref);
    return r;
}

static int add_branch(struct listing *listing, git_repository *repository, git_odb *odb,
                      const char *branch)
{
    char *name;
    int r;

    if (asprintf(&name, "refs/heads/%s", branch) < 0)
        return -ENOMEM;
    r = add_named(listing, repository, odb, name);
    free(name);
    return r;
}

/* HEAD and the branch it names, which need not exist yet. */
static int add_head(struct listing *listing, git_repository *repository, git_odb *odb)
{
    git_reference *head = NULL;
    const char *target;
    int r = git_reference_lookup(&head, repository, "HEAD");

    if (r)
        return r == GIT_ENOTFOUND ? 0 : r;
    target = git_reference_symbolic_target(head);
    if (target && !strncmp(target, "refs/heads/", 11)) {
        listing->head = strdup(target);
        r = listing->head ? add_named(listing, repository, odb, target) : -ENOMEM;
    }
    if (!r)
        r = add_ref(listing, repository, odb, head, "HEAD");
    git_reference_free(head);
    return r;
}

int remote_local_list(const char *url, const char *const *branches, size_t count,
                      const struct net_settings *settings, struct listing *out, struct error *e)
{
    struct listing listing = {.listed_at = time(NULL)};
    git_repository *repository = NULL;
    git_odb *odb = NULL;
    char shown[SHOWN_SIZE];
    int r;

    (void)settings; /* nothing is received, nothing waits */
    r = library_open(e);
    if (r)
        return r;
    url_display(url, shown, sizeof shown);
    r = open_local(&repository, url, shown, e);
    if (r)
        goto out;
    r = git_repository_odb(&odb, repository);
    if (!r)
        r = add_tags(&listing, repository, odb);
    if (!r)
        r = add_branch(&listing, repository, odb, "master");
    if (!r)
        r = add_branch(&listing, repository, odb, "main");
    for (size_t i = 0; i < count && !r; i++)
        r = add_branch(&listing, repository, odb, branches[i]);
    if (!r)
        r = add_head(&listing, repository, odb);
    if (r == -ENOMEM)
        r = error_set(e, ENOMEM, "out of memory while listing %s", shown);
    else if (r)
        r = library_error(e, r, "cannot list the refs of %s", shown);
    if (r)
        goto out;
    listing_finish(&listing);
    *out = listing;
    listing = (struct listing){.refs = NULL};
out:
    listing_release(&listing);
    git_odb_free(odb);
    git_repository_free(repository);
    library_close();
    return r;
}

/* One fetch: what goes into the pack, and where its bytes go. */
struct transfer {
    git_repository *repository;
    git_packbuilder *builder;
    const struct fetch_command_request *request;
    const struct net_settings *settings;
    const struct watch *watch;
    fetch_command_sink sink;
    void *sink_data;
    uint64_t bytes;
    const char *shown;
    int failed; /* negative errno of a callback; libgit2 passes no errno through */
    struct error *e;
};

static int stop_if_cancelled(struct transfer *transfer)
{
    const struct watch *watch = transfer->watch;

    if (watch_is_cancelled(watch))
        transfer->failed =
            error_set(transfer->e, ECANCELED, "fetching from %s was cancelled", transfer->shown);
    return transfer->failed;
}

static int on_progress(int stage, uint32_t current, uint32_t total, void *data)
{
    struct transfer *transfer = data;
    const struct watch *watch = transfer->watch;

    (void)stage;
    (void)current;
    (void)total;
    /* Collecting objects is progress too, though no byte flows yet. */
    if (watch && watch->progress)
        watch->progress(watch->data, transfer->bytes, NULL);
    return stop_if_cancelled(transfer);
}

static int on_bytes(void *bytes, size_t size, void *data)
{
    struct transfer *transfer = data;
    const struct watch *watch = transfer->watch;

    if (stop_if_cancelled(transfer))
        return transfer->failed;
    transfer->bytes += size;
    if (transfer->bytes > transfer->settings->max_pack)
        return transfer->failed =
                   error_set(transfer->e, EIO, "%s sends more than max_pack (%llu bytes)",
                             transfer->shown, (unsigned long long)transfer->settings->max_pack);
    transfer->failed = transfer->sink(transfer->sink_data, bytes, size);
    if (!transfer->failed && watch && watch->progress)
        watch->progress(watch->data, transfer->bytes, NULL);
    return transfer->failed;
}

/* git_packbuilder_insert_commit would do the same, but libgit2 1.5 leaks where that fails. */
static int insert_commit(struct transfer *transfer, const git_oid *id)
{
    git_commit *commit = NULL;
    int r = git_packbuilder_insert(transfer->builder, id, NULL);

    if (r || transfer->request->commits_only)
        return r;
    r = git_commit_lookup(&commit, transfer->repository, id);
    if (!r)
        r = git_packbuilder_insert_tree(transfer->builder, git_commit_tree_id(commit));
    git_commit_free(commit);
    return r;
}

/* Commits that are still to be visited. */
struct stack {
    git_oid *ids;
    size_t count, room;
};

static int push(struct stack *stack, const git_oid *id)
{
    if (stack->count == stack->room) {
        size_t room = stack->room ? 2 * stack->room : 64;
        git_oid *ids = reallocarray(stack->ids, room, sizeof *ids);
        if (!ids)
            return -1;
        stack->ids = ids;
        stack->room = room;
    }
    git_oid_cpy(&stack->ids[stack->count++], id);
    return 0;
}

/* Inserts a commit and pushes its parents, unless it was inserted before: the packbuilder knows. */
static int visit_commit(struct transfer *transfer, struct stack *stack, const git_oid *id)
{
    size_t before = git_packbuilder_object_count(transfer->builder);
    git_commit *commit = NULL;
    int r = git_commit_lookup(&commit, transfer->repository, id);

    if (r)
        return r;
    r = insert_commit(transfer, id);
    if (!r && git_packbuilder_object_count(transfer->builder) > before)
        for (unsigned i = 0; !r && i < git_commit_parentcount(commit); i++)
            r = push(stack, git_commit_parent_id(commit, i));
    git_commit_free(commit);
    return r;
}

/* All commits that are there: a repository that is shallow itself lacks the parents of its oldest
 * ones, where git_revwalk would give up. */
static int insert_history(struct transfer *transfer, const git_oid *tip)
{
    struct stack stack = {.ids = NULL};
    int r = visit_commit(transfer, &stack, tip);

    while (!r && stack.count > 0) {
        git_oid id = stack.ids[--stack.count];

        r = visit_commit(transfer, &stack, &id);
        if (r == GIT_ENOTFOUND)
            r = 0;
    }
    free(stack.ids);
    return r;
}

/* The first `depth` commits of every line of history. */
static int insert_depth(struct transfer *transfer, const git_oid *id, unsigned depth)
{
    git_commit *commit = NULL;
    int r = insert_commit(transfer, id);

    if (r || depth == 1)
        return r;
    r = git_commit_lookup(&commit, transfer->repository, id);
    for (unsigned i = 0; !r && i < git_commit_parentcount(commit); i++)
        r = insert_depth(transfer, git_commit_parent_id(commit, i), depth - 1);
    git_commit_free(commit);
    return r;
}

/* A want and the chain of tag objects before its commit. */
static int insert_want(struct transfer *transfer, const struct oid *want)
{
    git_object *object = NULL, *next;
    char hex[OID_HEX_SIZE];
    git_oid id;
    int r;

    oid_to_git(&id, want);
    r = git_object_lookup(&object, transfer->repository, &id, GIT_OBJECT_ANY);
    if (r == GIT_ENOTFOUND) {
        transfer->failed = error_set(transfer->e, ENOENT, "%s has no object %s", transfer->shown,
                                     oid_format(want, hex));
        return r;
    }
    while (!r && git_object_type(object) == GIT_OBJECT_TAG) {
        r = git_packbuilder_insert(transfer->builder, git_object_id(object), NULL);
        if (!r)
            r = git_tag_target(&next, (git_tag *)object);
        if (!r) {
            git_object_free(object);
            object = next;
        }
    }
    if (!r && git_object_type(object) != GIT_OBJECT_COMMIT)
        r = git_packbuilder_insert(transfer->builder, git_object_id(object), NULL);
    else if (!r && transfer->request->depth == 0)
        r = insert_history(transfer, git_object_id(object));
    else if (!r)
        r = insert_depth(transfer, git_object_id(object), transfer->request->depth);
    git_object_free(object);
    return r;
}

int remote_local_fetch(const char *url, const struct fetch_command_request *request,
                       const struct net_settings *settings, fetch_command_sink sink,
                       void *sink_data, const struct watch *watch, struct error *e)
{
    char shown[SHOWN_SIZE];
    struct transfer transfer = {
        .request = request,
        .settings = settings,
        .watch = watch,
        .sink = sink,
        .sink_data = sink_data,
        .shown = url_display(url, shown, sizeof shown),
        .e = e,
    };
    int r = library_open(e);

    if (r)
        return r;
    r = open_local(&transfer.repository, url, shown, e);
    if (r)
        goto out;
    r = git_packbuilder_new(&transfer.builder, transfer.repository);
    if (!r)
        r = git_packbuilder_set_callbacks(transfer.builder, on_progress, &transfer);
    for (size_t i = 0; i < request->count && !r; i++)
        r = insert_want(&transfer, &request->wants[i]);
    if (!r)
        r = git_packbuilder_foreach(transfer.builder, on_bytes, &transfer);
    if (transfer.failed)
        r = transfer.failed;
    else if (r == GIT_ENOTFOUND)
        r = error_set(e, EIO,
                      "the repository %s is damaged, an object is missing; run git fsck there",
                      shown);
    else if (r)
        r = library_error(e, r, "cannot read from the repository %s", shown);
out:
    git_packbuilder_free(transfer.builder);
    git_repository_free(transfer.repository);
    library_close();
    return r;
}
