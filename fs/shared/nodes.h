/* nodes.h - everything with an inode number: one table in shared memory.
 *
 * A node has a place in the table (its index) and, as places are used again, a generation. Both make
 * the number that the kernel knows it by: node_id. No number ever means two nodes. The table is a
 * memfd that outlives the worker: a new worker that maps it finds the same numbers. Nodes are never
 * moved or changed into something else, and there is no lock on the read path.
 *
 * What can change, and how:
 *  - A folder of a git tree gets its children once: they are appended as one block, sorted by name,
 * then the folder's `children` word is published with a release store. A reader sees none or all.
 *  - A repository's folder, and a prefix in it, has a chain: each child knows the one made before it, and
 * the folder the latest. What the folder shows at present is not written here (fs/tree knows it, from
 * the remote's listing): a listing takes no space, however long it is and however often it changes,
 * and the one before leaves nothing behind. A name gets a node when somebody looks it up.
 *  - A folder that changes with the lists (root, control) has a list of links:
 * indices of nodes that exist already. A new list is written beside the old one and swapped in with
 * one store. Nodes keep their numbers across that.
 *  - A version points to a checkout: a hidden node with the commit, its time and its top-level
 * children. A branch that moves gets a new checkout, again with one store; who holds nodes of the
 * old one keeps reading it.
 *  - What nobody can reach any more is found, and its places are used again: see sweep.h.
 *
 * A node is small, as there are very many. So names lie elsewhere: in pieces of 64 bytes, some of which belong to the nodes
 * that were appended together. What only the few nodes have that are in no checkout (struct node_more) lies before
 * their names.
 *
 * A repository has a share of the table, so that it cannot take it from the others; its node counts
 * what it has. A worker that dies while it appends leaves places that nobody can reach.
 * The memory is checked, not trusted: an index, a name or a block outside the table is EIO.
 *
 * Only one process writes at a time (the worker); within it a mutex serialises writers.
 */
#ifndef FS_SHARED_NODES_H
#define FS_SHARED_NODES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "gitcache/base/error.h"
#include "gitcache/base/oid.h"

#define NODES_LAYOUT    5 /* raise it whenever struct node or the header changes */
#define NODE_ROOT_INDEX 0u
#define NODE_NAME_MAX   255

enum node_kind {
    NODE_NONE,
    NODE_ROOT,
    NODE_REPO,         /* data: offset of the URL in the names */
    NODE_PREFIX,       /* "release" of a tag "release/3.7" */
    NODE_VERSION,      /* data: index of its repository's node */
    NODE_CHECKOUT,     /* hidden: oid is the commit, and its time mtime; parent is the version */
    NODE_TREE,         /* in a checkout, as the next four. oid: the tree */
    NODE_FILE,         /* oid: the blob */
    NODE_EXECUTABLE,   /* likewise */
    NODE_SYMLINK,      /* likewise */
    NODE_SUBMODULE,    /* an empty folder */
    NODE_CONTROL,      /* a folder of .startpointfs */
    NODE_CONTROL_FILE, /* a generated text */
    NODE_KINDS
};

enum node_flags {
    NODE_ATTRIBUTES = 1, /* .gitattributes here or above may change what files hold */
    NODE_BRANCH = 2,     /* a version that may be switched */
    /* From this bit on: a file's conversion, CONVERSION_BITS of them (gitcache/checkout/conversion.h). */
    NODE_CONVERSION_SHIFT = 3,
};

/* 48 bytes. Fields are constant once the node can be found, but for the atomic ones. */
struct node {
    _Atomic uint8_t kind; /* written last: until then the place is free */
    uint8_t flags;
    uint8_t name_length;
    uint32_t parent;
    uint64_t name : 40;  /* offset into the names; NUL-terminated there */
    uint64_t depth : 24; /* the root's is 0; its parent's is one less: no walk upwards is endless */
    union {
        _Atomic uint64_t children; /* of a folder */
        _Atomic uint64_t size;     /* of a file or symlink, in bytes; may be corrected */
    };
    struct oid oid;
    /* Tree, file, symlink: the checkout that it belongs to. In a chain: the child made before it, 0 for the first (read
     * with node_before). A repository: what it has of its share. */
    uint32_t checkout;
};

