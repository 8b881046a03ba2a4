/* test_arguments.c - the command line: what each option says, where it may stand, and sentences that help; and how it reaches
 * a worker. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/cli/arguments.h"
#include "fs/cli/mount_helper.h"
#include "fs/cli/worker_arguments.h"
#include "fs/supervisor/spawn.h"

#define ALL (~0u)
#define ANY ((size_t)-1)

/* One that takes every option, and any operands. */
static const struct verb any_verb = {
    .name = "any", .operands = "X...", .accepts = ALL, .most = ANY};

/* Of a command line in one text: its words are parted by blanks. */
struct parsed {
    char text[500];
    char *argv[40];
    int argc, result;
    bool help;
    struct arguments arguments;
    struct error error;
};

static void split(struct parsed *parsed, const char *line)
{
    char *rest = parsed->text;

    *parsed = (struct parsed){.argc = 0};
    snprintf(parsed->text, sizeof parsed->text, "%s", line);
    for (char *word; (word = strsep(&rest, " "));)
        parsed->argv[parsed->argc++] = word;
}

static const struct arguments *parse(struct parsed *parsed, const struct verb *verb,
                                     const char *line)
{
    split(parsed, line);
    parsed->result = arguments_parse(&parsed->arguments, verb, parsed->argc, parsed->argv,
                                     &parsed->help, &parsed->error);
    return &parsed->arguments;
}

static void release(struct parsed *parsed)
{
    arguments_release(&parsed->arguments);
}

static void without_options_all_is_as_usual(void **state)
{
    struct parsed parsed;
    const struct arguments *a = parse(&parsed, &any_verb, "x");

    (void)state;
    assert_int_equal(parsed.result, 0);
    assert_false(parsed.help);
    assert_string_equal(a->options, "");
    assert_int_equal(a->days, 30);
    assert_false(a->has_days);
    assert_true(a->max_size == 0);
    assert_null(a->listen);
    assert_null(a->port);
    assert_null(a->mount);
    assert_int_equal(a->settings.type, TYPE_NONE);
    assert_int_equal(a->settings.colour, COLOUR_AUTO);
    assert_int_equal(a->settings.cache_mode, CACHE_MODE_AS_IT_IS);
    release(&parsed);
}

static void each_option_with_a_value(void **state)
{
    struct parsed parsed;
    char here[1000], cache[1100];
    const struct arguments *a = parse(
        &parsed, &any_verb,
        "one --cache c --sets /s --cache-mode=0755 -o refs_ttl=7 -otimeout=8 --jobs 256 --days=0 "
        "--max-size 2K --listen :: --port 65535 --mount /m --color never --custom two");

    (void)state;
    assert_int_equal(parsed.result, 0);
    assert_non_null(getcwd(here, sizeof here));
    snprintf(cache, sizeof cache, "%s/c", here);
    assert_string_equal(a->settings.cache, cache);
    assert_string_equal(a->settings.sets, "/s");
    assert_int_equal(a->settings.cache_mode, CACHE_MODE_ALL);
    assert_string_equal(a->options, "refs_ttl=7,timeout=8");
    assert_int_equal(a->settings.refs_ttl, 7);
    assert_int_equal(a->settings.timeout, 8);
    assert_int_equal(a->settings.jobs, 256);
    assert_int_equal(a->days, 0);
    assert_true(a->has_days);
    assert_true(a->max_size == 2048);
    assert_string_equal(a->listen, "::");
    assert_string_equal(a->port, "65535");
    assert_string_equal(a->mount, "/m");
    assert_int_equal(a->settings.colour, COLOUR_NEVER);
    assert_int_equal(a->settings.type, TYPE_CUSTOM);
    assert_int_equal(a->count, 2);
    assert_string_equal(a->operands[0], "one");
    assert_string_equal(a->operands[1], "two");
    release(&parsed);
}

/* Each says what it says, and nothing else. */
static void each_flag(void **state)
{
    static const struct {
        const char *name;
        size_t offset; /* of its bool */
    } flags[] = {
        {"-f", offsetof(struct arguments, settings.foreground)},
        {"--offline", offsetof(struct arguments, settings.offline)},
        {"--json", offsetof(struct arguments, settings.json)},
        {"--quiet", offsetof(struct arguments, settings.quiet)},
        {"--force", offsetof(struct arguments, force)},
        {"--lazy", offsetof(struct arguments, lazy)},
        {"--strict", offsetof(struct arguments, strict)},
        {"--dry-run", offsetof(struct arguments, dry_run)},
        {"--prometheus", offsetof(struct arguments, prometheus)},
        {"--progress", offsetof(struct arguments, progress)},
        {"--watch", offsetof(struct arguments, watch)},
        {"--worktree", offsetof(struct arguments, worktree)},
    };
    size_t count = sizeof flags / sizeof *flags;

    (void)state;
    for (size_t given = 0; given < count; given++) {
        struct parsed parsed;
        const struct arguments *a = parse(&parsed, &any_verb, flags[given].name);
        assert_int_equal(parsed.result, 0);
        assert_int_equal(a->count, 0);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(*((const bool *)a + flags[i].offset), i == given);
        release(&parsed);
    }
}

