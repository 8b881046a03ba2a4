/* The node table: numbers that stay, folders that change, and memory that is checked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/shared/children.h"
#include "fs/shared/nodes.h"
#include "fs/shared/nodes_layout.h"
#include "fs/shared/sweep.h"
#include "tests/unit/left_behind.h"
#include "tests/unit/no_room.h"

static int set_up(void **state)
{
    struct nodes *nodes;
    int fd = nodes_create(4096, 7, NULL);

    assert_true(fd >= 0);
    assert_int_equal(nodes_map(&nodes, fd, NULL), 0);
    close(fd);
    *state = nodes;
    return 0;
}

static int tear_down(void **state)
{
    nodes_unmap(*state);
    return 0;
}

static uint32_t add(struct nodes *nodes, enum node_kind kind, const char *name, uint32_t parent)
{
    struct node_spec spec = {
        .kind = kind, .name = name, .name_length = strlen(name), .parent = parent};
    uint32_t index;

    assert_int_equal(nodes_append(nodes, &spec, 1, &index), 0);
    return index;
}

static void the_root_is_the_first(void **state)
{
    struct nodes *nodes = *state;
    const struct node *root = node_get(nodes, NODE_ROOT_INDEX);

    assert_int_equal(root->kind, NODE_ROOT);
    assert_int_equal(node_mtime(nodes, root), 7);
    assert_int_equal(nodes_used(nodes), 1);
    assert_null(node_get(nodes, 1));
}

static void a_folder_has_no_children_before_they_are_published(void **state)
{
    struct nodes *nodes = *state;
    uint64_t offset = 0;
    uint32_t child;

    assert_int_equal(node_lookup(nodes, NODE_ROOT_INDEX, "a", 1, &child), -EAGAIN);
    assert_int_equal(node_next(nodes, NODE_ROOT_INDEX, &offset, &child), -EAGAIN);
    assert_int_equal(node_publish_links(nodes, NODE_ROOT_INDEX, NULL, 0), 1);
    assert_int_equal(node_lookup(nodes, NODE_ROOT_INDEX, "a", 1, &child), -ENOENT);
    assert_int_equal(node_next(nodes, NODE_ROOT_INDEX, &offset, &child), -ENOENT);
}

static void links_can_change_and_offsets_stay(void **state)
{
    struct nodes *nodes = *state;
    uint32_t b = add(nodes, NODE_REPO, "b", 0), a = add(nodes, NODE_REPO, "a", 0);
    uint32_t hidden = add(nodes, NODE_REPO, ".h", 0), c = add(nodes, NODE_REPO, "c", 0), child;
    struct node_link before[] = {{b, true}, {a, true}, {hidden, false}};
    struct node_link after[] = {{a, true}, {c, true}, {hidden, false}, {b, true}};
    uint64_t offset = 0;

    assert_int_equal(node_publish_links(nodes, 0, before, 3), 1);
    assert_int_equal(node_publish_links(nodes, 0, before, 3), 0);
    assert_int_equal(node_next(nodes, 0, &offset, &child), 0);
    assert_int_equal(child, b);
    assert_int_equal(node_publish_links(nodes, 0, after, 4), 1);
    assert_int_equal(node_next(nodes, 0, &offset, &child), 0);
    assert_int_equal(child, a);
    assert_int_equal(node_next(nodes, 0, &offset, &child), 0);
    assert_int_equal(child, c);
    assert_int_equal(node_next(nodes, 0, &offset, &child), -ENOENT);
    assert_int_equal(node_lookup(nodes, 0, ".h", 2, &child), 0);
    assert_int_equal(child, hidden);
}

static void a_block_is_searched_by_name(void **state)
{
    struct nodes *nodes = *state;
    uint32_t tree = add(nodes, NODE_TREE, "t", 0), first = 0, child;
    const char *names[] = {"A", "a", "a.c", "ab", "\xff"};

    for (size_t i = 0; i < 5; i++) {
        child = add(nodes, NODE_FILE, names[i], tree);
        first = i ? first : child;
    }
    node_publish_block(nodes, tree, first, 5);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(node_lookup(nodes, tree, names[i], strlen(names[i]), &child), 0);
        assert_int_equal(child, first + i);
    }
    assert_int_equal(node_lookup(nodes, tree, "a.", 2, &child), -ENOENT);
    assert_int_equal(node_lookup(nodes, first, "x", 1, &child), -ENOTDIR);
}

static void a_version_shows_its_present_checkout(void **state)
{
    struct nodes *nodes = *state;
    uint32_t version = add(nodes, NODE_VERSION, "main", 0), child;
    uint32_t one = add(nodes, NODE_CHECKOUT, "", version), old = add(nodes, NODE_FILE, "f", one);
    uint32_t two = add(nodes, NODE_CHECKOUT, "", version), new = add(nodes, NODE_FILE, "f", two);

    assert_int_equal(node_lookup(nodes, version, "f", 1, &child), -EAGAIN);
    node_publish_block(nodes, one, old, 1);
    node_publish_checkout(nodes, version, one);
    assert_int_equal(node_lookup(nodes, version, "f", 1, &child), 0);
    assert_int_equal(child, old);
    node_publish_block(nodes, two, new, 1);
    node_publish_checkout(nodes, version, two);
    assert_int_equal(node_lookup(nodes, version, "f", 1, &child), 0);
    assert_int_equal(child, new);
    assert_string_equal(node_name(nodes, node_get(nodes, old)), "f");
}

static void the_end_of_the_table_is_enospc(void **state)
{
    struct nodes *nodes = *state;
    struct node_spec spec = {.kind = NODE_FILE, .name = "f", .name_length = 1};
    const struct node_spec many[] = {spec, spec, spec};
    uint32_t index, used, repo = add(nodes, NODE_REPO, "r", 0);

    while (nodes_used(nodes) < 4094)
        assert_int_equal(nodes_append(nodes, &spec, 1, &index), 0);
    assert_int_equal(nodes_append(nodes, many, 3, &index), -ENOSPC); /* there are two */
    while (nodes_append(nodes, &spec, 1, &index) == 0)
        assert_true(index < 4096);
    used = nodes_used(nodes);
    assert_int_equal(used, 4096);
    assert_int_equal(nodes_append(nodes, &spec, 1, &index), -ENOSPC);
    assert_int_equal(nodes_used(nodes), used);
    assert_non_null(node_get(nodes, used - 1));
    spec.account = repo;
    assert_int_equal(nodes_append(nodes, &spec, 1, &index), -ENOSPC);
    assert_int_equal(nodes_charged(nodes, repo), 0);
}

