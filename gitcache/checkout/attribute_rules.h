/* attribute_rules.h - .gitattributes files, parsed. Private to attributes*.c. */
#ifndef GITCACHE_CHECKOUT_ATTRIBUTE_RULES_H
#define GITCACHE_CHECKOUT_ATTRIBUTE_RULES_H

#include "gitcache/checkout/attributes.h"

/* The attributes that count stand first in the table; what follows are macros. */
enum { TEXT, CRLF, EOL, IDENT, ENCODING, KNOWN_COUNT };

enum attribute_state { UNKNOWN, SET, UNSET, UNSPECIFIED, VALUE };

struct assignment {
    size_t attribute; /* index into the table */
    enum attribute_state state;
    const char *value; /* of VALUE; points into the file's text */
};

struct attribute {
    char *name;
    struct assignment *assignments; /* of a macro: what it stands for */
    size_t count;

    /* what attributes_conversion has found out so far */
    enum attribute_state state;
    const char *value;
};

struct attribute_rule {
    const char *pattern;
    bool is_basename; /* no slash: compared with the path's last part */
    struct assignment *assignments;
    size_t count;
};

struct attribute_file {
    char *text; /* what the strings point into */
    size_t folder_length;
    struct attribute_rule *rules;
    size_t count;
};

#endif
