#include "fs/cli/mount_users.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "fs/supervisor/mount_table.h"

#define NAMESPACES 256 /* more are not told apart */

struct user_search {
    uint64_t device;
    FILE *out;
    unsigned count;
    ino_t namespaces[NAMESPACES]; /* whose tables have been looked at */
    unsigned namespace_count;
};

/* Whether what a link of /proc leads to lies in the mount. The kernel's copy of the attributes will do. */
static bool leads_into(const char *path, uint64_t device)
{
    struct statx st;

    return statx(AT_FDCWD, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE, &st) == 0 &&
           makedev(st.stx_dev_major, st.stx_dev_minor) == device;
}

static bool has_open(const char *process, uint64_t device)
{
    char path[300];
    bool found = false;

    snprintf(path, sizeof path, "/proc/%s/fd", process);
    DIR *folder = opendir(path);
    for (const struct dirent *entry; folder && !found && (entry = readdir(folder));) {
        snprintf(path, sizeof path, "/proc/%s/fd/%.20s", process, entry->d_name);
        found = *entry->d_name != '.' && leads_into(path, device);
    }
    if (folder)
        closedir(folder);
    return found;
}

/* "7f0000000000-7f0000001000 r--p 00000000 00:2a 17 /path" */
static bool has_mapped(const char *process, uint64_t device)
{
    char path[300], *line = NULL;
    size_t size = 0;
    unsigned major, minor;
    bool found = false;

    snprintf(path, sizeof path, "/proc/%s/maps", process);
    FILE *file = fopen(path, "re");
    while (file && !found && getline(&line, &size, file) > 0)
        found = sscanf(line, "%*s %*s %*s %x:%x", &major, &minor) == 2 &&
                makedev(major, minor) == device;
    free(line);
    if (file)
        fclose(file);
    return found;
}

static void print_user(struct user_search *search, const char *process, const char *how)
{
    char path[300], command[64] = "?";
    struct stat st = {0};

    snprintf(path, sizeof path, "/proc/%s/comm", process);
    FILE *file = fopen(path, "re");
    if (file && fgets(command, sizeof command, file))
        command[strcspn(command, "\n")] = '\0';
    if (file)
        fclose(file);
    snprintf(path, sizeof path, "/proc/%s", process);
    if (stat(path, &st) < 0 && errno == ENOENT)
        return;
    search->count++;
    fprintf(search->out, "  process %s (%s, user %u): %s\n", process, command, (unsigned)st.st_uid,
            how);
}

static void look_at_process(struct user_search *search, const char *process)
{
    static const struct {
        const char *link, *how;
    } links[] = {
        {"cwd", "its working folder"}, {"root", "its root folder"}, {"exe", "its program"}};
    char path[300];

    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        snprintf(path, sizeof path, "/proc/%s/%s", process, links[i].link);
        if (leads_into(path, search->device)) {
            print_user(search, process, links[i].how);
            return;
        }
    }
    if (has_open(process, search->device))
        print_user(search, process, "open files");
    else if (has_mapped(process, search->device))
        print_user(search, process, "mapped files");
}

static int is_of_device(void *data, const struct mount_row *row)
{
    return row->device == *(const uint64_t *)data;
}

static ino_t namespace_of(const char *process)
{
    char path[300];
    struct stat st;

    snprintf(path, sizeof path, "/proc/%s/ns/mnt", process);
    return stat(path, &st) == 0 ? st.st_ino : 0;
}

/* A container keeps a mount of its own, also if no process of it is inside. */
static void look_at_namespace(struct user_search *search, const char *process)
{
    ino_t own = namespace_of(process);

    for (unsigned i = 0; i < search->namespace_count; i++)
        if (search->namespaces[i] == own)
            return;
    if (!own || search->namespace_count == NAMESPACES)
        return;
    search->namespaces[search->namespace_count++] = own;
    if (mount_table_each(process, is_of_device, &search->device) > 0)
        print_user(search, process,
                   "the mount is in this process's namespace, perhaps a container's");
}

unsigned mount_users_print(uint64_t device, FILE *out)
{
    struct user_search search = {.device = device, .out = out};
    DIR *folder = opendir("/proc");

    search.namespaces[search.namespace_count++] = namespace_of("self");
    for (const struct dirent *entry; folder && (entry = readdir(folder));) {
        pid_t pid = atoi(entry->d_name);
        if (pid <= 0 || pid == getpid())
            continue;
        look_at_process(&search, entry->d_name);
        look_at_namespace(&search, entry->d_name);
    }
    if (folder)
        closedir(folder);
    return search.count;
}