static int note_child(void *data, uint32_t child)
{
    uint32_t **next = data;
    *(*next)++ = child;
    return 0;
}

static void a_chain_grows_and_stays(void **state)
{
    struct nodes *nodes = *state;
    uint32_t repo = add(nodes, NODE_REPO, "r", 0), made[3], seen[3], *next = seen, child;
    const char *names[] = {"b", "a", "c"};
    uint64_t offset = 0;

    assert_int_equal(node_lookup(nodes, repo, "a", 1, &child), -ENOENT);
    for (int i = 0; i < 3; i++) {
        struct node_spec spec = {.kind = NODE_VERSION, .name = names[i], .name_length = 1};
        assert_int_equal(node_add_child(nodes, repo, &spec, &made[i]), 0);
    }
    assert_int_equal(node_each_child(nodes, repo, note_child, &next), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(seen[i], made[2 - i]);
        assert_int_equal(node_lookup(nodes, repo, names[i], 1, &child), 0);
        assert_int_equal(child, made[i]);
    }
    assert_int_equal(node_next(nodes, repo, &offset, &child), -ENOTDIR);
    /* An endless chain. */
    nodes->node[made[0]].checkout = made[2];
    next = seen;
    assert_int_equal(node_lookup(nodes, repo, "d", 1, &child), -EIO);
}

