/* main.c - the verbs: one table, which also makes the help. */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fs/cli/arguments.h"
#include "fs/cli/environment.h"
#include "fs/cli/mount_helper.h"
#include "fs/cli/verb.h"
#include "fs/cli/version.h"
#include "fs/options.h"
#include "fs/terminal.h"
#include "manifest/nearest.h"

#define ANY ((size_t)-1)

#define EXIT_CODES                                                                       \
    "Exit codes: 0; 1 failed; 2 usage; 3 a source cannot be fetched; 4 bad arguments,\n" \
    "or the set already exists; 11, 12, 13 a source is given twice (custom,\n"           \
    "exercises, languages); 16 and above: the first error in a manifest, numbered as\n"  \
    "cyber-dojo does.\n"

static const struct verb verbs[] = {
    {"mount", "[SOURCE|LIST]... MOUNTPOINT", "mount lists of start-points as folders",
     "MOUNTPOINT/REPOSITORY/TAG/ holds the files of that tag, fetched when somebody\n"
     "first looks into it. A SOURCE is URL?tag=TAG, URL or SHA@URL; a local path may\n"
     "stand for the URL. A LIST is a file with one source per line, or a folder of\n"
     "such files, *.list. Without a SOURCE, all sets made by 'create' are mounted,\n"
     "and those it makes later.\n",
     ACCEPTS_CACHE | ACCEPTS_SETS | ACCEPTS_OFFLINE | ACCEPTS_QUIET | ACCEPTS_TYPE | ACCEPTS_MOUNT |
         ACCEPTS_JOBS,
     1, ANY, verb_mount},
    {"hold", "SOCKET", "keep mounts alive when their supervisors die",
     "Listens at SOCKET, in the foreground, until SIGTERM. A mount made with\n"
     "'mount -o holder=SOCKET' hands it what a successor needs. If the mount's\n"
     "supervisor dies, readers wait until the same 'mount' command is run again.\n"
     "Only root and the user running 'hold' may connect.\n",
     0, 1, 1, verb_hold},
    {"umount", "MOUNTPOINT", "unmount and end the daemon",
     "If the mount is in use, says by whom and exits with 1. Containers count too.\n",
     ACCEPTS_QUIET | ACCEPTS_LAZY, 1, 1, verb_umount},
    {"status", "MOUNTPOINT", "show what a mount knows and does", NULL,
     ACCEPTS_JSON | ACCEPTS_PROMETHEUS | ACCEPTS_WATCH | ACCEPTS_COLOUR, 1, 1, verb_status},
    {"versions", "SOURCE", "list a remote's tags, newest version last",
     "With ?tag=TAG, lists only that tag; exit code 2 if there is none.\n",
     ACCEPTS_CACHE | ACCEPTS_OFFLINE | ACCEPTS_JSON, 1, 1, verb_versions},
    {"create", "NAME --languages|--exercises|--custom SOURCE|LIST...",
     "make a named set: fetch, check and pin start-points",
     "NAME consists of letters, digits, '.', '_', '-' and '/'. If any start-point has\n"
     "an error, nothing is recorded.\n"
     "\n" EXIT_CODES,
     ACCEPTS_CACHE | ACCEPTS_SETS | ACCEPTS_OFFLINE | ACCEPTS_QUIET | ACCEPTS_TYPE | ACCEPTS_FORCE |
         ACCEPTS_STRICT | ACCEPTS_JOBS | ACCEPTS_COLOUR,
     2, ANY, verb_create},
    {"check", "--languages|--exercises|--custom SOURCE|LIST...",
     "check start-points as 'create' does; record nothing",
     "A SOURCE may also be a folder that is not a git repository. In a checkout\n"
     "('check .'), HEAD is checked, or with --worktree the files as they are. These\n"
     "are warnings, and with --strict errors: a tag that has moved at its remote (3),\n"
     "an image name whose tag is not the git tag (34), and anything that makes the\n"
     "services show display names instead of \"Language, Framework\" (35).\n"
     "\n" EXIT_CODES,
     ACCEPTS_CACHE | ACCEPTS_OFFLINE | ACCEPTS_QUIET | ACCEPTS_TYPE | ACCEPTS_STRICT |
         ACCEPTS_JSON | ACCEPTS_JOBS | ACCEPTS_COLOUR | ACCEPTS_WORKTREE,
     1, ANY, verb_check},
    {"ls", "", "list the named sets", NULL, ACCEPTS_SETS | ACCEPTS_JSON | ACCEPTS_QUIET, 0, 0,
     verb_ls},
    {"inspect", "NAME", "print a set's display names with url, sha and image name, as JSON", NULL,
     ACCEPTS_CACHE | ACCEPTS_SETS | ACCEPTS_OFFLINE | ACCEPTS_JSON, 1, 1, verb_inspect},
    {"images", "NAME", "print a set's image names, sorted, one per line", NULL,
     ACCEPTS_CACHE | ACCEPTS_SETS | ACCEPTS_OFFLINE, 1, 1, verb_images},
    {"update", "NAME", "move a set's branches to their newest commits; tags stay",
     "If any start-point then has an error, nothing is recorded. The exit codes are\n"
     "those of 'create'.\n",
     ACCEPTS_CACHE | ACCEPTS_SETS | ACCEPTS_QUIET | ACCEPTS_STRICT | ACCEPTS_DRY_RUN |
         ACCEPTS_JOBS | ACCEPTS_COLOUR,
     1, 1, verb_update},
    {"rm", "NAME", "remove a named set", NULL, ACCEPTS_SETS | ACCEPTS_QUIET, 1, 1, verb_rm},
    {"fetch", "NAME|SOURCE|LIST...", "fetch all versions of sets and lists into the cache", NULL,
     ACCEPTS_CACHE | ACCEPTS_CACHE_MODE | ACCEPTS_SETS | ACCEPTS_OFFLINE | ACCEPTS_QUIET |
         ACCEPTS_JOBS | ACCEPTS_PROGRESS | ACCEPTS_COLOUR,
     1, ANY, verb_fetch},
    {"reload", "MOUNTPOINT", "switch a mount to the program now on disk", NULL, ACCEPTS_QUIET, 1, 1,
     verb_reload},
    {"gc", "", "remove from the cache what no set names and nobody reads",
     "What a running mount has open stays. Only sets count, not lists given to\n"
     "'mount': what those name is fetched again when it is read. With --max-size the\n"
     "remotes are asked, and what could not be fetched again stays; --days then\n"
     "counts only if given.\n",
     ACCEPTS_CACHE | ACCEPTS_SETS | ACCEPTS_OFFLINE | ACCEPTS_DAYS | ACCEPTS_MAX_SIZE |
         ACCEPTS_DRY_RUN | ACCEPTS_QUIET,
     0, 0, verb_gc},
    {"serve", "[NAME|LIST|FOLDER]...", "answer cyber-dojo's questions about start-points over HTTP",
     "The routes are those of cyber-dojo's start-point services: alive, ready, sha,\n"
     "names, manifests, manifest and image_names. A FOLDER has the layout of\n"
     "/app/repos, and must be the only operand. Changes of sets, lists and folders\n"
     "are noticed, and SIGHUP rereads them; if something cannot be read, the last\n"
     "good answers stay. /healthz and /metrics are for Kubernetes and Prometheus;\n"
     "with --mount they also report on that mount, and no set is needed. The answer\n"
     "to sha is $SHA.\n",
     ACCEPTS_CACHE | ACCEPTS_SETS | ACCEPTS_OFFLINE | ACCEPTS_JOBS | ACCEPTS_SERVE, 0, ANY,
     verb_serve},
    /* What a mount's supervisor starts; not for people, so without a summary. */
    {"worker", "", NULL, NULL,
     ACCEPTS_CACHE | ACCEPTS_SETS | ACCEPTS_OFFLINE | ACCEPTS_TYPE | ACCEPTS_MOUNT, 0, ANY,
     verb_worker},
    {"probe", "", NULL, NULL, 0, 0, 0, verb_probe},
};

