#include "fs/cli/mount_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gitcache/base/url.h"

#define FUSE_CONF "/etc/fuse.conf"

static bool has_option(const char *options, const char *name)
{
    size_t length = strlen(name);

    for (const char *at = options; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (strncmp(at, name, length) == 0 && (!at[length] || at[length] == ','))
            return true;
    return false;
}

/* Whether fuse.conf has a line "user_allow_other". */
static bool users_may_share(void)
{
    FILE *file = fopen(FUSE_CONF, "re");
    char *line = NULL;
    size_t size = 0;
    bool found = false;

    while (file && !found && getline(&line, &size, file) >= 0) {
        char *text = line + strspn(line, " \t");
        text[strcspn(text, " \t\r\n#")] = '\0';
        found = strcmp(text, "user_allow_other") == 0;
    }
    free(line);
    if (file)
        fclose(file);
    return found;
}

static int check_sharing(const struct settings *settings, struct error *e)
{
    const char *options = settings->fuse_options;
    const char *name = has_option(options, "allow_other")  ? "allow_other"
                       : has_option(options, "allow_root") ? "allow_root"
                                                           : NULL;

    if (!name || geteuid() == 0 || users_may_share())
        return 0;
    return error_set(e, EPERM,
                     "option %s: ordinary users may show a mount to others only if root has put "
                     "the line 'user_allow_other' into " FUSE_CONF
                     "; put it there, or leave %s out",
                     name, name);
}

/* Malloc'd; NULL: out of memory. */
static char *name_of_source(char *const *operands, size_t count, const struct source_list *sources)
{
    char shown[1024];

    if (count != 1)
        return strdup("startpointfs");
    if (access(operands[0], F_OK) == 0)
        return operands[0][0] == '/' ? strdup(operands[0]) : realpath(operands[0], NULL);
    return strdup(sources->count ? url_display(sources->items[0].url, shown, sizeof shown)
                                 : "startpointfs");
}

/* As fuse_opt(3) reads it. NULL: out of memory. */
static char *escape(const char *text)
{
    char *escaped = malloc(2 * strlen(text) + 1), *to = escaped;

    for (; escaped && *text; text++) {
        if (*text == ',' || *text == '\\')
            *to++ = '\\';
        *to++ = *text;
    }
    if (escaped)
        *to = '\0';
    return escaped;
}

int mount_options_make(char **out, const struct settings *settings, char *const *operands,
                       size_t count, const struct source_list *sources, struct error *e)
{
    const char *given = settings->fuse_options ? settings->fuse_options : "";
    int r = check_sharing(settings, e);

    if (r == 0 && settings->holder && has_option(given, "auto_unmount"))
        r = error_set(e, EINVAL,
                      "options holder and auto_unmount exclude each other: a mount either outlives "
                      "its supervisor or ends with it");
    if (r < 0)
        return r;
    char *name = name_of_source(operands, count, sources), *escaped = name ? escape(name) : NULL;
    if (!escaped || asprintf(out, "ro,default_permissions,fsname=%s,subtype=startpointfs%s%s",
                             escaped, *given ? "," : "", given) < 0)
        r = error_no_memory(e);
    free(escaped);
    free(name);
    return r;
}
