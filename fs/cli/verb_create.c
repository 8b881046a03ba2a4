/* verb_create.c - makes a named set: fetched, checked, pinned, recorded. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fs/cli/set_arguments.h"
#include "fs/cli/set_pins.h"
#include "fs/cli/verb.h"
#include "fs/sets/sets.h"

/* What can be known before anything is fetched. */
static int check_name(const struct arguments *arguments, const char *name)
{
    const char *sets = arguments->settings.sets, *why, *other;
    struct error error;
    char **names;
    int code = EXIT_OK;

    if (!set_name_is_valid(name, &why))
        return exit_fail(CODE_BAD_ARGUMENTS, "set name '%s' %s", name, why);
    if (!arguments->force && set_exists(sets, name))
        return exit_fail(CODE_BAD_ARGUMENTS, "the set '%s' already exists; --force replaces it",
                         name);
    if (sets_names(sets, &names, &error) < 0)
        return exit_fail(EXIT_FAILED, "%s", error.text);
    other = sets_in_the_way(names, name);
    if (other)
        code = exit_fail(CODE_BAD_ARGUMENTS,
                         "the sets '%s' and '%s' cannot both exist: a set is a folder, and none "
                         "may lie inside another; choose another name",
                         other, name);
    sets_names_free(names);
    return code;
}

/* How to see the set in a mount, with the options that it was created with. */
static void say_how_to_mount(const struct set *set, const struct settings *settings)
{
    struct settings defaults;
    bool known = settings_init(&defaults) == 0;

    printf("Mount it: startpointfs mount");
    if (known && strcmp(defaults.cache, settings->cache) != 0)
        printf(" --cache %s", settings->cache);
    if (known && strcmp(defaults.sets, settings->sets) != 0)
        printf(" --sets %s", settings->sets);
    printf(" MOUNTPOINT\nIt is then at MOUNTPOINT/.startpointfs/sets/%s/.\n"
           "Running mounts without a SOURCE show it already.\n",
           set->name);
    settings_release(&defaults);
}

static int record(struct set *set, const struct checking *checking,
                  const struct arguments *arguments)
{
    const struct settings *settings = &arguments->settings;
    struct error error;
    char count[64];
    size_t changed;

    set->made_at = time(NULL);
    if (set_pins_take(set, NULL, checking, settings->quiet, &changed, &error) < 0)
        return exit_fail(CODE_BAD_ARGUMENTS, "%s", error.text);
    if (set_save(set, settings->sets, arguments->force, &error) < 0)
        return exit_fail(EXIT_FAILED, "%s", error.text);
    if (!settings->quiet) {
        printf("Created the set '%s': %s, all checked.\n", set->name,
               set_arguments_count(set, count));
        say_how_to_mount(set, settings);
    }
    return EXIT_OK;
}

static int create(struct set *set, const struct arguments *arguments)
{
    const struct settings *settings = &arguments->settings;
    struct checking_options options = {
        .gather = {.newest = true, .progress = !settings->quiet},
        .strict = arguments->strict,
    };
    struct checking checking;
    struct error error;
    int code;

    if (checking_run(&checking, settings, set, &options, &error) < 0) {
        code = exit_fail(EXIT_FAILED, "%s; nothing was recorded", error.text);
    } else {
        code = checking_report(&checking, false);
        if (code)
            exit_fail(code, "the set '%s' was not created: see above", set->name);
        else
            code = record(set, &checking, arguments);
    }
    checking_release(&checking);
    return code;
}

int verb_create(struct arguments *arguments)
{
    struct set set = {0};
    int code = check_name(arguments, arguments->operands[0]);

    if (code == EXIT_OK)
        code = set_arguments_take(&set, arguments, 1);
    if (code == EXIT_OK) {
        set.name = strdup(arguments->operands[0]);
        code = set.name ? create(&set, arguments) : exit_fail(EXIT_FAILED, "out of memory");
    }
    set_release(&set);
    return code;
}