#define VERB_COUNT (sizeof verbs / sizeof *verbs)

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < VERB_COUNT; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

/* "unknown verb", with the one that may be meant. */
static int refuse_verb(const char *name)
{
    char hint[NEAREST_HINT_SIZE];
    struct nearest nearest;

    nearest_begin(&nearest, name);
    for (size_t i = 0; i < VERB_COUNT; i++)
        if (verbs[i].summary)
            nearest_try(&nearest, verbs[i].name);
    return exit_fail(EXIT_USAGE, "no verb '%s'%s: 'startpointfs --help' lists them all", name,
                     nearest_hint(&nearest, hint));
}

static void print_help(FILE *out)
{
    fputs("startpointfs shows tagged git repositories as plain folders, read-only.\n\n"
          "usage: startpointfs VERB [OPTIONS] OPERANDS\n\n",
          out);
    for (size_t i = 0; i < VERB_COUNT; i++)
        if (verbs[i].summary)
            fprintf(out, "  %-9s %s\n", verbs[i].name, verbs[i].summary);
    fputs("\n'startpointfs help VERB' says more about a verb.\n", out);
}

static void print_verb_help(const struct verb *verb)
{
    struct terminal terminal = terminal_of(STDOUT_FILENO, COLOUR_NEVER);
    char usage[160];

    snprintf(usage, sizeof usage, "usage: startpointfs %s [OPTIONS]%s%s", verb->name,
             *verb->operands ? " " : "", verb->operands);
    terminal_print(&terminal, stdout, STYLE_PLAIN, 0, 7, usage);
    if (verb->summary)
        printf("\n%c%s.\n", toupper((unsigned char)*verb->summary), verb->summary + 1);
    if (verb->accepts) {
        putchar('\n');
        arguments_print_options(verb, stdout);
    }
    if (verb->help)
        printf("\n%s", verb->help);
    if (verb->run == verb_mount) {
        printf("\nMount options:\n");
        options_print(stdout);
        printf("  allow_other, auto_unmount and other options of fuse(8)\n");
    }
}

