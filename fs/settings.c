#include "fs/settings.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/shared/nodes.h"

int settings_folder(char **folder, const char *argument)
{
    char *text = NULL, *here;

    if (argument[0] == '/') {
        text = strdup(argument);
    } else {
        here = getcwd(NULL, 0);
        if (!here || asprintf(&text, "%s/%s", here, argument) < 0)
            text = NULL;
        free(here);
    }
    if (!text)
        return -ENOMEM;
    free(*folder);
    *folder = text;
    return 0;
}

/* The first of: our variable, systemd's, root's folder, XDG's, HOME's. */
static char *default_folder(const char *ours, const char *systemd, const char *below_systemd,
                            const char *for_root, const char *xdg, const char *below_home)
{
    const char *value = getenv(ours), *home = getenv("HOME");
    char *folder = NULL;

    if (value && *value) {
        settings_folder(&folder, value);
        return folder;
    }
    value = getenv(systemd);
    if (value && *value == '/') {
        /* systemd separates several folders with colons; the first is ours. */
        if (asprintf(&folder, "%.*s%s", (int)strcspn(value, ":"), value, below_systemd) < 0)
            return NULL;
        return folder;
    }
    if (geteuid() == 0)
        return strdup(for_root);
    value = getenv(xdg);
    if (value && *value == '/') {
        if (asprintf(&folder, "%s/startpointfs%s", value, below_systemd) < 0)
            return NULL;
        return folder;
    }
    if (asprintf(&folder, "%s/%s/startpointfs%s", home && *home ? home : "/tmp", below_home,
                 below_systemd) < 0)
        return NULL;
    return folder;
}

int settings_init(struct settings *settings)
{
    *settings = (struct settings){
        .refs_ttl = 60,
        .timeout = 30,
        .jobs = 16,
        .max_file = 1ull << 30,
        .max_nodes = NODES_MAX_DEFAULT,
        .uid = geteuid(),
        .gid = getegid(),
        .log_level = LOG_LEVEL_INFO,
    };
    remote_settings_init(&settings->remote);
    settings->cache = default_folder("STARTPOINTFS_CACHE", "CACHE_DIRECTORY", "",
                                     "/var/cache/startpointfs", "XDG_CACHE_HOME", ".cache");
    settings->sets = default_folder("STARTPOINTFS_SETS", "STATE_DIRECTORY", "/sets",
                                    "/var/lib/startpointfs/sets", "XDG_STATE_HOME", ".local/state");
    return settings->cache && settings->sets ? 0 : -ENOMEM;
}

void settings_release(struct settings *settings)
{
    free(settings->cache);
    free(settings->sets);
    free(settings->log_file);
    free(settings->fuse_options);
}

/* A number with an optional K, M or G. */
static int parse_number(const char *text, uint64_t max, uint64_t *out)
{
    char *end;
    unsigned shift = 0;

    if (*text < '0' || *text > '9')
        return -EINVAL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    switch (*end) {
    case 'G':
    case 'g':
        shift += 10; /* fall through */
    case 'M':
    case 'm':
        shift += 10; /* fall through */
    case 'K':
    case 'k':
        shift += 10;
        end++;
    }
    if (errno || *end || value > max >> shift)
        return -EINVAL;
    *out = value << shift;
    return 0;
}

enum value { VALUE_NONE, VALUE_NUMBER, VALUE_TEXT };

/* One row an option of ours: what it is called, where it goes. */
struct option_row {
    const char *name;
    enum value value;
    uint64_t min, max;
    const char *meaning; /* shown when the value is wrong */
    void (*set)(struct settings *settings, uint64_t number);
};

#define SETTER(field)                                                   \
    static void set_##field(struct settings *settings, uint64_t number) \
    {                                                                   \
        settings->field = (__typeof__(settings->field))number;          \
    }

SETTER(refs_ttl)
SETTER(jobs)
SETTER(offline)
SETTER(prefetch)
SETTER(no_resend)
SETTER(max_file)
SETTER(max_nodes)
SETTER(uid)
SETTER(gid)

static void set_timeout(struct settings *settings, uint64_t number)
{
    settings->timeout = (unsigned)number;
    settings->remote.silence_timeout = (unsigned)number;
    if (settings->remote.connect_timeout > number)
        settings->remote.connect_timeout = (unsigned)number;
}

static void set_max_pack(struct settings *settings, uint64_t number)
{
    settings->remote.max_pack = number;
}

static const struct option_row rows[] = {
    {"refs_ttl", VALUE_NUMBER, 0, 1u << 30, "seconds", set_refs_ttl},
    {"timeout", VALUE_NUMBER, 1, 86400, "seconds, from 1", set_timeout},
    {"jobs", VALUE_NUMBER, 1, 256, "a number from 1 to 256", set_jobs},
    {"max_file", VALUE_NUMBER, 0, 1ull << 40, "bytes, with K, M or G", set_max_file},
    {"max_pack", VALUE_NUMBER, 1, 1ull << 40, "bytes, with K, M or G", set_max_pack},
    {"max_nodes", VALUE_NUMBER, 1024, (1u << 31) - 1, "a number from 1024 to 2147483647",
     set_max_nodes},
    {"uid", VALUE_NUMBER, 0, UINT32_MAX - 1, "a numeric user id", set_uid},
    {"gid", VALUE_NUMBER, 0, UINT32_MAX - 1, "a numeric group id", set_gid},
    {"offline", VALUE_NONE, 0, 0, NULL, set_offline},
    {"prefetch", VALUE_NONE, 0, 0, NULL, set_prefetch},
    {"no_resend", VALUE_NONE, 0, 0, NULL, set_no_resend},
};

