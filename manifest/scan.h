/* scan.h - finds where values begin and end in JSON text that is known to be valid. Pure. On text
 * that is not valid the spans make no sense, but always lie within it. */
#ifndef MANIFEST_SCAN_H
#define MANIFEST_SCAN_H

#include <stdbool.h>
#include <stddef.h>

struct scanner {
    const char *text;
    size_t at, end;
};

/* Skips white space, then takes `c` if it is next. */
bool scan_take(struct scanner *scanner, char c);
/* Skips white space, then one whole value; returns where it began. It ends at scanner->at. */
size_t scan_value(struct scanner *scanner);

#endif
