#include "fs/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/terminal.h"
#include "manifest/nearest.h"

enum option_kind {
    OPTION_FLAG,   /* bool: whether it is given */
    OPTION_NUMBER, /* unsigned */
    OPTION_ID,     /* unsigned: a user's or group's; the caller's if it is not given */
    OPTION_SIZE,   /* uint64_t: bytes, with K, M or G */
    OPTION_PATH,   /* char *: made absolute */
    OPTION_SOCKET, /* likewise, of a unix socket; or a word that stands for one */
    OPTION_TEXT,   /* char *: as it is, also empty */
    OPTION_CHOICE, /* an enum: one of the words from `least` to `most` */
};

/* All that there is to an option; its default is in settings_init. */
struct mount_option {
    const char *name;
    enum option_kind kind;
    size_t offset; /* of its field in struct settings */
    uint64_t least, most;
    const char *value;   /* what the help calls it */
    const char *summary; /* NULL: not in the help */
    const char *(*word)(unsigned choice);
};

static const char *level_word(unsigned level)
{
    return log_level_name((enum log_level)level);
}

static const char *type_word(unsigned type)
{
    return type_name((enum start_point_type)type);
}

static const char *browse_word(unsigned browse)
{
    static const char *const words[] = {[BROWSE_ALL] = "all", [BROWSE_NAMED] = "named"};
    return words[browse];
}

static const char *readahead_word(unsigned readahead)
{
    static const char *const words[] = {[READAHEAD_NO] = "no", [READAHEAD_YES] = "yes"};
    return words[readahead];
}

static const char *search_word(unsigned search)
{
    static const char *const words[] = {[SEARCH_CHEAP] = "cheap", [SEARCH_ALWAYS] = "always"};
    return words[search];
}

static const char *cache_mode_word(unsigned mode)
{
    static const char *const words[] = {[CACHE_MODE_OWNER] = "0700", [CACHE_MODE_ALL] = "0755"};
    return words[mode];
}

#define SOCKET_OF_SYSTEMD "systemd"
#define SOCKET_PATH_MOST  ((size_t)107) /* unix(7) */

#define AT(field) offsetof(struct settings, field)

static const struct mount_option mount_options[] = {
    {"cache", OPTION_PATH, AT(cache), 0, 0, "DIR", "where fetched versions are kept", NULL},
    {"cache_max", OPTION_SIZE, AT(cache_max), 1, SETTINGS_SIZE_MOST, "SIZE",
     "above this size, versions that no source names are removed, least recently read first", NULL},
    {"cache_mode", OPTION_CHOICE, AT(cache_mode), CACHE_MODE_OWNER, CACHE_MODE_ALL, NULL,
     "who can read the cache: its owner alone, or everybody (a new cache: 0700)", cache_mode_word},
    {"sets", OPTION_PATH, AT(sets), 0, 0, "DIR", "where named sets are kept", NULL},
    {"refs_ttl", OPTION_NUMBER, AT(refs_ttl), 0, 1u << 30, "SECONDS",
     "how long a remote's listing stays valid", NULL},
    {"timeout", OPTION_NUMBER, AT(timeout), 1, 86400, "SECONDS",
     "a read fails when its fetch makes no progress for this long", NULL},
    {"jobs", OPTION_NUMBER, AT(jobs), 1, JOBS_MAX, "N", "simultaneous fetches from one host", NULL},
    {"rate", OPTION_NUMBER, AT(remote.rate), 0, 1000, "N",
     "requests per second to one host, after the first two hundred; 0: no limit", NULL},
    {"offline", OPTION_FLAG, AT(offline), 0, 0, NULL, "use what the cache has, never the network",
     NULL},
    {"prefetch", OPTION_FLAG, AT(prefetch), 0, 0, NULL,
     "fetch everything the sources name, in the background", NULL},
    {"readahead", OPTION_CHOICE, AT(readahead), READAHEAD_NO, READAHEAD_YES, NULL,
     "fetch the rest of a list once readers have asked for two of its versions", readahead_word},
    {"search", OPTION_CHOICE, AT(search), SEARCH_CHEAP, SEARCH_ALWAYS, NULL,
     "search the history for commits that no list names: at servers that send it without files, or "
     "at all",
     search_word},
    {"browse", OPTION_CHOICE, AT(browse), BROWSE_ALL, BROWSE_NAMED, NULL,
     "what 'ls REPOSITORY' shows: all versions, or those that sources name", browse_word},
    {"no_fetch_for", OPTION_TEXT, AT(no_fetch_for), 0, 0, "NAMES",
     "processes for which nothing is fetched, separated by colons (updatedb and desktop indexers)",
     NULL},
    {"max_file", OPTION_SIZE, AT(max_file), 0, SETTINGS_SIZE_MOST, "SIZE",
     "larger files cannot be read", NULL},
    {"max_pack", OPTION_SIZE, AT(remote.max_pack), 1, SETTINGS_SIZE_MOST, "SIZE",
     "larger packs are refused", NULL},
    {"max_nodes", OPTION_NUMBER, AT(max_nodes), 1024, (1u << 31) - 1, "N",
     "how many files and folders the mount can show", NULL},
    {"uid", OPTION_ID, AT(uid), 0, UINT32_MAX - 1, "N", "the owner of all files", NULL},
    {"gid", OPTION_ID, AT(gid), 0, UINT32_MAX - 1, "N", "the group of all files", NULL},
    {"user", OPTION_TEXT, AT(user), 0, 0, "NAME",
     "if root mounts, the user that its workers run as: NAME, UID or UID:GID", NULL},
    {"type", OPTION_CHOICE, AT(type), TYPE_LANGUAGES, TYPE_CUSTOM, NULL,
     "the same as --languages and so on", type_word},
    {"log", OPTION_CHOICE, AT(log_level), LOG_LEVEL_ERROR, LOG_LEVEL_DEBUG, NULL,
     "what is written to the log", level_word},
    {"log_file", OPTION_PATH, AT(log_file), 0, 0, "FILE",
     "where the log goes instead of syslog (with -f: stderr)", NULL},
    {"holder", OPTION_SOCKET, AT(holder), 0, 0, "SOCKET|systemd",
     "who keeps the mount alive when its supervisor dies", NULL},
    {"no_resend", OPTION_FLAG, AT(no_resend), 0, 0, NULL,
     NULL /* for tests: as on a kernel that cannot send requests again */, NULL},
};