static int set_from_row(struct settings *settings, const struct option_row *row, const char *value,
                        struct error *e)
{
    uint64_t number = 1;

    if (row->value == VALUE_NONE && value)
        return error_set(e, EINVAL, "option %s takes no value", row->name);
    if (row->value == VALUE_NUMBER &&
        (!value || parse_number(value, row->max, &number) < 0 || number < row->min))
        return error_set(e, EINVAL, "option %s=%s: give %s", row->name, value ? value : "",
                         row->meaning);
    row->set(settings, number);
    return 0;
}

static int set_text(char **field, const char *name, const char *value, struct error *e)
{
    if (!value || !*value)
        return error_set(e, EINVAL, "option %s needs a value: %s=PATH", name, name);
    return settings_folder(field, value);
}

/* What mount(8) passes, or handles itself, and means nothing here. */
static bool is_for_mount(const char *name)
{
    static const char *const names[] = {
        "ro",   "rw",     "defaults", "auto",       "noauto",   "_netdev",    "nofail",
        "user", "nouser", "users",    "owner",      "group",    "silent",     "loud",
        "mand", "nomand", "iversion", "noiversion", "lazytime", "nolazytime",
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return strncmp(name, "x-", 2) == 0 || strncmp(name, "X-", 2) == 0 ||
           strncmp(name, "comment=", 8) == 0 || strncmp(name, "user=", 5) == 0 ||
           strncmp(name, "helper=", 7) == 0 || strncmp(name, "uhelper=", 8) == 0;
}

static bool is_for_fuse(const char *name)
{
    static const char *const names[] = {
        "allow_other", "allow_root", "auto_unmount", "default_permissions",
        "dev",         "nodev",      "suid",         "nosuid",
        "exec",        "noexec",     "atime",        "noatime",
        "nodiratime",  "relatime",   "strictatime",  "norelatime",
        "sync",        "async",      "dirsync",
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return strncmp(name, "fsname=", 7) == 0 || strncmp(name, "subtype=", 8) == 0 ||
           strncmp(name, "context=", 8) == 0 || strncmp(name, "fscontext=", 10) == 0 ||
           strncmp(name, "defcontext=", 11) == 0 || strncmp(name, "rootcontext=", 12) == 0 ||
           strncmp(name, "max_read=", 9) == 0;
}

static int add_fuse_option(struct settings *settings, const char *option)
{
    char *joined;

    if (asprintf(&joined, "%s%s%s", settings->fuse_options ? settings->fuse_options : "",
                 settings->fuse_options ? "," : "", option) < 0)
        return -ENOMEM;
    free(settings->fuse_options);
    settings->fuse_options = joined;
    return 0;
}

static int set_option(struct settings *settings, char *option, struct error *e)
{
    if (!*option || is_for_mount(option))
        return 0;
    if (is_for_fuse(option))
        return add_fuse_option(settings, option);

    char *value = strchr(option, '=');
    if (value)
        *value++ = '\0';
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].name, option) == 0)
            return set_from_row(settings, &rows[i], value, e);
    if (strcmp(option, "cache") == 0)
        return set_text(&settings->cache, option, value, e);
    if (strcmp(option, "sets") == 0)
        return set_text(&settings->sets, option, value, e);
    if (strcmp(option, "log_file") == 0)
        return set_text(&settings->log_file, option, value, e);
    if (strcmp(option, "browse") == 0) {
        if (!value || (strcmp(value, "all") != 0 && strcmp(value, "named") != 0))
            return error_set(e, EINVAL, "option browse=%s: give browse=all or browse=named",
                             value ? value : "");
        settings->browse_named = strcmp(value, "named") == 0;
        return 0;
    }
    if (strcmp(option, "type") == 0) {
        settings->type = value ? type_find(value) : TYPE_NONE;
        if (settings->type == TYPE_NONE)
            return error_set(e, EINVAL,
                             "option type=%s: give type=languages, type=exercises or type=custom",
                             value ? value : "");
        return 0;
    }
    if (strcmp(option, "log") == 0) {
        int level = value ? log_level_parse(value) : -1;
        if (level < 0)
            return error_set(e, EINVAL, "option log=%s: give error, warning, info or debug",
                             value ? value : "");
        settings->log_level = (enum log_level)level;
        return 0;
    }
    return error_set(
        e, EINVAL, "unknown mount option '%s': 'startpointfs mount --help' names them all", option);
}

int settings_options(struct settings *settings, const char *options, struct error *e)
{
    char *copy = strdup(options), *rest = copy, *option;
    int r = 0;

    if (!copy)
        return error_no_memory(e);
    while (r == 0 && (option = strsep(&rest, ",")))
        r = set_option(settings, option, e);
    free(copy);
    return r;
}