static void the_types(void **state)
{
    static const char *const names[] = {"--languages", "--exercises", "--custom"};
    static const enum start_point_type types[] = {TYPE_LANGUAGES, TYPE_EXERCISES, TYPE_CUSTOM};
    struct parsed parsed;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char line[100];
        snprintf(line, sizeof line, "%s %s", names[i], names[i]);
        assert_int_equal(parse(&parsed, &any_verb, line)->settings.type, types[i]);
        assert_int_equal(parsed.result, 0);
        release(&parsed);
    }
}

static void the_colours(void **state)
{
    static const char *const words[] = {"--color=auto", "--color=always", "--color=never"};
    static const enum colour colours[] = {COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER};
    struct parsed parsed;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(parse(&parsed, &any_verb, words[i])->settings.colour, colours[i]);
        release(&parsed);
    }
}

static void what_is_not_taken_is_said(void **state)
{
    static const struct {
        const char *line, *says;
    } rows[] = {
        {"--jobs 0", "--jobs 0: give a number from 1 to 256"},
        {"--jobs 257", "--jobs 257: give a number from 1 to 256"},
        {"--jobs +1", "--jobs +1: give a number from 1 to 256"},
        {"--jobs 1x", "--jobs 1x: give a number from 1 to 256"},
        {"--days 36501", "--days 36501: give a number from 0 to 36500"},
        {"--days=-1", "--days -1: give a number from 0 to 36500"},
        {"--port 65536", "--port 65536: give a number from 0 to 65535"},
        {"--port http", "--port http: give a number from 0 to 65535"},
        {"--max-size 0", "--max-size 0: give a number of bytes, or with K, M or G"},
        {"--max-size much", "--max-size much: give a number of bytes, or with K, M or G"},
        {"--cache-mode 0777", "option cache_mode=0777: give cache_mode=0700 or cache_mode=0755"},
        {"--cache-mode 00755", "--cache-mode 00755: give 0700 or 0755"},
        {"--cache-mode 0,rw", "--cache-mode 0,rw: give 0700 or 0755"},
        {"--cache-mode a,b", "--cache-mode a,b: give 0700 or 0755"},
        {"--color blue", "--color blue: give auto, always or never"},
        {"--languages --custom", "give only one of --languages, --exercises and --custom"},
        {"-o refs_ttl=soon", "option refs_ttl=soon: give a number from 0 to 1073741824"},
        {"--quiet=1", "option --quiet takes no value"},
        {"--cache", "option --cache needs a value: --cache DIR"},
        {"--cache=", "option --cache needs a value: --cache DIR"},
        {"--cache ", "option --cache needs a value: --cache DIR"},
        {"-o", "option -o needs a value: -o OPTIONS"},
        {"-fo", "unknown option '-fo' (did you mean '-f'?): see 'startpointfs any --help'"},
        {"--qiet=1",
         "unknown option '--qiet=1' (did you mean '--quiet'?): see 'startpointfs any --help'"},
        {"--quietly",
         "unknown option '--quietly' (did you mean '--quiet'?): see 'startpointfs any --help'"},
    };
    struct parsed parsed;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        parse(&parsed, &any_verb, rows[i].line);
        assert_int_equal(parsed.result, -EINVAL);
        assert_string_equal(parsed.error.text, rows[i].says);
        release(&parsed);
    }
}

static void a_verb_takes_its_own_options_alone(void **state)
{
    static const struct verb quiet_verb = {
        .name = "hush", .operands = "A [B]", .accepts = ACCEPTS_QUIET, .least = 1, .most = 2};
    static const struct {
        const char *line, *says;
    } rows[] = {
        {"a --json", "unknown option '--json': see 'startpointfs hush --help'"},
        {"a --qiet",
         "unknown option '--qiet' (did you mean '--quiet'?): see 'startpointfs hush --help'"},
        {"--quiet", "hush: too few operands; usage: startpointfs hush [OPTIONS] A [B]"},
        {"a b c d", "unexpected operand 'c'; usage: startpointfs hush [OPTIONS] A [B]"},
    };
    struct parsed parsed;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        parse(&parsed, &quiet_verb, rows[i].line);
        assert_int_equal(parsed.result, -EINVAL);
        assert_string_equal(parsed.error.text, rows[i].says);
        release(&parsed);
    }
    for (size_t count = 1; count <= 2; count++) {
        assert_int_equal(parse(&parsed, &quiet_verb, count == 1 ? "a" : "a b")->count, count);
        assert_int_equal(parsed.result, 0);
        release(&parsed);
    }
}

