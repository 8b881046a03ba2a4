#include "fs/tree/unasked.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMM_SIZE 16 /* the kernel's: 15 bytes and a NUL */

int unasked_find(const char *names, const char *comm)
{
    size_t length = strlen(comm);

    for (int i = 0; *names; i++) {
        size_t whole = strcspn(names, ":");
        size_t kept = whole < COMM_SIZE - 1 ? whole : COMM_SIZE - 1;
        if (kept > 0 && kept == length && strncmp(names, comm, kept) == 0)
            return i;
        names += whole + (names[whole] == ':');
    }
    return -1;
}

/* The beginning of a file of /proc, without its last newline. False if there is none. */
static bool read_proc(pid_t pid, const char *file, char *text, size_t size)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    if (text[n - 1] == '\n')
        text[n - 1] = '\0';
    return true;
}

/* The kernel tells us the thread. Its process has the name that people know. */
static pid_t process_of(pid_t thread)
{
    static const char key[] = "\nTgid:";
    char text[512];
    const char *found;

    if (!read_proc(thread, "status", text, sizeof text) || !(found = strstr(text, key)))
        return 0;
    return (pid_t)strtol(found + strlen(key), NULL, 10);
}

/* Which name of no_fetch_for= asks; -1: none of them. */
static int name_of(const char *names, pid_t thread)
{
    char comm[64];
    int name = -1;

    if (thread > 0 && read_proc(thread, "comm", comm, sizeof comm))
        name = unasked_find(names, comm);
    if (name >= 0 || thread <= 0)
        return name;
    pid_t process = process_of(thread);
    if (process > 0 && process != thread && read_proc(process, "comm", comm, sizeof comm))
        name = unasked_find(names, comm);
    return name;
}

static void tell(struct mount *mount, int name, pid_t thread)
{
    const char *at = mount->settings->no_fetch_for;
    uint64_t bit = UINT64_C(1) << (name < 63 ? name : 63);

    if (atomic_fetch_or(&mount->unasked_told, bit) & bit)
        return;
    for (; name > 0; name--)
        at += strcspn(at, ":") + 1;
    log_info(mount->log,
             "%.*s (process %d) reads what is not in the cache: nothing is fetched for it "
             "(no_fetch_for=)",
             (int)strcspn(at, ":"), at, (int)thread);
}

int unasked_refuse(struct mount *mount, struct ask *ask)
{
    const char *names = mount->settings->no_fetch_for;

    if (!names || !*names || ask->is_judged)
        return ask->is_unasked ? -EACCES : 0;
    int name = name_of(names, ask->thread);
    ask->is_judged = true;
    ask->is_unasked = name >= 0;
    if (ask->is_unasked)
        tell(mount, name, ask->thread);
    return ask->is_unasked ? -EACCES : 0;
}
