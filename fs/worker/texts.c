#include "fs/worker/texts.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "fs/tree/folders.h"
#include "fs/tree/set_folders.h"
#include "fs/worker/status.h"
#include "gitcache/base/clock.h"

#define REMAKE_INTERVAL 1000 /* milliseconds */

struct text {
    atomic_uint users;
    char *bytes;
    size_t size;
    int64_t made_at;
};

/* The last text of one control file. */
struct kept {
    uint32_t node;
    struct text *text;
    int64_t made_at; /* clock_now() */
    struct kept *next;
};

struct control {
    pthread_mutex_t lock; /* guards all below; not held while a text is made */
    struct kept *kept;
};

static int add_child(struct mount *mount, uint32_t folder, enum node_kind kind, const char *name,
                     struct node_link *link)
{
    struct node_spec spec = {.kind = kind,
                             .name = name,
                             .name_length = strlen(name),
                             .parent = folder,
                             .data = kind == NODE_CONTROL_FILE ? CONTROL_STATUS : 0};

    link->listed = true;
    return folders_child(mount, folder, &spec, NULL, &link->index);
}

int control_open(struct mount *mount, struct error *e)
{
    struct node_link links[2];
    uint32_t folder;
    int r = node_lookup(mount->nodes, NODE_ROOT_INDEX, CONTROL_NAME, strlen(CONTROL_NAME), &folder);

    mount->control = calloc(1, sizeof *mount->control);
    if (!mount->control)
        return error_no_memory(e);
    pthread_mutex_init(&mount->control->lock, NULL);
    if (r == 0)
        r = add_child(mount, folder, NODE_CONTROL_FILE, "status.json", &links[0]);
    if (r == 0)
        r = add_child(mount, folder, NODE_CONTROL, "sets", &links[1]);
    if (r == 0)
        r = node_publish_links(mount->nodes, folder, links, 2);
    return r < 0 ? error_set(e, -r, "cannot make %s: %s", CONTROL_NAME, strerror(-r)) : 0;
}

int control_sets_folder(struct mount *mount, uint32_t *folder)
{
    int r = node_lookup(mount->nodes, NODE_ROOT_INDEX, CONTROL_NAME, strlen(CONTROL_NAME), folder);

    return r == 0 ? node_lookup(mount->nodes, *folder, "sets", 4, folder) : r;
}

void text_put(struct text *text)
{
    if (text && atomic_fetch_sub(&text->users, 1) == 1) {
        free(text->bytes);
        free(text);
    }
}

void control_close(struct mount *mount)
{
    if (!mount->control)
        return;
    for (struct kept *kept = mount->control->kept, *next; kept; kept = next) {
        next = kept->next;
        text_put(kept->text);
        free(kept);
    }
    pthread_mutex_destroy(&mount->control->lock);
    free(mount->control);
}

/* The caller holds the lock. */
static struct kept *keep(struct control *control, uint32_t node)
{
    struct kept *kept = control->kept;

    while (kept && kept->node != node)
        kept = kept->next;
    if (!kept && (kept = calloc(1, sizeof *kept))) {
        kept->node = node;
        kept->next = control->kept;
        control->kept = kept;
    }
    return kept;
}

/* Takes the bytes over. */
static int keep_text(struct kept *kept, char *bytes)
{
    struct text *text;

    kept->made_at = clock_now();
    if (kept->text && strcmp(kept->text->bytes, bytes) == 0) {
        free(bytes);
        return 0;
    }
    text = calloc(1, sizeof *text);
    if (!text) {
        free(bytes);
        return -ENOMEM;
    }
    atomic_init(&text->users, 1);
    text->bytes = bytes;
    text->size = strlen(bytes);
    text->made_at = clock_wall() * 1000000;
    text_put(kept->text);
    kept->text = text;
    return 0;
}

static int make(struct mount *mount, const struct node *node, struct asking *asking, char **bytes)
{
    switch ((enum control_text)node->data) {
    case CONTROL_STATUS:
        *bytes = status_make(mount);
        return *bytes ? 0 : -ENOMEM;
    case CONTROL_SHAS:
        return set_folders_shas(mount, node->parent, asking, bytes);
    case CONTROL_TYPE:
        return set_folders_type(mount, node->parent, bytes);
    }
    return -EIO;
}

int control_get(struct mount *mount, uint32_t index, struct asking *asking, struct text **out)
{
    struct control *control = mount->control;
    const struct node *node = node_get(mount->nodes, index);
    char *bytes = NULL;
    int r = 0;

    if (!control || !node || node->kind != NODE_CONTROL_FILE)
        return -EIO;
    pthread_mutex_lock(&control->lock);
    struct kept *kept = keep(control, index);
    if (kept && asking && (!kept->text || clock_now() - kept->made_at >= REMAKE_INTERVAL)) {
        pthread_mutex_unlock(&control->lock);
        r = make(mount, node, asking, &bytes);
        pthread_mutex_lock(&control->lock);
        if (r == 0)
            r = keep_text(kept, bytes);
    }
    if (!kept) {
        r = -ENOMEM;
    } else if (r == 0 && !kept->text) {
        r = -EAGAIN;
    } else if (r == 0) {
        atomic_fetch_add(&kept->text->users, 1);
        *out = kept->text;
    }
    pthread_mutex_unlock(&control->lock);
    return r;
}

const char *text_bytes(const struct text *text)
{
    return text->bytes;
}

size_t text_size(const struct text *text)
{
    return text->size;
}

int64_t text_made_at(const struct text *text)
{
    return text->made_at;
}
