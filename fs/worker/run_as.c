#include "fs/worker/run_as.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gitcache/base/disk.h"

struct run_as {
    uid_t uid;
    gid_t gid;
    char name[64]; /* "": nobody is called so */
    char home[512];
};

/* A number that is a whole word; or false. */
static bool is_number(const char *text, unsigned *out)
{
    char *end;

    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    *out = (unsigned)value;
    return *text >= '0' && *text <= '9' && !*end && !errno && value < UINT32_MAX;
}

/* NAME, or UID. */
static bool find_user(struct run_as *out, const char *text)
{
    bool numeric = is_number(text, &out->uid);
    const struct passwd *entry = numeric ? getpwuid(out->uid) : getpwnam(text);

    snprintf(out->home, sizeof out->home, "%s", entry ? entry->pw_dir : "/");
    snprintf(out->name, sizeof out->name, "%s", entry ? entry->pw_name : "");
    if (!entry)
        return false;
    out->uid = entry->pw_uid;
    out->gid = entry->pw_gid;
    return true;
}

/* NAME, UID, or either with :GROUP or :GID. */
static int find(struct run_as *out, const char *text, struct error *e)
{
    const char *group = strchr(text, ':');
    char *user = strndup(text, group ? (size_t)(group - text) : strlen(text));

    if (!user)
        return error_no_memory(e);
    *out = (struct run_as){0};
    bool known = find_user(out, user), numeric = is_number(user, &(unsigned){0});
    free(user);
    if (!known && !numeric)
        return error_set(e, EINVAL, "option user=%s: there is no such user", text);
    if (!known && !group)
        return error_set(e, EINVAL, "option user=%s: no user has that number; give UID:GID", text);
    const struct group *entry = group ? getgrnam(group + 1) : NULL;
    if (entry)
        out->gid = entry->gr_gid;
    else if (group && !is_number(group + 1, &out->gid))
        return error_set(e, EINVAL, "option user=%s: there is no such group", text);
    return 0;
}

/* Whether there is anything to do. 1, 0 or a negative errno. */
static int begin(struct run_as *out, const struct settings *settings, struct error *e)
{
    if (!settings->user)
        return 0;
    int r = find(out, settings->user, e);
    if (r < 0)
        return r;
    if (out->uid == geteuid())
        return 0;
    return geteuid() == 0
               ? 1
               : error_set(e, EPERM, "option user=%s: only root can run a mount as another user",
                           settings->user);
}

static int make_cache(const struct run_as *who, const char *cache, struct error *e)
{
    int r = disk_make_private_folder(cache, e);

    if (r == 0 && chown(cache, who->uid, who->gid) < 0)
        r = error_set(e, errno, "cannot give the cache %s to its user: %s", cache, strerror(errno));
    return r;
}

int run_as_prepare(const struct settings *settings, struct error *e)
{
    struct run_as who;
    struct stat st;
    int r = begin(&who, settings, e);

    if (r <= 0)
        return r;
    if (stat(settings->cache, &st) < 0)
        return make_cache(&who, settings->cache, e);
    if (st.st_uid == who.uid)
        return 0;
    return error_set(e, EACCES,
                     "the cache %s belongs to another user: `chown -R %s %s`, or give user=%s a "
                     "cache of its own "
                     "(cache=)",
                     settings->cache, settings->user, settings->cache, settings->user);
}

void run_as_lend(const struct settings *settings)
{
    struct run_as who;

    if (begin(&who, settings, NULL) <= 0)
        return;
    if (setegid(who.gid) == 0 && seteuid(who.uid) < 0)
        run_as_take_back();
}

void run_as_take_back(void)
{
    if (seteuid(getuid()) < 0 || setegid(getgid()) < 0)
        abort(); /* it was root, and is to mount */
}

/* What root's environment says is not for this user. */
static void change_environment(const struct run_as *who)
{
    static const char *const others[] = {"XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME",
                                         "XDG_RUNTIME_DIR"};

    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        unsetenv(others[i]);
    setenv("HOME", who->home, 1);
    setenv("USER", *who->name ? who->name : "", 1);
    setenv("LOGNAME", *who->name ? who->name : "", 1);
}

static int change_ids(const struct run_as *who)
{
    int r = *who->name ? initgroups(who->name, who->gid) : setgroups(1, &who->gid);

    if (r < 0 || setresgid(who->gid, who->gid, who->gid) < 0 ||
        setresuid(who->uid, who->uid, who->uid) < 0)
        return -errno;
    return 0;
}

int run_as_enter(const struct settings *settings, int death_signal, struct error *e)
{
    struct run_as who;
    pid_t parent = getppid();
    int r = begin(&who, settings, e);

    if (r <= 0)
        return r;
    r = change_ids(&who);
    if (r < 0)
        return error_set(e, -r, "cannot become user=%s: %s", settings->user, strerror(-r));
    change_environment(&who);
    /* The kernel forgets it with each change of the user. */
    prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0);
    if (death_signal && getppid() != parent)
        _exit(1);
    return 0;
}