static void a_repository_has_a_share(void **state)
{
    struct nodes *nodes = *state;
    uint32_t greedy = add(nodes, NODE_REPO, "greedy", 0),
             modest = add(nodes, NODE_REPO, "modest", 0);
    char name[NODE_NAME_MAX + 1];
    struct node_spec spec = {.kind = NODE_FILE, .name = "f", .name_length = 1, .account = greedy};
    uint32_t index, count = 0;
    int r;

    while ((r = nodes_append(nodes, &spec, 1, &index)) == 0)
        count++;
    assert_int_equal(r, -EDQUOT);
    assert_int_equal(count, nodes_share(nodes));
    assert_int_equal(nodes_charged(nodes, greedy), count);
    /* Long names count as what they take. */
    memset(name, 'x', sizeof name);
    spec = (struct node_spec){
        .kind = NODE_FILE, .name = name, .name_length = NODE_NAME_MAX, .account = modest};
    for (count = 0; (r = nodes_append(nodes, &spec, 1, &index)) == 0; count++)
        ;
    assert_int_equal(r, -EDQUOT);
    assert_int_equal(count, nodes_share(nodes) / 4);
    spec.account = 0;
    assert_int_equal(nodes_append(nodes, &spec, 1, &index), 0);
    spec.account = index; /* no repository: the table is damaged */
    assert_int_equal(nodes_append(nodes, &spec, 1, &index), -EIO);
    nodes->node[greedy].checkout = UINT32_MAX; /* likewise */
    spec.account = greedy;
    assert_int_equal(nodes_append(nodes, &spec, 1, &index), -EDQUOT);
}

#define FOLDERS   2500
#define A_FOLDER  20 /* files */
#define BYTES_FOR 80 /* of memory for a file, with its part of the folders */

/* With usual names, of 16 characters; as the kernel is told of them, and so with their numbers. */
static void a_file_takes_little_memory(void **state)
{
    struct node_spec specs[A_FOLDER];
    char names[A_FOLDER][32];
    struct nodes *nodes;
    struct stat before, after;
    uint32_t checkout, first;
    uint64_t ids = 0;
    int fd = nodes_create(1 << 20, 0, NULL);

    (void)state;
    assert_int_equal(nodes_map(&nodes, fd, NULL), 0);
    checkout = add(nodes, NODE_CHECKOUT, "", 0);
    assert_int_equal(fstat(fd, &before), 0);
    for (int i = 0; i < A_FOLDER; i++)
        snprintf(names[i], sizeof names[i], "usual-name-%02d.js", i);
    for (int folder = 0; folder < FOLDERS; folder++) {
        uint32_t tree = add(nodes, NODE_TREE, names[folder % A_FOLDER], checkout);
        for (int i = 0; i < A_FOLDER; i++)
            specs[i] = (struct node_spec){.kind = NODE_FILE,
                                          .name = names[i],
                                          .name_length = 16,
                                          .parent = tree,
                                          .checkout = checkout};
        assert_int_equal(nodes_append(nodes, specs, A_FOLDER, &first), 0);
        for (uint32_t i = 0; i < A_FOLDER; i++)
            ids += node_id(nodes, first + i);
    }
    assert_true(ids > 0);
    assert_int_equal(fstat(fd, &after), 0);
    assert_in_range((after.st_blocks - before.st_blocks) * 512 / (FOLDERS * A_FOLDER), 50,
                    BYTES_FOR);
    nodes_unmap(nodes);
    close(fd);
}