#define MOUNT_OPTION_COUNT (sizeof mount_options / sizeof *mount_options)

/* "error|warning|info|debug", from malloc; NULL: out of memory. */
static char *join_words(const struct mount_option *option, const char *between, const char *before)
{
    char *joined = strdup("");

    for (uint64_t choice = option->least; joined && choice <= option->most; choice++) {
        char *longer;
        if (asprintf(&longer, "%s%s%s%s", joined, *joined ? between : "", before,
                     option->word((unsigned)choice)) < 0)
            longer = NULL;
        free(joined);
        joined = longer;
    }
    return joined;
}

static int refuse_value(const struct mount_option *option, const char *value, struct error *e)
{
    char *words = NULL, *name = NULL;
    int r;

    if (option->kind == OPTION_FLAG)
        return error_set(e, EINVAL, "option %s takes no value", option->name);
    if (option->kind == OPTION_SOCKET && value && *value)
        return error_set(e, EINVAL, "option %s=%s: a socket's path has at most %zu bytes",
                         option->name, value, SOCKET_PATH_MOST);
    if (option->kind == OPTION_PATH || option->kind == OPTION_SOCKET || option->kind == OPTION_TEXT)
        return error_set(e, EINVAL, "option %s needs a value: %s=%s", option->name, option->name,
                         option->value);
    if (option->kind == OPTION_CHOICE) {
        if (asprintf(&name, "%s=", option->name) < 0)
            return error_no_memory(e);
        words = join_words(option, " or ", name);
        r = error_set(e, EINVAL, "option %s=%s: give %s", option->name, value ? value : "",
                      words ? words : option->name);
        free(name);
        free(words);
        return r;
    }
    return error_set(e, EINVAL, "option %s=%s: give a number from %llu to %llu%s", option->name,
                     value ? value : "", (unsigned long long)option->least,
                     (unsigned long long)option->most,
                     option->kind == OPTION_SIZE ? ", in bytes or with K, M or G" : "");
}

static int take_choice(const struct mount_option *option, const char *value, unsigned *field)
{
    for (uint64_t choice = option->least; value && choice <= option->most; choice++)
        if (strcmp(option->word((unsigned)choice), value) == 0) {
            *field = (unsigned)choice;
            return 0;
        }
    return -EINVAL;
}

static int take_socket(char **field, const char *value)
{
    int r = 0;

    if (strcmp(value, SOCKET_OF_SYSTEMD) != 0) {
        r = settings_folder(field, value);
        return r == 0 && strlen(*field) > SOCKET_PATH_MOST ? -EINVAL : r;
    }
    free(*field);
    *field = strdup(value);
    return *field ? 0 : -ENOMEM;
}

static int take_text(char **field, const char *value)
{
    char *copy = strdup(value);

    if (!copy)
        return -ENOMEM;
    free(*field);
    *field = copy;
    return 0;
}

