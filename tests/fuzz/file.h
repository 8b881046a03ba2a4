/* file.h - an input as a file, for what reads files. */
#ifndef TESTS_FUZZ_FILE_H
#define TESTS_FUZZ_FILE_H

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz/pieces.h"

/* The same folder at each call, in memory; it stays. */
static inline const char *fuzz_folder(void)
{
    static char folder[] = "/dev/shm/startpointfs-fuzz-XXXXXX";

    if (folder[strlen(folder) - 1] == 'X' && !mkdtemp(folder))
        abort();
    return folder;
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
