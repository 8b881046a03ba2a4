/* verb_inspect.c - `inspect` and `images`: what is in a set. Both read it from the cache, fetching
 * only what is missing there, and differ in what they print. */
#include <stdio.h>
#include <stdlib.h>

#include "fs/cli/verb.h"
#include "fs/sets/checking.h"
#include "manifest/inspect.h"

static int print(const struct checking *checking, char *(*format)(const struct manifest_list *list))
{
    char *text = format(&checking->list);

    if (!text)
        return exit_fail(EXIT_FAILED, "out of memory");
    fputs(text, stdout);
    free(text);
    return EXIT_OK;
}

/* A set was checked when it was recorded. What a newer version of this program finds fault with is
 * no reason to hide what is in it; only what can't be read at all is. */
static bool is_readable(const struct checking *checking)
{
    const struct findings *findings = &checking->list.findings;

    if (checking->list.ended)
        return false;
    for (size_t i = 0; i < findings->count; i++)
        if (findings->items[i].code == EXIT_UNFETCHED)
            return false;
    return true;
}

static int show(struct arguments *arguments, char *(*format)(const struct manifest_list *list))
{
    const struct settings *settings = &arguments->settings;
    struct checking_options options = {0};
    struct checking checking;
    struct error error;
    struct set set;
    int code;

    if (set_load(&set, settings->sets, arguments->operands[0], &error) < 0)
        return exit_fail(EXIT_FAILED, "%s", error.text);
    if (checking_run(&checking, settings, &set, &options, &error) < 0)
        code = exit_fail(EXIT_FAILED, "%s", error.text);
    else if (is_readable(&checking))
        code = print(&checking, format);
    else
        code = checking_report(&checking, false);
    checking_release(&checking);
    set_release(&set);
    return code;
}

int verb_inspect(struct arguments *arguments)
{
    return show(arguments, inspect_list);
}

int verb_images(struct arguments *arguments)
{
    return show(arguments, inspect_images);
}
