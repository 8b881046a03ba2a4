/* image_name.h - references to container images: [host[:port]/]path[:tag][@digest]. Pure. */
#ifndef MANIFEST_IMAGE_NAME_H
#define MANIFEST_IMAGE_NAME_H

#include <stdbool.h>
#include <stddef.h>

/* The parts, borrowed from the text; a part that is not there has length 0. */
struct image_name {
    const char *host, *port, *path, *tag, *digest;
    size_t host_length, port_length, path_length, tag_length, digest_length;
};

/* Takes a reference apart. False if it is not well-formed; `why` is then a clause that says what is
 * wrong with which part. */
bool image_name_parse(struct image_name *out, const char *text, const char **why);

#endif
