/* file.h - an input as a file, for what reads files. */
#ifndef TESTS_FUZZ_FILE_H
#define TESTS_FUZZ_FILE_H

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz/pieces.h"

static char fuzz_folder_path[] = "/dev/shm/startpointfs-fuzz-XXXXXX";

static inline void fuzz_folder_remove(void)
{
    DIR *folder = opendir(fuzz_folder_path);
    const struct dirent *entry;

    while (folder && (entry = readdir(folder)))
        unlinkat(dirfd(folder), entry->d_name, 0); /* not "." and "..", which are folders */
    if (folder)
        closedir(folder);
    rmdir(fuzz_folder_path);
}

/* The same folder at each call, in memory, until the fuzzer ends; what it dies of, it leaves there. */
static inline const char *fuzz_folder(void)
{
    static bool is_made;

    if (!is_made && (!mkdtemp(fuzz_folder_path) || atexit(fuzz_folder_remove)))
        abort();
    is_made = true;
    return fuzz_folder_path;
}

/* Writes the input there under that name; borrowed until the next call. */
static inline const char *fuzz_file(const char *name, const uint8_t *data, size_t size)
{
    static char path[PATH_MAX];
    int fd;

    snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size || close(fd)) {
        perror(path);
        abort();
    }
    return path;
}

#endif
