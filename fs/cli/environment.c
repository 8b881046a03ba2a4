#include "fs/cli/environment.h"

#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#define USUAL_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value && *value;
}

void environment_complete(void)
{
    const struct passwd *user = is_set("HOME") ? NULL : getpwuid(geteuid());

    if (user && user->pw_dir && user->pw_dir[0] == '/')
        setenv("HOME", user->pw_dir, 1);
    if (!is_set("PATH"))
        setenv("PATH", USUAL_PATH, 1);
}