static void two_dashes_end_the_options(void **state)
{
    struct parsed parsed;
    const struct arguments *a = parse(&parsed, &any_verb, "- --quiet -- --json -- -h");

    (void)state;
    assert_int_equal(parsed.result, 0);
    assert_true(a->settings.quiet);
    assert_false(a->settings.json || parsed.help);
    assert_int_equal(a->count, 4);
    assert_string_equal(a->operands[0], "-");
    assert_string_equal(a->operands[1], "--json");
    assert_string_equal(a->operands[2], "--");
    assert_string_equal(a->operands[3], "-h");
    release(&parsed);
}

static void help_is_given_whatever_else_is_wrong_behind_it(void **state)
{
    static const char *const lines[] = {"--help --nonsense", "-h"};
    static const struct verb verb = {.name = "verb", .operands = "A", .least = 1, .most = 1};
    struct parsed parsed;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        parse(&parsed, &verb, lines[i]);
        assert_int_equal(parsed.result, 0);
        assert_true(parsed.help);
        release(&parsed);
    }
}

static void the_verb_may_follow_options(void **state)
{
    static const struct {
        const char *line, *found; /* NULL: none */
    } rows[] = {
        {"ls", "ls"},
        {"--cache dir fetch x --quiet", "fetch --cache dir x --quiet"},
        {"--cache=dir fetch", "fetch --cache=dir"},
        {"-f -ojobs=1 mount a b", "mount -f -ojobs=1 a b"},
        {"-o jobs=1 mount a", "mount -o jobs=1 a"},
        {"--nonsense ls", "ls --nonsense"},
        {"--quiet", NULL},
        {"--cache dir", NULL},
        {"--cache", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct parsed parsed;
        char joined[200] = "";
        split(&parsed, rows[i].line);
        assert_int_equal(arguments_find_verb(parsed.argc, parsed.argv), rows[i].found != NULL);
        for (int j = 0; j < parsed.argc; j++)
            strcat(strcat(joined, j ? " " : ""), parsed.argv[j]);
        if (rows[i].found)
            assert_string_equal(joined, rows[i].found);
    }
}

/* In what everybody can read; the copy keeps it. */
static void passwords_are_blanked(void **state)
{
    static const struct {
        const char *given, *blanked;
    } rows[] = {
        {"https://me:hush@host/a?tag=b@c", "https://*******@host/a?tag=b@c"},
        {"https://me@x:hush@host", "https://*********@host"},
        {"1234567@https://me:hush@host/a", "1234567@https://*******@host/a"},
        {"https://host/a@b", "https://host/a@b"},
        {"https://host?x=@", "https://host?x=@"},
        {"https://host#@", "https://host#@"},
        {"me:hush@host", "me:hush@host"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char given[100], first[] = "first";
        char *argv[] = {first, given, NULL};
        strcpy(given, rows[i].given);
        char **copy = arguments_copy(2, argv);
        assert_string_equal(given, rows[i].blanked);
        assert_string_equal(copy[0], "first");
        assert_string_equal(copy[1], rows[i].given);
        assert_null(copy[2]);
        arguments_free_copy(copy);
    }
}

static void a_verbs_options_are_listed(void **state)
{
    static const struct verb verb = {.name = "verb",
                                     .accepts = ACCEPTS_DAYS | ACCEPTS_QUIET | ACCEPTS_MAX_SIZE};
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    arguments_print_options(&verb, out);
    fclose(out);
    assert_string_equal(
        text, "  --days N            keep what was read in the last N days (30)\n"
              "  --max-size SIZE     shrink the cache to SIZE, least recently read first\n"
              "  --quiet             print errors only\n");
    free(text);
}

static void mount_8_calls_its_helper(void **state)
{
    static const struct {
        const char *line, *becomes; /* NULL: usage */
        bool is_fake;
    } rows[] = {
        {"helper list /m", "-- list /m", false},
        {"helper list /m -s -n -v -o ro,jobs=1 -N 3 -t startpointfs", "-o ro,jobs=1 -- list /m",
         false},
        {"helper -o a list /m -o b", "-o a -o b -- list /m", false},
        {"helper list /m -f", "-- list /m", true},
        {"helper none /m -o ro", "-o ro -o fsname=none -- /m", false},
        {"helper -- -list /m", "-- -list /m", false},
        {"helper list", NULL, false},
        {"helper a b c", NULL, false},
        {"helper list /m -x", NULL, false},
        {"helper list /m -h", NULL, false},
        {"helper list /m -o", NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct parsed parsed;
        struct mount_helper helper;
        char joined[200] = "";
        split(&parsed, rows[i].line);
        optind = 0; /* begins anew */
        int r = mount_helper_parse(&helper, parsed.argc, parsed.argv, &parsed.error);
        assert_int_equal(r, rows[i].becomes ? 0 : -EINVAL);
        if (r < 0) {
            assert_non_null(strstr(parsed.error.text, "usage: mount"));
        } else {
            for (int j = 0; j < helper.argc; j++)
                strcat(strcat(joined, j ? " " : ""), helper.argv[j]);
            assert_string_equal(joined, rows[i].becomes);
            assert_int_equal(helper.is_fake, rows[i].is_fake);
        }
        mount_helper_release(&helper);
    }
}

/* What `mount` was called with comes to the worker, but for the mount point. */
static void a_worker_is_told_all(void **state)
{
    static const struct verb worker_verb = {
        .name = "worker",
        .accepts = ACCEPTS_CACHE | ACCEPTS_SETS | ACCEPTS_OFFLINE | ACCEPTS_TYPE | ACCEPTS_MOUNT,
        .most = ANY};
    struct worker_arguments told;
    struct parsed parsed;
    char here[1000], log[1100];

    (void)state;
    assert_non_null(getcwd(here, sizeof here));
    snprintf(log, sizeof log, "%s/l", here);
    parse(&parsed, &any_verb,
          "--cache /c --sets /s --jobs 9 --exercises -f --offline -o log_file=l,refs_ttl=3 -- -a "
          "https://h/b /mnt");
    assert_int_equal(parsed.result, 0);
    int fd = worker_arguments_write(&parsed.arguments, &parsed.error);
    assert_true(fd >= SPAWN_FDS);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    for (int i = 0; i < 2; i++) { /* the next worker, too */
        assert_int_equal(worker_arguments_read(&told, fd, &worker_verb, &parsed.error), 0);
        const struct settings *settings = &told.arguments.settings;
        assert_string_equal(settings->cache, "/c");
        assert_string_equal(settings->sets, "/s");
        assert_int_equal(settings->jobs, 9);
        assert_int_equal(settings->type, TYPE_EXERCISES);
        assert_true(settings->foreground && settings->offline);
        assert_string_equal(settings->log_file, log);
        assert_int_equal(settings->refs_ttl, 3);
        assert_int_equal(told.arguments.count, 3);
        assert_string_equal(told.arguments.operands[0], here);
        assert_string_equal(told.arguments.operands[1], "-a");
        assert_string_equal(told.arguments.operands[2], "https://h/b");
        worker_arguments_release(&told);
    }
    close(fd);
    release(&parsed);
    parse(&parsed, &any_verb, "/mnt");
    fd = worker_arguments_write(&parsed.arguments, &parsed.error);
    assert_int_equal(worker_arguments_read(&told, fd, &worker_verb, &parsed.error), 0);
    assert_false(told.arguments.settings.foreground || told.arguments.settings.offline);
    assert_int_equal(told.arguments.settings.type, TYPE_NONE);
    assert_null(told.arguments.settings.log_file);
    assert_int_equal(told.arguments.count, 1);
    worker_arguments_release(&told);
    close(fd);
    release(&parsed);
}

static void what_is_no_workers_is_refused(void **state)
{
    static const char *const texts[] = {"", "--help"};
    struct worker_arguments told;
    struct error error;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        FILE *file = tmpfile();
        fwrite(texts[i], 1, i ? strlen(texts[i]) + 1 : 0, file);
        fflush(file);
        assert_int_equal(worker_arguments_read(&told, fileno(file), &any_verb, &error), -EINVAL);
        assert_string_equal(error.text, "the mount's arguments are not a worker's");
        worker_arguments_release(&told);
        fclose(file);
    }
    assert_int_equal(worker_arguments_read(&told, -1, &any_verb, &error), -EBADF);
    assert_string_equal(error.text, "cannot read the mount's arguments: Bad file descriptor");
    worker_arguments_release(&told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_options_all_is_as_usual),
        cmocka_unit_test(each_option_with_a_value),
        cmocka_unit_test(each_flag),
        cmocka_unit_test(the_types),
        cmocka_unit_test(the_colours),
        cmocka_unit_test(what_is_not_taken_is_said),
        cmocka_unit_test(a_verb_takes_its_own_options_alone),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(help_is_given_whatever_else_is_wrong_behind_it),
        cmocka_unit_test(the_verb_may_follow_options),
        cmocka_unit_test(passwords_are_blanked),
        cmocka_unit_test(a_verbs_options_are_listed),
        cmocka_unit_test(mount_8_calls_its_helper),
        cmocka_unit_test(a_worker_is_told_all),
        cmocka_unit_test(what_is_no_workers_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
