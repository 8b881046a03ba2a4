/* attribute_line.h - one line of a .gitattributes after the other. Pure. Private to
 * gitcache/checkout. */
#ifndef GITCACHE_CHECKOUT_ATTRIBUTE_LINE_H
#define GITCACHE_CHECKOUT_ATTRIBUTE_LINE_H

#include "gitcache/checkout/attribute_table.h"
#include "gitcache/checkout/budget.h"

/* git passes over longer lines. */
#define ATTRIBUTE_LINE_MAX ((size_t)2048)

/* A line that says something, cut up; and where what it says goes. */
struct attribute_line {
    const struct attribute_table *table;
    struct assignment_list *says;
    struct budget *budget;
    struct error *error;
    char *pattern, *words; /* of this line */
};

/* Calls act for each line until one does not return 0, which is then returned; ECANCELED. A NUL ends
 * the text, as it does for git. */
int attribute_line_each(struct attribute_line *line, const char *text, size_t size,
                        int (*act)(struct attribute_line *line, void *data), void *data);

/* The macro that the line defines, or NULL. */
char *attribute_line_macro(const struct attribute_line *line);

/* Adds all that the line says to `says`, at *out. 1, 0 for a line that git passes over, or -ENOMEM.
 * Once a line. */
int attribute_line_parse(const struct attribute_line *line, struct assignment_range *out);

#endif
