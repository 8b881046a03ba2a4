/* namespace.h - what a path means.
 *
 *     /                          the repositories that the lists name
 *     /REPO/                     its versions: listed by the remote, named by a source, or cached
 *     /REPO/[PREFIX/...]VERSION/ the tree of that version
 *     /.startpointfs/            generated files and sets; reachable by name only
 *
 * Nothing here waits. Where an answer needs the network, the call starts the work, and returns
 * -EAGAIN with asking->work set; the caller waits for it (parked.h) and calls again with the same
 * `struct asking`. */
#ifndef FS_TREE_NAMESPACE_H
#define FS_TREE_NAMESPACE_H

#include "fs/tree/mount.h"
#include "gitcache/base/source_list.h"

#define CONTROL_NAME ".startpointfs"

/* What one request has asked of a remote already, so that it asks once and takes the answer. Start
 * with zeroes. */
struct asking {
    bool listing;
    bool version;
    bool damaged;
    int64_t since;     /* clock_now() when a name was missing first */
    struct work *work; /* out, with -EAGAIN: what to wait for */
    bool impatient;    /* out, with -EAGAIN: a stale answer will do if the remote is slow */
};

/* Makes the root, with nothing in it but the control folder. 0 or a negative errno. */
int namespace_open(struct mount *mount, struct error *e);

/* Makes the mount show these sources' repositories; those that no source names any more leave the
 * listing. Called at the start, and when a list has changed. */
int namespace_set_sources(struct mount *mount, const struct source_list *sources, struct error *e);

/* Brings a repository's folder up to date with its listing, sources and cache. 0 or a negative
 * errno. */
int namespace_publish(struct mount *mount, struct repo *repo);

/* Finds a child. 0 and *child; -ENOENT; -EAGAIN (see above); or the errno of what failed. */
int namespace_lookup(struct mount *mount, uint32_t folder, const char *name, struct asking *asking,
                     uint32_t *child);

/* The node that a name stands for just now: for a branch the checkout of its present commit, once
 * there is one. So a branch's folder gets another inode when it is switched, and who is inside the
 * old one stays there. Looks after branches that may have moved, in the background. For any other
 * node: the same. */
uint32_t namespace_present(struct mount *mount, uint32_t node);

/* Sees to it that a folder can be listed, and that the listing is new enough. 0, -EAGAIN or an
 * errno. */
int namespace_open_folder(struct mount *mount, uint32_t folder, struct asking *asking);

/* After a read found damaged objects: has the version fetched once more. -EAGAIN, or -EIO. */
int namespace_refetch(struct mount *mount, uint32_t node, struct asking *asking);

/* The repository that a repository, prefix or version folder belongs to; NULL for others. */
struct repo *namespace_repo(struct mount *mount, const struct node *node);

/* The repository that shows a source; NULL if no list names it. */
struct repo *namespace_repo_of_source(struct mount *mount, const struct source *source);

/* Has a version fetched that is not in the cache. -EAGAIN, or the negative errno of why it can't
 * be. */
int namespace_ask_for_version(struct mount *mount, struct wanted *wanted, struct asking *asking);

/* Has all versions fetched that sources name and the cache does not have. Waits for nothing. */
void namespace_prefetch(struct mount *mount);

/* The wanted version of a version's node, made if need be; NULL if there is none. */
struct wanted *namespace_wanted(struct mount *mount, uint32_t version);

#endif