static void what_is_in_a_checkout_has_its_time(void **state)
{
    struct nodes *nodes = *state;
    struct node_spec spec = {.kind = NODE_CHECKOUT, .name = "", .mtime = 1234};
    struct node_spec file = {.kind = NODE_FILE, .name = "f", .name_length = 1, .data = 77};
    struct node_spec version = {
        .kind = NODE_VERSION, .name = "v", .name_length = 1, .data = 5, .mtime = -6};
    const struct node_spec both[] = {version, version};
    uint32_t index;

    assert_int_equal(nodes_append(nodes, &spec, 1, &file.checkout), 0);
    assert_int_equal(nodes_append(nodes, &file, 1, &index), 0);
    assert_int_equal(node_mtime(nodes, node_get(nodes, index)), 1234);
    assert_int_equal(node_get(nodes, index)->size, 77);
    assert_int_equal(node_data(nodes, node_get(nodes, index)), 0);
    assert_int_equal(nodes_append(nodes, both, 2, &index), 0);
    for (uint32_t i = index; i < index + 2; i++) {
        assert_int_equal(node_mtime(nodes, node_get(nodes, i)), -6);
        assert_int_equal(node_data(nodes, node_get(nodes, i)), 5);
        assert_string_equal(node_name(nodes, node_get(nodes, i)), "v");
    }
    /* Nothing lies before a name at the beginning, or beyond the end. */
    nodes->node[index].name = 8;
    assert_int_equal(node_data(nodes, node_get(nodes, index)), 0);
    nodes->node[index].name = (1ull << 40) - 8;
    assert_int_equal(node_mtime(nodes, node_get(nodes, index)), 0);
    nodes->node[index].name = 65;
    assert_int_equal(node_data(nodes, node_get(nodes, index)), 0);
}

static void another_mapping_sees_the_same(void **state)
{
    struct nodes *first, *second;
    uint32_t child;
    int fd = nodes_create(2048, 0, NULL);

    (void)state;
    assert_int_equal(nodes_map(&first, fd, NULL), 0);
    struct node_link link = {add(first, NODE_REPO, "r", 0), true};
    assert_int_equal(node_publish_links(first, 0, &link, 1), 1);
    nodes_unmap(first);
    assert_int_equal(nodes_map(&second, fd, NULL), 0);
    assert_int_equal(node_lookup(second, 0, "r", 1, &child), 0);
    assert_int_equal(child, link.index);
    nodes_unmap(second);
    close(fd);
}

static void another_layout_is_refused(void **state)
{
    struct nodes *nodes;
    struct error error = {0};
    uint32_t layout = NODES_LAYOUT + 1;
    int fd = nodes_create(2048, 0, NULL);

    (void)state;
    pwrite(fd, &layout, sizeof layout, offsetof(struct header, layout));
    assert_int_equal(nodes_map(&nodes, fd, &error), -EPROTO);
    assert_non_null(strstr(error.text, "layout"));
    close(fd);
}

static void damaged_links_are_eio_and_not_a_crash(void **state)
{
    struct nodes *nodes = *state;
    uint32_t tree = add(nodes, NODE_TREE, "t", 0), repo = add(nodes, NODE_REPO, "r", 0);
    uint32_t version = add(nodes, NODE_VERSION, "v", 0), child;
    uint64_t offset = 0;

    node_publish_block(nodes, tree, 4000, 200);
    assert_int_equal(node_lookup(nodes, tree, "x", 1, &child), -EIO);
    assert_int_equal(node_next(nodes, tree, &offset, &child), -EIO);
    nodes->node[repo].children = KNOWN | 1u << 20;
    assert_int_equal(node_lookup(nodes, repo, "x", 1, &child), -EIO);
    nodes->node[version].children = KNOWN | tree;
    assert_int_equal(node_lookup(nodes, version, "x", 1, &child), -EIO);
    nodes->node[tree].name = (1ull << 40) - 2;
    assert_string_equal(node_name(nodes, node_get(nodes, tree)), "");
    nodes->node[tree].name = nodes->max_names - 1; /* it would end just beyond */
    nodes->names[nodes->max_names - 1] = 'x';
    assert_string_equal(node_name(nodes, node_get(nodes, tree)), "");
    assert_string_equal(node_string(nodes, UINT64_MAX), "");
    const struct node *named = node_get(nodes, repo);
    nodes->names[named->name + named->name_length] = 'x';
    assert_string_equal(node_name(nodes, named), "");
    assert_int_equal(node_lookup(nodes, UINT32_MAX, "x", 1, &child), -EIO);
}

static bool is_any(void *data, uint32_t child)
{
    (void)child;
    return data == NULL;
}

