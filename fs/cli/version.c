#include "fs/cli/version.h"

#include <fuse_lowlevel.h>
#include <jansson.h>

#include "gitcache/net/libraries.h"

void version_print(FILE *out)
{
    char text[128];

    fprintf(out, "startpointfs %s (libfuse %s, %s, jansson %s)\n", VERSION, fuse_pkgversion(),
            libraries_describe(text, sizeof text), jansson_version_str());
}
