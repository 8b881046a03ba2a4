#include "gitcache/net/libraries.h"

#include <curl/curl.h>
#include <git2.h>
#include <stdio.h>

const char *libraries_describe(char *buffer, size_t size)
{
    int major, minor, revision;

    git_libgit2_version(&major, &minor, &revision);
    snprintf(buffer, size, "libgit2 %d.%d.%d, libcurl %s", major, minor, revision,
             curl_version_info(CURLVERSION_NOW)->version);
    return buffer;
}