static void all_that_is_gone_leaves_its_chain(void **state)
{
    struct nodes *nodes = *state;
    uint32_t prefix = add(nodes, NODE_PREFIX, "p", 0), child;
    struct node_spec spec = {.kind = NODE_VERSION, .name = "v", .name_length = 1};

    assert_true(node_chain_is_empty(nodes, prefix));
    for (int i = 0; i < 3; i++)
        assert_int_equal(node_add_child(nodes, prefix, &spec, &child), 0);
    assert_false(node_chain_is_empty(nodes, prefix));
    assert_int_equal(node_unchain(nodes, prefix, is_any, nodes), 0);
    assert_int_equal(node_unchain(nodes, prefix, is_any, NULL), 3);
    assert_true(node_chain_is_empty(nodes, prefix));
    assert_int_equal(node_lookup(nodes, prefix, "v", 1, &child), -ENOENT);
}

static void a_damaged_chain_is_eio(void **state)
{
    struct nodes *nodes = *state;
    uint32_t repo = add(nodes, NODE_REPO, "r", 0), other = add(nodes, NODE_REPO, "o", 0), child;
    struct node_spec spec = {.kind = NODE_VERSION, .name = "v", .name_length = 1};

    assert_int_equal(node_add_child(nodes, repo, &spec, &child), 0);
    nodes->node[child].checkout = child; /* endless */
    assert_int_equal(node_unchain(nodes, repo, is_any, nodes), -EIO);
    nodes->node[child].checkout = 0;
    nodes->node[child].parent = other;
    assert_int_equal(node_unchain(nodes, repo, is_any, nodes), -EIO);
    assert_int_equal(node_lookup(nodes, repo, "v", 1, &child), -EIO);
}

static void a_version_shows_no_other_nodes_children(void **state)
{
    struct nodes *nodes = *state;
    uint32_t version = add(nodes, NODE_VERSION, "v", 0), other = add(nodes, NODE_VERSION, "o", 0);
    uint32_t checkout = add(nodes, NODE_CHECKOUT, "", other), found;
    uint32_t tree = add(nodes, NODE_TREE, "t", version);

    node_publish_checkout(nodes, version, tree);
    assert_int_equal(node_checkout(nodes, version, &found), -EIO);
    node_publish_checkout(nodes, version, checkout);
    assert_int_equal(node_checkout(nodes, version, &found), -EIO);
    nodes->node[checkout].parent = version;
    assert_int_equal(node_checkout(nodes, version, &found), 0);
    nodes->node[checkout].parent = tree;
    node_publish_checkout(nodes, tree, checkout);
    assert_int_equal(node_checkout(nodes, tree, &found), -EIO);
}

static void the_end_of_the_links_is_enospc(void **state)
{
    struct nodes *nodes = *state;
    uint32_t a = add(nodes, NODE_REPO, "a", 0), b = add(nodes, NODE_REPO, "b", 0), child;
    const struct node_link both[] = {{a, true}, {b, false}};
    const struct node_link turns[] = {{a, true}, {b, true}}, hidden[] = {{a, false}, {b, false}};
    int r;

    assert_int_equal(node_publish_links(nodes, 0, both, 2), 1); /* 5 words, and 4 with each turn */
    for (size_t i = 0; (r = node_publish_links(nodes, 0, &turns[i % 2], 1)) == 1; i++)
        ;
    assert_int_equal(r, -ENOSPC);
    assert_int_equal(node_publish_links(nodes, 0, hidden, 1), 1); /* the last 3 */
    assert_int_equal(nodes->header->links_used, 4 * 4096);
    assert_int_equal(node_publish_links(nodes, 0, hidden + 1, 1), -ENOSPC);
    assert_int_equal(node_publish_links(nodes, 0, hidden, 1), 0);
    assert_int_equal(node_lookup(nodes, 0, "a", 1, &child), 0);
    assert_int_equal(child, a);
}

