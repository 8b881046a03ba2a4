#include "fs/cli/worker_arguments.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/cli/arguments.h"
#include "fs/supervisor/spawn.h"

static void put(FILE *file, const char *argument)
{
    fwrite(argument, 1, strlen(argument) + 1, file);
}

/* All of them; the last operand, the mount point, is not for workers. */
static void put_all(FILE *file, const struct arguments *arguments, const char *folder)
{
    const struct settings *settings = &arguments->settings;
    const char *type = type_name(settings->type);

    put(file, "-o");
    fprintf(file, "%s%s%s%s%s,jobs=%u%c", arguments->options,
            settings->log_file ? ",log_file=" : "", settings->log_file ? settings->log_file : "",
            type ? ",type=" : "", type ? type : "", settings->jobs, '\0');
    put(file, "--cache");
    put(file, settings->cache);
    put(file, "--sets");
    put(file, settings->sets);
    if (settings->offline)
        put(file, "--offline");
    if (settings->foreground)
        put(file, "-f");
    put(file, "--");
    put(file, folder);
    for (size_t i = 0; i + 1 < arguments->count; i++)
        put(file, arguments->operands[i]);
}

int worker_arguments_write(const struct arguments *arguments, struct error *e)
{
    char *folder = getcwd(NULL, 0);
    int fd = folder ? spawn_move_fd(memfd_create("startpointfs-arguments", MFD_CLOEXEC)) : -1;
    int copy = fd < 0 ? -1 : dup(fd);
    FILE *file = copy < 0 ? NULL : fdopen(copy, "w");
    int r = 0;

    if (file)
        put_all(file, arguments, folder);
    if (!file || ferror(file))
        r = -errno;
    if (file && fclose(file) != 0)
        r = -errno;
    else if (!file && copy >= 0)
        close(copy);
    free(folder);
    if (r == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return error_set(e, -r, "cannot keep the arguments for the mount: %s", strerror(-r));
}

/* All of it, and how many strings it is. The offset is shared with other workers. */
static int load(struct worker_arguments *out, int fd, size_t *count)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    out->bytes = calloc(1, (size_t)st.st_size + 1);
    if (!out->bytes)
        return -ENOMEM;
    if (pread(fd, out->bytes, (size_t)st.st_size, 0) != st.st_size)
        return -EIO;
    for (off_t i = 0; i < st.st_size; i++)
        *count += !out->bytes[i];
    out->argv = calloc(*count + 1, sizeof *out->argv);
    return out->argv ? 0 : -ENOMEM;
}

int worker_arguments_read(struct worker_arguments *out, int fd, const struct verb *verb,
                          struct error *e)
{
    size_t count = 0;
    bool help = false;

    *out = (struct worker_arguments){0};
    int r = load(out, fd, &count);
    if (r < 0)
        return error_set(e, -r, "cannot read the mount's arguments: %s", strerror(-r));
    char *at = out->bytes;
    for (size_t i = 0; i < count; i++, at += strlen(at) + 1)
        out->argv[i] = at;
    r = arguments_parse(&out->arguments, verb, (int)count, out->argv, &help, e);
    if (r == 0 && (help || out->arguments.count == 0))
        r = error_set(e, EINVAL, "the mount's arguments are not a worker's");
    return r;
}

void worker_arguments_release(struct worker_arguments *arguments)
{
    arguments_release(&arguments->arguments);
    free(arguments->argv);
    free(arguments->bytes);
}
