/* type.h - what a list's start-points are: languages, exercises or custom ones. */
#ifndef MANIFEST_TYPE_H
#define MANIFEST_TYPE_H

enum start_point_type {
    TYPE_NONE, /* nobody has said it */
    TYPE_LANGUAGES,
    TYPE_EXERCISES,
    TYPE_CUSTOM,
};

/* "languages", "exercises" or "custom", as options and image.type write them; NULL for TYPE_NONE. */
const char *type_name(enum start_point_type type);
/* The type of such a name; TYPE_NONE for any other. */
enum start_point_type type_find(const char *name);

#endif
