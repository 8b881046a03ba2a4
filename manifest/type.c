#include "manifest/type.h"

#include <stddef.h>
#include <string.h>

static const char *const names[] = {
    [TYPE_NONE] = NULL,
    [TYPE_LANGUAGES] = "languages",
    [TYPE_EXERCISES] = "exercises",
    [TYPE_CUSTOM] = "custom",
};

const char *type_name(enum start_point_type type)
{
    return names[type];
}

enum start_point_type type_find(const char *name)
{
    for (enum start_point_type type = TYPE_LANGUAGES; type <= TYPE_CUSTOM; type++)
        if (strcmp(names[type], name) == 0)
            return type;
    return TYPE_NONE;
}
