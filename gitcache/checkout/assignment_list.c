#include "gitcache/checkout/assignment_list.h"

#include <errno.h>
#include <string.h>

#include "gitcache/base/grow.h"

static int add_text(struct assignment_list *list, const char *text, uint32_t *at)
{
    /* cppcheck-suppress ctunullpointer ; only the state VALUE comes here, with a value */
    size_t size = strlen(text) + 1;
    char *texts = grow_items(list->texts, list->texts_size, size, 1, &list->texts_room);

    if (!texts)
        return -ENOMEM;
    list->texts = texts;
    *at = (uint32_t)list->texts_size;
    memcpy(texts + *at, text, size);
    list->texts_size += size;
    return 0;
}

int assignment_list_add(struct assignment_list *list, size_t attribute, enum attribute_state state,
                        const char *value)
{
    struct assignment *items = grow_items(list->items, list->count, 1, sizeof *items, &list->room);
    struct assignment *item;

    if (!items)
        return -ENOMEM;
    list->items = items;
    item = &items[list->count];
    *item = (struct assignment){.attribute = (uint16_t)attribute, .state = (uint8_t)state};
    if (state == VALUE && add_text(list, value, &item->value))
        return -ENOMEM;
    list->count++;
    return 0;
}

void assignment_list_release(struct assignment_list *list)
{
    free(list->items);
    free(list->texts);
}

size_t assignment_list_memory(const struct assignment_list *list)
{
    return list->room * sizeof *list->items + list->texts_room;
}
