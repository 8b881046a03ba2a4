#include "gitcache/net/http_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gitcache/net/protocol.h"

/* Where a setting is looked up, and for which request. */
struct asked {
    const struct gitconfig *config;
    const struct http_request *request;
};

static const char *setting(const struct asked *asked, const char *environment, const char *variable)
{
    const char *value = environment ? getenv(environment) : NULL;

    return value ? value : gitconfig_http(asked->config, asked->request->url, variable);
}

/* A path in git's configuration may begin with "~/". */
static void set_path(CURL *curl, CURLoption option, const char *path)
{
    const char *home = getenv("HOME");
    char *full = NULL;

    if (!path || !*path)
        return;
    if (strncmp(path, "~/", 2) == 0 && home && asprintf(&full, "%s%s", home, path + 1) >= 0)
        path = full;
    curl_easy_setopt(curl, option, path);
    free(full);
}

static void set_tls(CURL *curl, const struct asked *asked)
{
    bool verify =
        !getenv("GIT_SSL_NO_VERIFY") && gitconfig_bool(setting(asked, NULL, "sslverify"), true);
    const char *version = setting(asked, NULL, "version");

    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, verify ? 1L : 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
    set_path(curl, CURLOPT_CAINFO, setting(asked, "GIT_SSL_CAINFO", "sslcainfo"));
    set_path(curl, CURLOPT_CAPATH, setting(asked, "GIT_SSL_CAPATH", "sslcapath"));
    set_path(curl, CURLOPT_SSLCERT, setting(asked, "GIT_SSL_CERT", "sslcert"));
    set_path(curl, CURLOPT_SSLKEY, setting(asked, "GIT_SSL_KEY", "sslkey"));
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION,
                     version && strcmp(version, "HTTP/1.1") == 0 ? (long)CURL_HTTP_VERSION_1_1
                                                                 : (long)CURL_HTTP_VERSION_2TLS);
}

static void set_speed(CURL *curl, const struct asked *asked, const struct net_settings *settings)
{
    const char *speed = setting(asked, "GIT_HTTP_LOW_SPEED_LIMIT", "lowspeedlimit");

    if (!speed || atol(speed) <= 0)
        return;
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, atol(speed));
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)settings->silence_timeout);
}

/* How a proxy is told who asks: anyauth, where nothing else is configured. */
static long proxy_method(const struct asked *asked)
{
    static const struct {
        const char *name;
        unsigned long method;
    } methods[] = {
        {"basic", CURLAUTH_BASIC},
        {"digest", CURLAUTH_DIGEST},
        {"negotiate", CURLAUTH_NEGOTIATE},
        {"ntlm", CURLAUTH_NTLM},
    };
    const char *name = setting(asked, "GIT_HTTP_PROXY_AUTHMETHOD", "proxyauthmethod");

    for (size_t i = 0; name && i < sizeof methods / sizeof *methods; i++)
        if (strcmp(name, methods[i].name) == 0)
            return (long)methods[i].method;
    return (long)CURLAUTH_ANY;
}

static void set_authentication(CURL *curl, const struct asked *asked)
{
    const struct http_request *request = asked->request;
    const char *proxy = setting(asked, NULL, "proxy");

    curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_OPTIONAL);
    curl_easy_setopt(curl, CURLOPT_HTTPAUTH,
                     request->any_auth ? (long)CURLAUTH_ANY : (long)CURLAUTH_BASIC);
    if (request->user)
        curl_easy_setopt(curl, CURLOPT_USERNAME, request->user);
    if (request->password)
        curl_easy_setopt(curl, CURLOPT_PASSWORD, request->password);
    if (proxy)
        curl_easy_setopt(curl, CURLOPT_PROXY, proxy);
    curl_easy_setopt(curl, CURLOPT_PROXYAUTH, proxy_method(asked));
}

/* What is in the file goes to the hosts that it names for each cookie; nothing is written to it. */
static void set_cookies(CURL *curl, const struct asked *asked)
{
    set_path(curl, CURLOPT_COOKIEFILE, setting(asked, NULL, "cookiefile"));
}

static int add_header(void *data, const char *header)
{
    struct curl_slist **list = data, *longer;

    if (!*header) {
        curl_slist_free_all(*list);
        *list = NULL;
        return 0;
    }
    longer = curl_slist_append(*list, header);
    if (longer)
        *list = longer;
    return longer ? 0 : -ENOMEM;
}

static int add_typed_header(struct curl_slist **headers, const char *name, const char *type)
{
    char header[120];

    if (!type)
        return 0;
    snprintf(header, sizeof header, "%s: %s", name, type);
    return add_header(headers, header);
}

static int set_headers(CURL *curl, const struct asked *asked, struct curl_slist **headers)
{
    const struct http_request *request = asked->request;
    const char *agent = setting(asked, "GIT_HTTP_USER_AGENT", "useragent");
    int version = protocol_version(asked->config), r = 0;

    if (request->own_headers) /* first, since an empty one drops all before it */
        r = gitconfig_http_all(asked->config, request->url, "extraheader", add_header, headers);
    if (r == 0 && version)
        r = add_header(headers,
                       version == 2 ? "Git-Protocol: version=2" : "Git-Protocol: version=1");
    if (r == 0)
        r = add_typed_header(headers, "Accept", request->type);
    if (r == 0)
        r = add_typed_header(headers, "Content-Type", request->body_type);
    if (r == 0) /* the body is small: asking first whether it may be sent costs a round trip */
        r = add_header(headers, "Expect:");
    if (r < 0)
        return r;
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, *headers);
    curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
    /* Hosts tell git from a browser, which they would send a page, by how this begins. */
    curl_easy_setopt(curl, CURLOPT_USERAGENT, agent ? agent : "git/2.40 (startpointfs)");
    return 0;
}

int http_options_set(CURL *curl, const struct gitconfig *config,
                     const struct net_settings *settings, const struct http_request *request,
                     struct curl_slist **headers)
{
    struct asked asked = {config, request};

    set_speed(curl, &asked, settings);
    set_tls(curl, &asked);
    set_authentication(curl, &asked);
    set_cookies(curl, &asked);
    return set_headers(curl, &asked, headers);
}
