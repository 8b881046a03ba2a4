/* verb.h - what a verb of the program is: one row of the table in main.c, one file verb_NAME.c, one
 * function. */
#ifndef FS_CLI_VERB_H
#define FS_CLI_VERB_H

#include <stdbool.h>
#include <stddef.h>

#include "fs/exit.h"
#include "fs/settings.h"

/* Options that a verb accepts, besides --help. */
enum accepts {
    ACCEPTS_CACHE = 1 << 0,
    ACCEPTS_SETS = 1 << 1,
    ACCEPTS_OFFLINE = 1 << 2,
    ACCEPTS_JSON = 1 << 3,
    ACCEPTS_QUIET = 1 << 4,
    ACCEPTS_TYPE = 1 << 5,
    ACCEPTS_MOUNT = 1 << 6, /* -f, -o */
    ACCEPTS_FORCE = 1 << 7,
    ACCEPTS_STRICT = 1 << 8,
    ACCEPTS_DRY_RUN = 1 << 9,
    ACCEPTS_DAYS = 1 << 10,
    ACCEPTS_PROMETHEUS = 1 << 11,
    ACCEPTS_JOBS = 1 << 12,
    ACCEPTS_PROGRESS = 1 << 13,
    ACCEPTS_MAX_SIZE = 1 << 19,
    ACCEPTS_CACHE_MODE = 1 << 20,
    ACCEPTS_SERVE = 1 << 14, /* --listen, --port, --mount */
    ACCEPTS_COLOUR = 1 << 15,
    ACCEPTS_WATCH = 1 << 16,
    ACCEPTS_WORKTREE = 1 << 17,
    ACCEPTS_LAZY = 1 << 18,
};

/* A command line, parsed. */
struct arguments {
    const struct verb *verb;
    struct settings settings;
    char *options; /* all -o, joined with commas, as given; "" if none */
    bool force, lazy, strict, dry_run, prometheus, progress, watch, worktree;
    unsigned days;
    bool has_days;                     /* --days was given */
    uint64_t max_size;                 /* 0: not given */
    const char *listen, *port, *mount; /* NULL: not given */
    char **operands;                   /* borrowed from argv */
    size_t count;
};

struct verb {
    const char *name;
    const char *operands;                    /* for the usage line */
    const char *summary;                     /* one line */
    const char *help;                        /* further lines; may be NULL */
    unsigned accepts;                        /* enum accepts */
    size_t least, most;                      /* operands */
    int (*run)(struct arguments *arguments); /* returns the exit code */
};

int verb_mount(struct arguments *arguments);
int verb_worker(struct arguments *arguments);
int verb_probe(struct arguments *arguments);
int verb_reload(struct arguments *arguments);
int verb_hold(struct arguments *arguments);
int verb_umount(struct arguments *arguments);
int verb_status(struct arguments *arguments);
int verb_fetch(struct arguments *arguments);
int verb_versions(struct arguments *arguments);
int verb_create(struct arguments *arguments);
int verb_check(struct arguments *arguments);
int verb_ls(struct arguments *arguments);
int verb_inspect(struct arguments *arguments);
int verb_images(struct arguments *arguments);
int verb_update(struct arguments *arguments);
int verb_rm(struct arguments *arguments);
int verb_gc(struct arguments *arguments);
int verb_serve(struct arguments *arguments);

#endif