/* help [VERB] */
static int help(int argc, char **argv)
{
    const struct verb *verb = argc > 0 ? find_verb(argv[0]) : NULL;

    if (argc > 0 && !verb)
        return refuse_verb(argv[0]);
    if (verb)
        print_verb_help(verb);
    else
        print_help(stdout);
    return EXIT_OK;
}

static bool is_one_of(const char *word, const char *a, const char *b, const char *c)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0 || strcmp(word, c) == 0;
}

static int run_verb(const struct verb *verb, int argc, char **argv)
{
    struct arguments arguments;
    struct error error;
    bool help = false;
    int code;

    if (arguments_parse(&arguments, verb, argc, argv, &help, &error) < 0) {
        code = exit_fail(EXIT_USAGE, "%s", error.text);
    } else if (help) {
        print_verb_help(verb);
        code = EXIT_OK;
    } else {
        code = verb->run(&arguments);
    }
    arguments_release(&arguments);
    return code;
}

static int run_named(const char *name, int argc, char **argv)
{
    const struct verb *verb = find_verb(name);

    return verb ? run_verb(verb, argc, argv) : refuse_verb(name);
}

static int run_as_helper(int argc, char **argv)
{
    struct mount_helper helper;
    struct error error;
    int code;

    if (mount_helper_parse(&helper, argc, argv, &error) < 0)
        code = exit_fail(EXIT_USAGE, "%s", error.text);
    else if (helper.is_fake)
        code = EXIT_OK;
    else
        code = run_named("mount", helper.argc, helper.argv);
    mount_helper_release(&helper);
    return code;
}

static int run(int argc, char **argv)
{
    const char *program = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];

    if (strncmp(program, "mount.", 6) == 0)
        return run_as_helper(argc, argv);
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (is_one_of(argv[1], "help", "--help", "-h"))
        return help(argc - 2, argv + 2);
    if (is_one_of(argv[1], "version", "--version", "-V")) {
        version_print(stdout);
        return EXIT_OK;
    }
    if (!arguments_find_verb(argc - 1, argv + 1))
        return exit_fail(EXIT_USAGE, "no verb given: 'startpointfs --help' lists them all");
    return run_named(argv[1], argc - 2, argv + 2);
}

/* A cache of many versions needs more descriptors than the usual limit, which is there for programs
 * that use select(2). */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* As head(1) is, when it has seen enough. */
static bool reader_is_gone(void)
{
    struct pollfd output = {.fd = STDOUT_FILENO};

    return poll(&output, 1, 0) == 1 && (output.revents & POLLERR);
}

/* What was printed may still lie in memory, and its disk may be full: whoever keeps half of the
 * results must not take them for all. */
static int end_output(int code)
{
    bool lost = ferror(stdout); /* by a write before, whose errno is gone: the next fails alike */

    if (fflush(stdout) == 0 && (!lost || write(STDOUT_FILENO, "\n", 1) >= 0) && !lost)
        return code;
    int errnum = errno;
    if (code != EXIT_OK || reader_is_gone())
        return code;
    return exit_fail(EXIT_FAILED, "cannot write all of the results: %s", strerror(errnum));
}

int main(int argc, char **argv)
{
    char **copy = arguments_copy(argc, argv);
    int code;

    /* A pipe or socket whose other end is gone is an error to report, not a reason to die. */
    signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    environment_complete();
    code = copy ? run(argc, copy) : exit_fail(EXIT_FAILED, "out of memory");
    arguments_free_copy(copy);
    return end_output(code);
}
