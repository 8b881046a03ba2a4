/* fuzz_gitconfig.c - any values in git's configuration, and any URL asked for with them. */
#include "gitcache/net/gitconfig.h"
#include "gitcache/net/protocol.h"
#include "tests/fuzz/pieces.h"

static int visit(void *data, const char *value)
{
    (void)data;
    return value ? 0 : -1;
}

static void ask(const struct gitconfig *config, const char *url)
{
    static const char *const variables[] = {"proxy", "sslcainfo", "useragent", "followredirects"};
    char *rewritten = gitconfig_rewrite(config, url);
    struct error e = {0};

    if (!rewritten)
        abort();
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        gitconfig_bool(gitconfig_http(config, rewritten, variables[i]), true);
    if (gitconfig_http_all(config, url, "extraheader", visit, NULL) != 0)
        abort();
    protocol_check(config, URL_HTTPS, "it", &e);
    protocol_version(config);
    free(rewritten);
}

/* The URL, and then key after value after key, each ended by a NUL. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *bytes = malloc(size + 1);
    struct gitconfig *config;
    size_t length;

    if (!bytes)
        abort();
    memcpy(bytes, data, size);
    bytes[size] = '\0';
    length = strlen(bytes);
    if (length < size && gitconfig_unpack(&config, bytes + length + 1, size - length, NULL) == 0) {
        ask(config, bytes);
        gitconfig_free(config);
    }
    free(bytes);
    return 0;
}
