#include "gitcache/net/gitconfig.h"

#include <ctype.h>
#include <errno.h>
#include <git2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "gitcache/base/library.h"
#include "gitcache/net/urlmatch.h"

struct entry {
    char *key, *value;
};

/* In the order of reading: what comes later counts more. */
struct gitconfig {
    struct entry *entries;
    size_t count;
};

static int add_entry(struct gitconfig *config, const char *key, const char *value)
{
    struct entry *entries = reallocarray(config->entries, config->count + 1, sizeof *entries);
    struct entry entry;

    if (!entries)
        return -ENOMEM;
    config->entries = entries;
    entry = (struct entry){strdup(key), strdup(value ? value : "true")};
    if (!entry.key || !entry.value) {
        free(entry.key);
        free(entry.value);
        return -ENOMEM;
    }
    entries[config->count++] = entry;
    return 0;
}

/* The few that the network and the order of versions need; remotes, aliases and the like are not copied. */
static bool is_of_use(const char *key)
{
    return strncmp(key, "http.", 5) == 0 || strncmp(key, "url.", 4) == 0 ||
           strncmp(key, "protocol.", 9) == 0 || strncmp(key, "ssh.", 4) == 0 ||
           strcmp(key, "versionsort.suffix") == 0 || strcmp(key, "core.sshcommand") == 0 ||
           strcmp(key, "core.askpass") == 0;
}

static int copy_entries(struct gitconfig *config, git_config *files)
{
    git_config_iterator *iterator;
    git_config_entry *entry;
    int r = git_config_iterator_new(&iterator, files);

    if (r < 0)
        return r;
    while ((r = git_config_next(&entry, iterator)) == 0)
        if (is_of_use(entry->name) && add_entry(config, entry->name, entry->value) < 0)
            break;
    git_config_iterator_free(iterator);
    return r == GIT_ITEROVER ? 0 : r == 0 ? -ENOMEM : r;
}

static int add_file(git_config *files, const char *path, git_config_level_t level)
{
    if (access(path, R_OK) < 0)
        return 0;
    return git_config_add_file_ondisk(files, path, level, NULL, 0);
}

static int add_found(git_config *files, int (*find)(git_buf *), git_config_level_t level)
{
    git_buf path = {0};
    int r = 0;

    if (find(&path) == 0)
        r = add_file(files, path.ptr, level);
    git_buf_dispose(&path);
    return r;
}

static int add_files(git_config *files)
{
    const char *system = getenv("GIT_CONFIG_SYSTEM"), *global = getenv("GIT_CONFIG_GLOBAL");
    int r = 0;

    if (!gitconfig_bool(getenv("GIT_CONFIG_NOSYSTEM"), false))
        r = system ? add_file(files, system, GIT_CONFIG_LEVEL_SYSTEM)
                   : add_found(files, git_config_find_system, GIT_CONFIG_LEVEL_SYSTEM);
    if (r == 0 && global)
        return add_file(files, global, GIT_CONFIG_LEVEL_GLOBAL);
    if (r == 0)
        r = add_found(files, git_config_find_xdg, GIT_CONFIG_LEVEL_XDG);
    if (r == 0)
        r = add_found(files, git_config_find_global, GIT_CONFIG_LEVEL_GLOBAL);
    return r;
}

/* Section and variable without regard to case; what stands between is kept. */
static void lower_key(char *key)
{
    char *last = strrchr(key, '.');

    for (char *c = key; *c && *c != '.'; c++)
        *c = (char)tolower((unsigned char)*c);
    for (char *c = last; c && *c; c++)
        *c = (char)tolower((unsigned char)*c);
}

/* GIT_CONFIG_COUNT, GIT_CONFIG_KEY_0, GIT_CONFIG_VALUE_0, ...: how containers hand settings in. */
static int add_environment(struct gitconfig *config)
{
    const char *count_text = getenv("GIT_CONFIG_COUNT");
    int count = count_text ? atoi(count_text) : 0, r = 0;

    for (int i = 0; i < count && r == 0; i++) {
        char name[40], *key;
        const char *named, *value;
        snprintf(name, sizeof name, "GIT_CONFIG_KEY_%d", i);
        named = getenv(name);
        if (!named)
            break;
        key = strdup(named);
        if (!key)
            return -ENOMEM;
        lower_key(key);
        snprintf(name, sizeof name, "GIT_CONFIG_VALUE_%d", i);
        value = getenv(name);
        if (value && is_of_use(key))
            r = add_entry(config, key, value);
        free(key);
    }
    return r;
}

static int load(struct gitconfig *config, struct error *e)
{
    git_config *files = NULL;
    int r = git_config_new(&files);

    if (r == 0)
        r = add_files(files);
    if (r == 0)
        r = copy_entries(config, files);
    if (r < 0 && r != -ENOMEM &&
        library_error(e, r, "git's configuration cannot be read; `git config --list` says where") ==
            -ENOMEM)
        r = -ENOMEM;
    git_config_free(files);
    if (r == 0)
        r = add_environment(config);
    if (r == -ENOMEM)
        return error_set(e, ENOMEM, "out of memory for git's configuration");
    if (r < 0 && e)
        e->errnum = EINVAL;
    return r < 0 ? -EINVAL : 0;
}

int gitconfig_load(struct gitconfig **out, struct error *e)
{
    struct gitconfig *config = calloc(1, sizeof *config);
    int r = config ? library_start(e) : error_no_memory(e);

    if (r == 0) {
        r = load(config, e);
        library_close();
    }
    if (r < 0) {
        gitconfig_free(config);
        return r;
    }
    *out = config;
    return 0;
}

