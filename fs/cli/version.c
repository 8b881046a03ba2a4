#include "fs/cli/version.h"

#include <fuse_lowlevel.h>
#include <jansson.h>

#include "fs/service/service.h"
#include "gitcache/net/gitconfig.h"
#include "gitcache/net/http.h"

void version_print(FILE *out)
{
    char git[60], http[60];

    fprintf(out, "startpointfs %s (libfuse %s, %s, %s, jansson %s, libmicrohttpd %s)\n", VERSION,
            fuse_pkgversion(), gitconfig_library(git, sizeof git), http_library(http, sizeof http),
            jansson_version_str(), service_library());
}
