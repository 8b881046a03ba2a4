#include "fs/service/json_object.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare_keys(const struct json_member *a, const struct json_member *b)
{
    size_t least = a->length < b->length ? a->length : b->length;
    int order = memcmp(a->key, b->key, least);

    return order ? order : (a->length > b->length) - (a->length < b->length);
}

static int by_key(const void *a, const void *b)
{
    const struct json_member *left = a, *right = b;
    int order = compare_keys(left, right);

    return order ? order : (left->place > right->place) - (left->place < right->place);
}

static int by_place(const void *a, const void *b)
{
    const struct json_member *left = a, *right = b;
    return (left->place > right->place) - (left->place < right->place);
}

/* Sorted, so that an object of a hundred thousand keys costs no more than its size. */
static void merge_repetitions(struct json_object *object)
{
    size_t kept = 0;

    if (object->count == 0)
        return;
    qsort(object->items, object->count, sizeof *object->items, by_key);
    for (size_t i = 1; i < object->count; i++) {
        struct json_member *last = &object->items[kept], *next = &object->items[i];
        if (compare_keys(last, next) == 0) {
            last->value = next->value;
            free(next->key);
        } else {
            object->items[++kept] = *next;
        }
    }
    object->count = kept + 1;
    qsort(object->items, object->count, sizeof *object->items, by_place);
}

static int add(struct json_object *object, struct json_span key, struct json_span value)
{
    size_t count = object->count;

    if ((count & (count - 1)) == 0) { /* full at each power of two */
        struct json_member *items =
            reallocarray(object->items, count ? count * 2 : 1, sizeof *items);
        if (!items)
            return -ENOMEM;
        object->items = items;
    }
    struct json_member *member = &object->items[count];
    *member = (struct json_member){.value = value, .place = count};
    member->key = json_text_string(key, &member->length);
    if (!member->key)
        return -ENOMEM;
    object->count++;
    return 0;
}

int json_object_init(struct json_object *out, struct json_span value)
{
    struct json_span rest, key, member;
    int r = 0;

    *out = (struct json_object){0};
    if (*value.at != '{')
        return -EINVAL;
    rest = json_text_enter(value);
    while (r == 0 && json_text_next_member(&rest, &key, &member))
        r = add(out, key, member);
    if (r == 0)
        merge_repetitions(out);
    return r;
}

void json_object_release(struct json_object *object)
{
    for (size_t i = 0; i < object->count; i++)
        free(object->items[i].key);
    free(object->items);
    *object = (struct json_object){0};
}

const struct json_member *json_object_find(const struct json_object *object, const char *key)
{
    size_t length = strlen(key);

    for (size_t i = 0; i < object->count; i++)
        if (object->items[i].length == length && memcmp(object->items[i].key, key, length) == 0)
            return &object->items[i];
    return NULL;
}