/* What a new node shall be. */
struct node_spec {
    enum node_kind kind;
    unsigned flags;
    const char *name;
    size_t name_length; /* at most NODE_NAME_MAX */
    uint32_t parent;
    uint32_t checkout;
    uint64_t data; /* see enum node_kind; a file's or symlink's: its size */
    int64_t
        mtime; /* seconds since the epoch; not of what is in a checkout: it has the checkout's */
    struct oid oid;
    bool is_pinned;   /* a sweep lets it be until nodes_unpin: nothing leads to it yet */
    uint32_t account; /* the repository in whose share it counts; 0: in nobody's */
};

struct nodes;

/* Makes the shared memory, with a root, and returns its descriptor (close-on-exec is not set:
 * workers inherit it) or a negative errno. `mtime` is the root's. */
int nodes_create(uint32_t max_nodes, int64_t mtime, struct error *e);

/* Maps it. EPROTO with a sentence if it has another layout than this program's. */
int nodes_map(struct nodes **out, int fd, struct error *e);
void nodes_unmap(struct nodes *nodes);

/* Has `report` called when the memory turns out to be damaged at a node; not again and again for
 * the same one. Call it before other threads use the table. */
void nodes_on_damage(struct nodes *nodes, void (*report)(void *data, uint32_t index), void *data);

/* Places that were ever used, those of them that are used now as far as is known, and the most there can
 * be. */
uint32_t nodes_used(const struct nodes *nodes);
uint32_t nodes_taken(const struct nodes *nodes);
uint32_t nodes_max(const struct nodes *nodes);

/* The number that the kernel knows a node by: 1 for the root, never the same for two nodes (a place is used 65,535 times
 * at most). For a place
 * that is used for the first time it is index + 1, else it does not fit into 32 bits. */
uint64_t node_id(const struct nodes *nodes, uint32_t index);
uint32_t node_generation(const struct nodes *nodes, uint32_t index);
/* The index; false: the node is no more, or never was. */
bool node_of_id(const struct nodes *nodes, uint64_t id, uint32_t *index);

/* Borrowed; NULL if there is no such node (then the caller answers EIO). */
const struct node *node_get(const struct nodes *nodes, uint32_t index);
/* The node that it is in; NULL for the root, and where the table is damaged. */
const struct node *node_parent(const struct nodes *nodes, const struct node *node);
/* Seconds since the epoch, and what enum node_kind says; 0 where the table is damaged. */
int64_t node_mtime(const struct nodes *nodes, const struct node *node);
uint64_t node_data(const struct nodes *nodes, const struct node *node);
/* Borrowed; "" if the name lies outside the table. */
const char *node_name(const struct nodes *nodes, const struct node *node);
/* A string kept by nodes_keep_string. */
const char *node_string(const struct nodes *nodes, uint64_t offset);

/* Keeps a string for good, for a node's data. 0 or -ENOSPC. */
int nodes_keep_string(struct nodes *nodes, const char *text, uint64_t *offset);

/* The nodes that a repository may have (an eighth of the table), and those that it has. So much of the names it may
 * have, too: where names are longer than 63 bytes on average, each piece of them counts instead. */
uint32_t nodes_share(const struct nodes *nodes);
uint32_t nodes_charged(const struct nodes *nodes, uint32_t repo);

/* Appends nodes that nobody finds yet; *first is the index of the first. All have the same account, and are one node or
 * all in one checkout: their names go when that goes. 0, -ENOSPC (the table is full), -EDQUOT
 * (the repository's share is used up), or -ENOMEM. */
int nodes_append(struct nodes *nodes, const struct node_spec *specs, size_t count, uint32_t *first);
/* Something leads to it by now, or nothing ever will. */
void nodes_unpin(struct nodes *nodes, uint32_t index);

/* Corrects a file's size, if it still is `told`: that came from damaged data. True if it did. */
bool node_correct_size(struct nodes *nodes, uint32_t index, uint64_t told, uint64_t size);

bool node_is_folder(const struct node *node);

#endif