void gitconfig_free(struct gitconfig *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->count; i++) {
        /* http.extraHeader may hold a token. */
        explicit_bzero(config->entries[i].value, strlen(config->entries[i].value));
        free(config->entries[i].key);
        free(config->entries[i].value);
    }
    free(config->entries);
    free(config);
}

/* A key and its value, each with its NUL. */
int gitconfig_pack(const struct gitconfig *config, int fd)
{
    int copy = dup(fd);
    FILE *file = copy < 0 ? NULL : fdopen(copy, "w");

    if (!file)
        return -errno;
    for (size_t i = 0; i < config->count; i++) {
        fwrite(config->entries[i].key, 1, strlen(config->entries[i].key) + 1, file);
        fwrite(config->entries[i].value, 1, strlen(config->entries[i].value) + 1, file);
    }
    return fclose(file) == 0 ? 0 : -errno;
}

int gitconfig_unpack(struct gitconfig **out, const char *bytes, size_t size, struct error *e)
{
    struct gitconfig *config = calloc(1, sizeof *config);
    const char *end = bytes + size;
    int r = config && (size == 0 || end[-1] == '\0') ? 0 : -ENOMEM;

    while (r == 0 && bytes < end) {
        const char *key = bytes, *value = key + strlen(key) + 1;
        r = value < end ? add_entry(config, key, value) : -ENOMEM;
        bytes = value < end ? value + strlen(value) + 1 : end;
    }
    if (r < 0) {
        gitconfig_free(config);
        return error_set(e, ENOMEM, "out of memory for git's configuration");
    }
    *out = config;
    return 0;
}

const char *gitconfig_get(const struct gitconfig *config, const char *key)
{
    for (size_t i = config->count; i > 0; i--)
        if (strcmp(config->entries[i - 1].key, key) == 0)
            return config->entries[i - 1].value;
    return NULL;
}

const char **gitconfig_get_all(const struct gitconfig *config, const char *key, size_t *count)
{
    const char **values = calloc(config->count + 1, sizeof *values);

    *count = 0;
    for (size_t i = 0; values && i < config->count; i++)
        if (strcmp(config->entries[i].key, key) == 0)
            values[(*count)++] = config->entries[i].value;
    return values;
}

int gitconfig_each(const struct gitconfig *config,
                   int (*visit)(void *data, const char *key, const char *value), void *data)
{
    int r = 0;

    for (size_t i = 0; i < config->count && r == 0; i++)
        r = visit(data, config->entries[i].key, config->entries[i].value);
    return r;
}

char *gitconfig_rewrite(const struct gitconfig *config, const char *url)
{
    const struct entry *best = NULL;
    size_t best_length = 0, tail = strlen(".insteadof");
    char *out;

    for (size_t i = 0; i < config->count; i++) {
        const struct entry *entry = &config->entries[i];
        size_t key = strlen(entry->key), length = strlen(entry->value);
        if (strncmp(entry->key, "url.", 4) != 0 || key < 4 + tail ||
            strcmp(entry->key + key - tail, ".insteadof") != 0)
            continue;
        if (strncmp(url, entry->value, length) == 0 && (!best || length > best_length)) {
            best = entry;
            best_length = length;
        }
    }
    if (!best)
        return strdup(url);
    if (asprintf(&out, "%.*s%s", (int)(strlen(best->key) - 4 - tail), best->key + 4,
                 url + best_length) < 0)
        return NULL;
    return out;
}

/* Whether an entry is http.VARIABLE or http.URL.VARIABLE for this URL, and how closely it fits. */
static bool fits(const struct entry *entry, const char *url, const char *variable,
                 struct urlmatch *how)
{
    const char *last = strrchr(entry->key, '.');
    char *pattern;
    bool matches;

    *how = (struct urlmatch){0};
    if (strncmp(entry->key, "http.", 5) != 0 || strcmp(last + 1, variable) != 0)
        return false;
    if (last == entry->key + 4)
        return true;
    pattern = strndup(entry->key + 5, (size_t)(last - entry->key - 5));
    matches = pattern && urlmatch_fits(pattern, url, how);
    free(pattern);
    return matches;
}

int gitconfig_http_all(const struct gitconfig *config, const char *url, const char *variable,
                       int (*visit)(void *data, const char *value), void *data)
{
    struct urlmatch best = {0}, how;
    int r = 0;

    for (size_t i = 0; i < config->count && r == 0; i++) {
        if (!fits(&config->entries[i], url, variable, &how) || urlmatch_compare(&how, &best) < 0)
            continue;
        best = how;
        r = visit(data, config->entries[i].value);
    }
    return r;
}

static int keep_last(void *data, const char *value)
{
    *(const char **)data = value;
    return 0;
}

const char *gitconfig_http(const struct gitconfig *config, const char *url, const char *variable)
{
    const char *value = NULL;

    gitconfig_http_all(config, url, variable, keep_last, &value);
    return value;
}

bool gitconfig_bool(const char *value, bool otherwise)
{
    if (!value)
        return otherwise;
    if (strcasecmp(value, "true") == 0 || strcasecmp(value, "yes") == 0 ||
        strcasecmp(value, "on") == 0 || atoi(value) != 0)
        return true;
    if (strcasecmp(value, "false") == 0 || strcasecmp(value, "no") == 0 ||
        strcasecmp(value, "off") == 0 || strcmp(value, "0") == 0 || !*value)
        return false;
    return otherwise;
}

const char *gitconfig_library(char *buffer, size_t size)
{
    int major, minor, revision;

    git_libgit2_version(&major, &minor, &revision);
    snprintf(buffer, size, "libgit2 %d.%d.%d", major, minor, revision);
    return buffer;
}
