/* verb_versions.c - lists the tags of a remote with their commits, the newest version last. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/cli/verb.h"
#include "fs/sets/operands.h"
#include "gitcache/base/source.h"
#include "gitcache/base/url.h"
#include "gitcache/base/version_order.h"
#include "gitcache/fetch/list_refs.h"
#include "gitcache/net/gitconfig.h"

static const char tags[] = "refs/tags/";

static bool is_tag(const struct ref *ref)
{
    return strncmp(ref->name, tags, sizeof tags - 1) == 0;
}

/* versionsort.suffix of git's configuration. */
struct suffixes {
    const char **items;
    size_t count;
};

static int compare_versions(const void *a, const void *b, void *data)
{
    const struct ref *const *x = a, *const *y = b;
    const struct suffixes *suffixes = data;

    if (!suffixes->count)
        return version_order((*x)->name, (*y)->name);
    return version_order_by((*x)->name, (*y)->name, suffixes->items, suffixes->count);
}

static void sort(const struct ref **refs, size_t count)
{
    struct suffixes suffixes = {0};
    struct gitconfig *config;

    if (gitconfig_load(&config, NULL) < 0)
        config = NULL; /* a fault in it is the network's to report */
    else
        suffixes.items = gitconfig_get_all(config, "versionsort.suffix", &suffixes.count);
    qsort_r(refs, count, sizeof *refs, compare_versions, &suffixes);
    free(suffixes.items);
    gitconfig_free(config);
}

static void print_ref(const struct ref *ref, json_t *array)
{
    const char *name = strrchr(ref->name, '/') && strncmp(ref->name, "refs/", 5) == 0
                           ? strchr(ref->name + 5, '/') + 1
                           : ref->name;
    char hex[OID_HEX_SIZE];

    oid_format(&ref->peeled, hex);
    if (array)
        json_array_append_new(array,
                              json_pack("{s:s%, s:s}", "name", name, strlen(name), "commit", hex));
    else
        printf("%s\t%s\n", name, hex);
}

static int print_versions(const struct listing *listing, const struct source *source, bool json)
{
    json_t *array = json ? json_array() : NULL;
    const struct ref **found = calloc(listing->count + 1, sizeof *found);
    size_t count = 0;

    if (!found)
        return exit_fail(EXIT_FAILED, "out of memory");
    if (source->kind == SOURCE_NAMED) {
        found[0] = listing_find_version(listing, source->version);
        count = found[0] != NULL;
    } else {
        for (size_t i = 0; i < listing->count; i++)
            if (is_tag(&listing->refs[i]))
                found[count++] = &listing->refs[i];
        sort(found, count);
    }
    for (size_t i = 0; i < count; i++)
        print_ref(found[i], array);
    free(found);
    if (array) {
        json_dumpf(array, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        putchar('\n');
        json_decref(array);
    }
    if (source->kind != SOURCE_NAMED || count)
        return EXIT_OK;
    char shown[1024];
    return exit_fail(EXIT_USAGE, "%s has no tag or branch %s",
                     url_display(source->url, shown, sizeof shown), source->version);
}

static int ask(struct repository *repository, const struct settings *settings, struct error *e)
{
    struct remote *remote;
    int r = remote_new(&remote, &settings->remote, e);

    if (r < 0)
        return r;
    r = list_refs(repository, remote, NULL, e);
    remote_free(remote);
    return r;
}

/* What was damaged in the cache, or cannot be kept there. */
static void say_of_cache(void *data, const char *sentence)
{
    (void)data;
    exit_fail(0, "%s", sentence);
}

static int open_repository(struct cache **cache, struct repository **out,
                           const struct settings *settings, const char *url, struct error *e)
{
    int r = cache_open(cache, settings->cache, false, e);

    if (r < 0)
        return r;
    cache_on_damage(*cache, say_of_cache, NULL);
    return repository_open(out, *cache, url, e);
}

int verb_versions(struct arguments *arguments)
{
    const struct settings *settings = &arguments->settings;
    struct repository *repository = NULL;
    const struct listing *listing = NULL;
    struct cache *cache = NULL;
    struct source source;
    struct error error;
    char *here = getcwd(NULL, 0);
    int code = EXIT_USAGE;

    if (source_parse_operand(&source, arguments->operands[0], here ? here : "/", &error) < 0) {
        free(here);
        return exit_fail(EXIT_USAGE, "%s", error.text);
    }
    if (operands_check(settings, &(struct source_list){&source, 1}, &error) < 0) {
        exit_fail(code, "%s", error.text);
        goto out;
    }
    code = EXIT_FAILED;
    if (open_repository(&cache, &repository, settings, source.url, &error) < 0) {
        exit_fail(code, "%s", error.text);
        goto out;
    }
    if (source.kind == SOURCE_NAMED)
        repository_name_branch(repository, source.version);
    if (!settings->offline && ask(repository, settings, &error) < 0) {
        code = exit_fail(EXIT_UNFETCHED, "%s", error.text);
        goto out;
    }
    listing = repository_listing_get(repository);
    if (listing)
        code = print_versions(listing, &source, settings->json);
    else
        code = exit_fail(EXIT_UNFETCHED, "%s has never been listed, and --offline forbids asking",
                         source.text);
out:
    if (listing)
        repository_listing_put(repository, listing);
    if (repository)
        repository_close(repository);
    cache_close(cache);
    source_release(&source);
    free(here);
    return code;
}
