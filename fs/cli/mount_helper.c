#include "fs/cli/mount_helper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void add(struct mount_helper *helper, const char *argument)
{
    helper->argv[helper->argc++] = (char *)argument;
}

int mount_helper_parse(struct mount_helper *out, int argc, char **argv, struct error *e)
{
    int option;

    *out = (struct mount_helper){.argv = calloc((size_t)argc * 2 + 4, sizeof *out->argv)};
    if (!out->argv)
        return error_no_memory(e);
    opterr = 0;
    while ((option = getopt(argc, argv, "sfnvN:t:o:h")) >= 0) {
        if (option == 'o') {
            add(out, "-o");
            add(out, optarg);
        } else if (option == 'f') {
            out->is_fake = true;
        } else if (option == '?' || option == 'h') {
            return error_set(e, EINVAL,
                             "usage: mount.startpointfs SOURCE MOUNTPOINT [-sfnv] [-o OPTIONS], "
                             "called by mount(8); see 'startpointfs mount --help'");
        }
    }
    if (argc - optind != 2)
        return error_set(e, EINVAL, "usage: mount -t startpointfs [-o OPTIONS] SOURCE MOUNTPOINT");
    if (strcmp(argv[optind], "none") == 0) {
        /* So that `mount -a` finds the line of fstab among what is mounted. */
        add(out, "-o");
        add(out, "fsname=none");
        optind++;
    }
    add(out, "--");
    for (; optind < argc; optind++)
        add(out, argv[optind]);
    return 0;
}

void mount_helper_release(struct mount_helper *helper)
{
    free(helper->argv);
}
