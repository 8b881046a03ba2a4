/* http_options.h - what git's configuration and environment say of a request, as libcurl's options:
 * certificates, proxy, authentication, headers, the lowest speed. */
#ifndef GITCACHE_NET_HTTP_OPTIONS_H
#define GITCACHE_NET_HTTP_OPTIONS_H

#include <curl/curl.h>

#include "gitcache/net/gitconfig.h"
#include "gitcache/net/http.h"

/* 0 or -ENOMEM. The caller frees *headers after the transfer, whatever is returned. */
int http_options_set(CURL *curl, const struct gitconfig *config,
                     const struct net_settings *settings, const struct http_request *request,
                     struct curl_slist **headers);

#endif