static void links_outside_their_list_are_eio(void **state)
{
    struct nodes *nodes = *state;
    struct node_link links[] = {{add(nodes, NODE_REPO, "a", 0), true},
                                {add(nodes, NODE_REPO, "b", 0), false}};
    uint32_t child;

    assert_int_equal(node_publish_links(nodes, 0, links, 2), 1);
    struct links *list = (struct links *)nodes->links;
    uint64_t used = nodes->header->links_used;
    for (uint64_t at = used - 1; at <= used; at++) {
        nodes->links[at] = 0;
        nodes->node[0].children = KNOWN | at;
        assert_int_equal(node_lookup(nodes, 0, "a", 1, &child), -EIO);
    }
    nodes->node[0].children = KNOWN;
    assert_int_equal(node_lookup(nodes, 0, "a", 1, &child), 0);
    for (uint32_t listed = 2; listed <= 3;
         listed++) { /* one too many for what is used, and for the names */
        list->listed = listed;
        nodes->header->links_used = used + 2 * (listed - 2);
        assert_int_equal(node_lookup(nodes, 0, "a", 1, &child), -EIO);
    }
    list->listed = 1;
    nodes->header->links_used = nodes->max_links + 1;
    assert_int_equal(node_lookup(nodes, 0, "a", 1, &child), -EIO);
    assert_int_equal(node_publish_links(nodes, 0, links, 1), -ENOSPC);
    nodes->header->links_used = nodes->max_links;
    assert_int_equal(node_lookup(nodes, 0, "a", 1, &child), 0);
    links[0].index = 4000;
    assert_int_equal(node_publish_links(nodes, 0, links, 1), -EIO);
}

static int note_link(void *data, uint32_t child, bool listed)
{
    uint32_t **next = data;

    *(*next)++ = child;
    *(*next)++ = listed;
    return child == 0;
}

static void all_links_are_walked(void **state)
{
    struct nodes *nodes = *state;
    uint32_t control = add(nodes, NODE_CONTROL, "c", 0), seen[6] = {0}, *next = seen;
    uint32_t a = add(nodes, NODE_CONTROL_FILE, "a", control);
    const struct node_link links[] = {{control, true}, {a, false}, {0, true}};

    assert_int_equal(node_each_link(nodes, control, note_link, &next), 0);
    assert_int_equal(node_publish_links(nodes, control, links, 2), 1);
    assert_int_equal(node_each_link(nodes, control, note_link, &next), 0);
    const uint32_t expected[] = {a, false, control, true, 0, true};
    assert_memory_equal(seen, expected, 4 * sizeof *seen);
    assert_ptr_equal(next, seen + 4);
    assert_int_equal(node_lookup(nodes, control, "a", 1, &seen[4]), 0);
    assert_int_equal(seen[4], a);
    assert_int_equal(node_publish_links(nodes, control, links, 3), 1);
    next = seen; /* the root has no name, and is first */
    assert_int_equal(node_each_link(nodes, control, note_link, &next), 1);
    assert_ptr_equal(next, seen + 2);
    assert_int_equal(node_each_link(nodes, 4000, note_link, &next), -EIO);
}

static void a_submodule_is_an_empty_folder(void **state)
{
    struct nodes *nodes = *state;
    uint32_t submodule = add(nodes, NODE_SUBMODULE, "s", 0), child;
    uint64_t offset = 0;

    assert_int_equal(node_lookup(nodes, submodule, "a", 1, &child), -ENOENT);
    assert_int_equal(node_next(nodes, submodule, &offset, &child), -ENOENT);
    assert_true(node_is_folder(node_get(nodes, submodule)));
}

static void a_block_is_its_folders_and_walked_once(void **state)
{
    struct nodes *nodes = *state;
    uint32_t tree = add(nodes, NODE_TREE, "t", 0), other = add(nodes, NODE_TREE, "u", 0), child;
    uint32_t first = add(nodes, NODE_FILE, "a", tree), last = add(nodes, NODE_FILE, "b", tree);
    uint64_t offset = 0;

    node_publish_block(nodes, tree, first, 3); /* one more than there are */
    assert_int_equal(node_lookup(nodes, tree, "a", 1, &child), -EIO);
    node_publish_block(nodes, tree, first, 2);
    assert_int_equal(node_next(nodes, tree, &offset, &child), 0);
    assert_int_equal(child, first);
    assert_int_equal(node_next(nodes, tree, &offset, &child), 0);
    assert_int_equal(child, last);
    assert_int_equal(node_next(nodes, tree, &offset, &child), -ENOENT);
    node_publish_block(nodes, other, first, 2);
    assert_int_equal(node_lookup(nodes, other, "a", 1, &child), -EIO);
    offset = 0;
    assert_int_equal(node_next(nodes, other, &offset, &child), -EIO);
}

