/* assignment_list.h - what the lines of a .gitattributes say of attributes, one after the other. Private
 * to gitcache/checkout. */
#ifndef GITCACHE_CHECKOUT_ASSIGNMENT_LIST_H
#define GITCACHE_CHECKOUT_ASSIGNMENT_LIST_H

#include <stddef.h>
#include <stdint.h>

enum attribute_state { UNKNOWN, SET, UNSET, UNSPECIFIED, VALUE };

struct assignment {
    uint16_t attribute; /* index into the table */
    uint8_t state;      /* enum attribute_state */
    uint32_t value;     /* of VALUE: where it begins in the list's texts */
};

struct assignment_list {
    struct assignment *items;
    size_t count, room;
    char *texts; /* values, each with its NUL */
    size_t texts_size, texts_room;
};

/* Part of a list. */
struct assignment_range {
    uint32_t first, count;
};

/* `value` is VALUE's. -ENOMEM. */
int assignment_list_add(struct assignment_list *list, size_t attribute, enum attribute_state state,
                        const char *value);
void assignment_list_release(struct assignment_list *list);
/* Bytes. */
size_t assignment_list_memory(const struct assignment_list *list);

#endif
