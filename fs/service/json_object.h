/* json_object.h - the members of a JSON object as Ruby's JSON.parse sees them: a key that stands
 * twice is one member, at the place of the first, with the value of the last. Pure. */
#ifndef FS_SERVICE_JSON_OBJECT_H
#define FS_SERVICE_JSON_OBJECT_H

#include "fs/service/json_text.h"

struct json_member {
    char *key; /* decoded */
    size_t length;
    struct json_span value;
    size_t place; /* private: where it stood */
};

struct json_object {
    struct json_member *items;
    size_t count;
};

/* Takes an object's members apart; `value` is a span of checked text. 0, -EINVAL (it is no object)
 * or -ENOMEM. To be released in any case. */
int json_object_init(struct json_object *out, struct json_span value);
void json_object_release(struct json_object *object);

/* Borrowed; NULL if there is none. */
const struct json_member *json_object_find(const struct json_object *object, const char *key);

#endif