static void a_node_has_what_it_was_given(void **state)
{
    static const struct {
        enum node_kind kind;
        bool is_folder;
        uint64_t size;
    } cases[] = {{NODE_FILE, false, 1ull << 40},
                 {NODE_EXECUTABLE, false, 1ull << 40},
                 {NODE_SYMLINK, false, 1ull << 40},
                 {NODE_CONTROL_FILE, false, 0},
                 {NODE_TREE, true, 0},
                 {NODE_CONTROL, true, 0}};
    struct nodes *nodes = *state;
    struct node_spec spec = {.name = "n", .name_length = 1, .flags = 0xa5, .data = 1ull << 40};
    uint32_t index;

    memset(&spec.oid, 0x5a, sizeof spec.oid);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        spec.kind = cases[i].kind;
        assert_int_equal(nodes_append(nodes, &spec, 1, &index), 0);
        const struct node *node = node_get(nodes, index);
        assert_int_equal(node_is_folder(node), cases[i].is_folder);
        assert_true(node->size == cases[i].size);
        assert_int_equal(node->flags, 0xa5);
        assert_int_equal(node->depth, i + 1);
        assert_memory_equal(&node->oid, &spec.oid, sizeof spec.oid);
        assert_ptr_equal(node_parent(nodes, node), node_get(nodes, spec.parent));
        spec.parent = index;
    }
    assert_int_equal(node_get(nodes, 0)->depth, 0);
    /* A size that was corrected by somebody else meanwhile stays. */
    index = add(nodes, NODE_FILE, "f", 0);
    assert_true(node_correct_size(nodes, index, 0, 5));
    assert_false(node_correct_size(nodes, index, 0, 6));
    assert_int_equal(node_get(nodes, index)->size, 5);
}

static void damaged_nodes_are_none(void **state)
{
    struct nodes *nodes = *state;
    uint32_t a = add(nodes, NODE_PREFIX, "a", 0), b = add(nodes, NODE_PREFIX, "b", a), index;

    nodes->node[a].parent = b; /* a way upwards that has no end */
    assert_null(node_parent(nodes, node_get(nodes, a)));
    nodes->node[a].depth = nodes->node[b].depth;
    assert_null(node_parent(nodes, node_get(nodes, b)));
    nodes->node[a].kind = NODE_KINDS;
    assert_null(node_get(nodes, a));
    nodes->node[b].checkout = UINT32_MAX;
    assert_int_equal(nodes_charged(nodes, b), 0);
    nodes->node[b].kind = NODE_FILE;
    assert_int_equal(node_unit(nodes, b), NODE_ROOT_INDEX);
    assert_false(node_of_id(nodes, b + 2ull, &index));
    assert_false(node_of_id(nodes, 0, &index));
    nodes->header->nodes_used = b;
    assert_null(node_get(nodes, b));
    nodes->header->nodes_used = UINT32_MAX;
    assert_int_equal(nodes_used(nodes), 4096);
    struct node_spec spec = {.kind = NODE_FILE, .name = "f", .name_length = 1};
    assert_int_equal(nodes_append(nodes, &spec, 1, &index), -ENOSPC);
    nodes->header->nodes_free = UINT32_MAX;
    assert_int_equal(nodes_taken(nodes), 4096);
}

static void note_damage(void *data, uint32_t index)
{
    *(uint64_t *)data = *(uint64_t *)data * 10 + index + 1;
}

static void damage_is_said_once_for_a_node(void **state)
{
    struct nodes *nodes = *state;
    uint64_t said = 0;

    nodes_on_damage(nodes, note_damage, &said);
    for (uint32_t i = 0; i < 6; i++)
        nodes_report_damage(nodes, i / 2 % 2);
    assert_int_equal(said, 121);
    nodes_on_damage(nodes, NULL, NULL);
    nodes_report_damage(nodes, 3); /* to nobody */
}

