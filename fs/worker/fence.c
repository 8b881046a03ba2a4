#include "fs/worker/fence.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/tree/lists_open.h"
#include "fs/worker/fence_build.h"
#include "fs/worker/fence_calls.h"
#include "fs/worker/fence_files.h"
#include "fs/worker/privileges.h"
#include "gitcache/base/clock.h"

#define PAUSE 1000 /* milliseconds between two looks at what has changed */

struct fence {
    const struct worker_start *start;
    const char *cache;
    struct log *log;
    struct fence_files *files; /* NULL: the kernel has no Landlock */
    _Atomic int64_t looked_at;
};

/* What resolves names, and checks certificates; and what libraries load when they are first needed. */
static const char *const system_folders[] = {
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/local/lib",
    "/usr/share",
    "/usr/local/share/ca-certificates",
    "/lib",
    "/lib64",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/etc/krb5.conf.d",
    "/etc/gss",
    "/proc", /* names of processes (unasked.h); what is private there asks for ptrace's rights, which it has over nobody */
    "/run/systemd/resolve",
    "/run/NetworkManager",
    "/run/resolvconf",
};

static const char *const system_files[] = {
    "/etc/resolv.conf",
    "/etc/nsswitch.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/passwd",
    "/etc/group",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/ld.so.cache",
    "/etc/krb5.conf",
    "/etc/machine-id",
    "/dev/urandom",
    "/dev/random",
    "/sys/devices/system/cpu/online",
};

static bool add_system(struct fence_files *files)
{
    bool added = fence_files_add(files, "/dev/null", FENCE_FILES_WRITE);

    for (size_t i = 0; i < sizeof system_folders / sizeof *system_folders && added; i++)
        added = fence_files_add(files, system_folders[i], FENCE_FILES_READ);
    for (size_t i = 0; i < sizeof system_files / sizeof *system_files && added; i++)
        added = fence_files_add(files, system_files[i], FENCE_FILES_READ);
    return added;
}

static int add_list(void *data, const char *path, bool is_folder)
{
    bool added = is_folder ? fence_files_add(data, path, FENCE_FILES_READ)
                           : fence_files_add_changing(data, path);
    return added ? 0 : -ENOMEM;
}

static int add_file(void *data, const char *path)
{
    return fence_files_add_changing(data, path) ? 0 : -ENOMEM;
}

/* A sanitizer looks at this process, and writes its report when it is due. */
static bool add_reports(struct fence_files *files)
{
    if (!FENCE_BUILD_SANITIZED)
        return true;
    const char *folder = getenv("TMPDIR");
    return fence_files_add(files, folder ? folder : "/tmp", FENCE_FILES_WRITE);
}

/* "FILE:/path", "DIR:/path" or a path: that; of other kinds of tickets ("KEYRING:", "KCM:") NULL. */
static const char *path_of_tickets(const char *name)
{
    if (strncmp(name, "FILE:", 5) == 0)
        return name + 5;
    if (strncmp(name, "DIR:", 4) == 0)
        return name + 4;
    return *name == '/' ? name : NULL;
}

/* What Kerberos needs, for servers and proxies that ask for Negotiate: a ticket for each is added to the user's. */
static bool add_tickets(struct fence_files *files)
{
    static const char *const readable[] = {"KRB5_CONFIG", "KRB5_CLIENT_KTNAME"};
    const char *name = getenv("KRB5CCNAME");
    char usual[48];
    bool added = true;

    snprintf(usual, sizeof usual, "/tmp/krb5cc_%u", (unsigned)geteuid());
    const char *path = path_of_tickets(name ? name : usual);
    if (path)
        added = fence_files_add(files, path, FENCE_FILES_WRITE);
    for (size_t i = 0; i < sizeof readable / sizeof *readable && added; i++) {
        name = getenv(readable[i]);
        path = name ? path_of_tickets(name) : NULL;
        added = !path || fence_files_add(files, path, FENCE_FILES_READ);
    }
    return added;
}

/* What a worker with this start opens while it serves. NULL: out of memory. */
static struct fence_files *list_files(const struct fence *fence)
{
    const struct worker_start *start = fence->start;
    struct fence_files *files = fence_files_new();

    if (files && add_system(files) && add_reports(files) && add_tickets(files) &&
        fence_files_add(files, fence->cache, FENCE_FILES_WRITE) &&
        fence_files_add(files, start->settings->sets, FENCE_FILES_READ) &&
        lists_open_each_path(start->folder, start->operands, start->operand_count, add_list,
                             files) == 0 &&
        start->each_file(start->data, add_file, files) != -ENOMEM)
        return files;
    fence_files_free(files);
    return NULL;
}

static void close_files(struct fence *fence)
{
    int r = fence_files_close(fence->files);

    if (r == 0)
        return;
    log_info(fence->log, "no Landlock here (%s): the worker can open whatever its user can",
             strerror(-r));
    fence_files_free(fence->files);
    fence->files = NULL;
}

static int close_all(struct fence *fence, struct error *e)
{
    const struct worker_start *start = fence->start;
    bool beyond = false;
    int r = privileges_begin(e);

    if (r == 0 && lists_open_each_path(start->folder, start->operands, start->operand_count,
                                       privileges_find_beyond, &beyond) < 0)
        r = error_no_memory(e);
    if (r == 0)
        r = privileges_drop(fence->cache, beyond, e);
    if (r < 0)
        return r;
    close_files(fence);
    r = fence_calls_refuse();
    if (r < 0)
        log_info(fence->log, "no seccomp here (%s): the worker can make any system call",
                 strerror(-r));
    return 0;
}

int fence_close(struct fence **out, const struct worker_start *start, const char *cache,
                struct log *log, struct error *e)
{
    struct fence *fence = calloc(1, sizeof *fence);
    int r;

    if (!fence)
        return error_no_memory(e);
    *fence = (struct fence){.start = start, .cache = cache, .log = log};
    fence->files = list_files(fence);
    r = fence->files ? close_all(fence, e) : error_no_memory(e);
    if (r < 0) {
        fence_free(fence);
        return r;
    }
    atomic_store(&fence->looked_at, clock_now());
    *out = fence;
    return 0;
}

void fence_free(struct fence *fence)
{
    fence_files_free(fence->files);
    free(fence);
}

bool fence_is_outdated(struct fence *fence)
{
    const char *path = NULL;

    if (!fence->files)
        return false;
    struct fence_files *files = list_files(fence);
    if (files && fence_files_add_folders(files, fence->files))
        path = fence_files_lack(fence->files, files);
    if (path)
        log_info(fence->log, "%s is new: the next worker can open it", path);
    fence_files_free(files);
    return path != NULL;
}

bool fence_is_outdated_now_and_then(struct fence *fence)
{
    int64_t now = clock_now(), before = atomic_load(&fence->looked_at);

    return now - before >= PAUSE &&
           atomic_compare_exchange_strong(&fence->looked_at, &before, now) &&
           fence_is_outdated(fence);
}