/* Puts the value into its field. 0, -EINVAL, -ENOMEM. */
static int take_value(struct settings *settings, const struct mount_option *option,
                      const char *value)
{
    void *field = (char *)settings + option->offset;
    uint64_t number;

    switch (option->kind) {
    case OPTION_FLAG:
        *(bool *)field = true;
        return value ? -EINVAL : 0;
    case OPTION_PATH:
        return value && *value ? settings_folder(field, value) : -EINVAL;
    case OPTION_SOCKET:
        return value && *value ? take_socket(field, value) : -EINVAL;
    case OPTION_TEXT:
        return value ? take_text(field, value) : -EINVAL;
    case OPTION_CHOICE:
        return take_choice(option, value, field);
    case OPTION_NUMBER:
    case OPTION_ID:
    case OPTION_SIZE:
        break;
    }
    if (!value || settings_number(value, option->most, &number) < 0 || number < option->least)
        return -EINVAL;
    if (option->kind == OPTION_SIZE)
        *(uint64_t *)field = number;
    else
        *(unsigned *)field = (unsigned)number;
    return 0;
}

static int take_mount_option(struct settings *settings, const struct mount_option *option,
                             const char *value, struct error *e)
{
    int r = take_value(settings, option, value);

    if (r == -EINVAL)
        return refuse_value(option, value, e);
    if (r < 0)
        return error_no_memory(e);
    if (option->offset == AT(timeout)) {
        settings->remote.silence_timeout = settings->timeout;
        if (settings->remote.connect_timeout > settings->timeout)
            settings->remote.connect_timeout = settings->timeout;
    }
    return 0;
}

/* A field as the help shows it; "" where there is nothing to say. */
static const char *show_default(const struct settings *settings, const struct mount_option *option,
                                char *buffer, size_t size)
{
    const void *field = (const char *)settings + option->offset;
    uint64_t number = option->kind == OPTION_SIZE     ? *(const uint64_t *)field
                      : option->kind == OPTION_NUMBER ? *(const unsigned *)field
                                                      : 0;
    const char *unit = "";

    if (option->word && *(const unsigned *)field >= option->least)
        snprintf(buffer, size, " (%s)", option->word(*(const unsigned *)field));
    else
        buffer[0] = '\0';
    if (option->kind == OPTION_SIZE && number && !(number & ((1u << 30) - 1))) {
        number >>= 30;
        unit = "G";
    }
    if (number)
        snprintf(buffer, size, " (%llu%s)", (unsigned long long)number, unit);
    return buffer;
}

int options_print(FILE *out)
{
    struct settings defaults;
    struct terminal terminal = terminal_of(fileno(out), COLOUR_NEVER);
    char left[80], value[160], line[400];
    int r = settings_init(&defaults);

    for (size_t i = 0; i < MOUNT_OPTION_COUNT && r == 0; i++) {
        const struct mount_option *option = &mount_options[i];
        if (!option->summary)
            continue;
        char *words = option->word ? join_words(option, "|", "") : NULL;
        const char *what = words ? words : option->value;
        snprintf(left, sizeof left, "%s%s%s", option->name, what ? "=" : "", what ? what : "");
        snprintf(line, sizeof line, "  %-32s %s%s", left, option->summary,
                 show_default(&defaults, option, value, sizeof value));
        terminal_print(&terminal, out, STYLE_PLAIN, 0, 35, line);
        free(words);
    }
    settings_release(&defaults);
    return r;
}

/* ---- those of others ---- */

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
           strncmp(name, "comment=", 8) == 0 || strncmp(name, "helper=", 7) == 0 ||
           strncmp(name, "uhelper=", 8) == 0;
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

static int refuse_option(const char *option, struct error *e)
{
    char hint[NEAREST_HINT_SIZE];
    struct nearest nearest;

    nearest_begin(&nearest, option);
    for (size_t i = 0; i < MOUNT_OPTION_COUNT; i++)
        if (mount_options[i].summary)
            nearest_try(&nearest, mount_options[i].name);
    return error_set(e, EINVAL,
                     "unknown mount option '%s'%s: 'startpointfs mount --help' names them all",
                     option, nearest_hint(&nearest, hint));
}

static int set_option(struct settings *settings, char *option, struct error *e)
{
    if (!*option || is_for_mount(option))
        return 0;
    if (strcmp(option, "remount") == 0)
        return error_set(
            e, EINVAL,
            "there is nothing to remount: lists and sets are read again when they change, and "
            "'startpointfs reload MOUNTPOINT' switches to a new program; to change options, "
            "unmount ('startpointfs umount MOUNTPOINT') and mount again");
    if (is_for_fuse(option))
        return add_fuse_option(settings, option);

    char *value = strchr(option, '=');
    if (value)
        *value++ = '\0';
    for (size_t i = 0; i < MOUNT_OPTION_COUNT; i++)
        if (strcmp(mount_options[i].name, option) == 0)
            return take_mount_option(settings, &mount_options[i], value, e);
    return refuse_option(option, e);
}

int options_take(struct settings *settings, const char *options, struct error *e)
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