static void strings_are_kept_and_end_in_the_table(void **state)
{
    struct nodes *nodes = *state;
    char text[64 + 1] = {0};
    uint64_t first, last;

    memset(text, 'x', 64); /* with its end, a byte more than a piece */
    assert_int_equal(nodes_keep_string(nodes, text, &first), 0);
    assert_int_equal(nodes_keep_string(nodes, "last", &last), 0);
    assert_string_equal(node_string(nodes, first), text);
    assert_string_equal(node_string(nodes, last), "last");
    memset(nodes->names + last, 'y', 2 * sizeof text);
    assert_string_equal(node_string(nodes, last), "");
    assert_string_equal(node_string(nodes, last + 64), "");
}

static void the_size_of_a_table_is_checked(void **state)
{
    struct nodes *nodes;
    struct stat st;
    int fd = nodes_create(1024, 0, NULL);

    (void)state;
    assert_int_equal(nodes_create(1023, 0, NULL), -EINVAL);
    assert_int_equal(nodes_create(1u << 31, 0, NULL), -EINVAL);
    assert_int_equal(fstat(fd, &st), 0);
    for (int more = -1; more <= 1; more++) {
        assert_int_equal(ftruncate(fd, st.st_size + more), 0);
        assert_int_equal(nodes_map(&nodes, fd, NULL), more ? -EPROTO : 0);
        if (!more)
            nodes_unmap(nodes);
    }
    assert_int_equal(ftruncate(fd, st.st_size), 0);
    assert_int_equal(pwrite(fd, "x", 1, 0), 1);
    assert_int_equal(nodes_map(&nodes, fd, NULL), -EPROTO);
    close(fd);
}

static void a_table_that_is_unmapped_leaves_nothing(void **state)
{
    const struct node_link bad = {4000, true};
    size_t before = 0;

    (void)state;
    for (int i = 0; i < 40; i++) {
        void *nodes;
        if (i == 20) /* malloc keeps some of the first for the next */
            before = allocated();
        set_up(&nodes);
        const struct node_link links[] = {{add(nodes, NODE_REPO, "a", 0), true}};
        assert_int_equal(node_publish_links(nodes, 0, links, 1), 1);
        assert_int_equal(node_publish_links(nodes, 0, &bad, 1), -EIO);
        struct sweep *sweep = nodes_sweep_new(nodes);
        nodes_sweep_look(sweep);
        nodes_sweep_finish(sweep);
        nodes_sweep_free(sweep);
        tear_down(&nodes);
    }
    nodes_unmap(NULL);
    assert_int_equal(allocated(), before);
    assert_int_equal(mapped("startpointfs-nodes"), 0);
}

static int create_table(struct error *e)
{
    return nodes_create(4096, 7, e);
}

static void a_table_needs_room(void **state)
{
    (void)state;
    assert_needs_room(create_table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_root_is_the_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_has_no_children_before_they_are_published, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(links_can_change_and_offsets_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_block_is_searched_by_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_version_shows_its_present_checkout, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_end_of_the_table_is_enospc, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_links_are_eio_and_not_a_crash, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_chain_grows_and_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_repository_has_a_share, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_in_a_checkout_has_its_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_that_is_gone_leaves_its_chain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_chain_is_eio, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_version_shows_no_other_nodes_children, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_end_of_the_links_is_enospc, set_up, tear_down),
        cmocka_unit_test_setup_teardown(links_outside_their_list_are_eio, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_links_are_walked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_submodule_is_an_empty_folder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_block_is_its_folders_and_walked_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_node_has_what_it_was_given, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_nodes_are_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damage_is_said_once_for_a_node, set_up, tear_down),
        cmocka_unit_test_setup_teardown(strings_are_kept_and_end_in_the_table, set_up, tear_down),
        cmocka_unit_test(the_size_of_a_table_is_checked),
        cmocka_unit_test(a_file_takes_little_memory),
        cmocka_unit_test(another_mapping_sees_the_same),
        cmocka_unit_test(another_layout_is_refused),
        cmocka_unit_test(a_table_that_is_unmapped_leaves_nothing),
        cmocka_unit_test(a_table_needs_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
