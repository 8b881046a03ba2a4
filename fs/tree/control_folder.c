#include "fs/tree/control_folder.h"

#include <string.h>

#include "fs/shared/children.h"
#include "fs/tree/folders.h"

static int find(const struct mount *mount, uint32_t *folder)
{
    return node_lookup(mount->nodes, NODE_ROOT_INDEX, CONTROL_FOLDER_NAME,
                       strlen(CONTROL_FOLDER_NAME), folder);
}

static int add_child(struct mount *mount, uint32_t folder, enum node_kind kind, const char *name,
                     struct node_link *link)
{
    struct node_spec spec = {.kind = kind,
                             .name = name,
                             .name_length = strlen(name),
                             .parent = folder,
                             .data = kind == NODE_CONTROL_FILE ? CONTROL_FOLDER_STATUS : 0};

    link->listed = true;
    return folders_child(mount, folder, &spec, NULL, &link->index);
}

int control_folder_open(struct mount *mount, struct error *e)
{
    struct node_link links[2];
    uint32_t folder;
    int r = find(mount, &folder);

    if (r == 0)
        r = add_child(mount, folder, NODE_CONTROL_FILE, "status.json", &links[0]);
    if (r == 0)
        r = add_child(mount, folder, NODE_CONTROL, "sets", &links[1]);
    if (r == 0)
        r = node_publish_links(mount->nodes, folder, links, 2);
    return r < 0 ? error_set(e, -r, "cannot make %s: %s", CONTROL_FOLDER_NAME, strerror(-r)) : 0;
}

int control_folder_sets(const struct mount *mount, uint32_t *folder)
{
    int r = find(mount, folder);
    return r == 0 ? node_lookup(mount->nodes, *folder, "sets", 4, folder) : r;
}
