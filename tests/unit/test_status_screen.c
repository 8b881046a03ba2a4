/* test_status_screen.c - what `status` shows of a status.json, to the letter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <jansson.h>

#include "fs/cli/status_screen.h"

/* Of JSON with ' for ", where "listed_at: 5" means five hours ago. What is shown is the caller's. */
static char *show(const char *template, const struct terminal *terminal, unsigned rows)
{
    char *json = strdup(template), *shown;
    json_t *repo;
    size_t size, i;
    FILE *out = open_memstream(&shown, &size);

    for (char *c = json; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    json_t *status = json_loads(json, 0, NULL);
    assert_non_null(status);
    json_array_foreach (json_object_get(status, "repositories"), i, repo)
        if (json_integer_value(json_object_get(repo, "listed_at")) == 5)
            json_object_set_new(repo, "listed_at", json_integer(time(NULL) - 5 * 3600 - 30));
    status_screen_print(status, "/m", terminal, rows, out);
    fclose(out);
    json_decref(status);
    free(json);
    return shown;
}

static const char full[] =
    "{'version': '1.2.3', 'pid': 11, 'uptime_seconds': 75, 'restarts': 2,"
    " 'last_restart_cause': 'killed by signal 9', 'reload_refusal': 'other nodes',"
    " 'held_by': 'a holder', 'takeovers': 3, 'cache': '/c', 'offline': true, 'cache_bytes': 12300,"
    " 'cache_max': 45600000, 'cache_removed_versions': 4, 'cache_freed_bytes': 7800,"
    " 'fetches': 5, 'fetches_failed': 1, 'bytes_fetched': 990, 'requests': {'total': 17},"
    " 'waiting': 6, 'sets': [{'name': 'good', 'error': null}, {'name': 'bad', 'error': 'no list'}],"
    " 'list_folders': [{'path': '/lists', 'error': 'gone'}], 'transfers': ["
    "{'repository': 'a', 'versions': ['1'], 'count': 1, 'bytes': 3000, 'seconds': 2.5,"
    " 'silent_seconds': 5},"
    "{'repository': 'b', 'versions': ['2', '3'], 'count': 4, 'bytes': 20, 'seconds': 0,"
    " 'silent_seconds': 6},"
    "{'repository': 'c', 'versions': [], 'count': 0, 'bytes': 0, 'seconds': 1,"
    " 'silent_seconds': 0}],"
    " 'repositories': ["
    "{'name': 'plain', 'url': 'https://h/plain', 'error': null, 'listed_at': 5, 'moved': [],"
    " 'versions': [{'name': '1', 'state': 'ready'}, {'name': '2', 'state': 'listed'}]},"
    "{'name': 'failing', 'url': 'https://h/failing', 'error': 'no route', 'listed_at': 0,"
    " 'moved': [], 'versions': [{'name': '1', 'state': 'failed', 'error': 'no route'},"
    " {'name': '2', 'state': 'ready', 'error': 'damaged'}]},"
    "{'name': 'missing', 'url': 'https://h/missing', 'error': null, 'listed_at': null,"
    " 'moved': [], 'versions': [{'name': '7', 'state': 'missing', 'error': '7 is no tag'}]},"
    "{'name': 'moved', 'url': 'https://h/moved', 'error': null, 'listed_at': 0, 'versions': [],"
    " 'moved': [{'name': '3', 'pinned': '0123456789abcdef'}]}]}";

static void all_of_it(void **state)
{
    const struct terminal pipe = {.columns = 0};
    char *shown = show(full, &pipe, 0);

    (void)state;
    assert_string_equal(
        shown, "startpointfs 1.2.3 on /m\n"
               "worker 11, up 1 min 15 s, restarts: 2\n"
               "    last restart: killed by signal 9\n"
               "    the last reload was refused: other nodes\n"
               "held by a holder; earlier supervisors: 3\n"
               "cache /c (offline): 12.3 kB of at most 45.6 MB\n"
               "    4 versions (7.8 kB) were removed to make room\n"
               "fetches: 5 (1 failed), 990 B; requests: 17 (6 waiting)\n"
               "the list bad is faulty, and stays as it was last read: no list\n"
               "the folder /lists is faulty, and stays as it was last read: gone\n"
               "Being fetched:\n"
               "    a/1: 3.0 kB, 1.2 kB/s, for 2 s\n"
               "    b/2 and 3 more: 20 B, 0 B/s, for 0 s, silent for 6 s\n"
               "    c: its listing: 0 B, 0 B/s, for 1 s\n"
               "\n"
               "plain           2 versions, 1 ready, 0 failed, listed 5 h 0 min ago\n"
               "    https://h/plain\n"
               "failing         2 versions, 1 ready, 1 failed, listed long ago\n"
               "    https://h/failing\n"
               "    no route\n"
               "    2: damaged\n"
               "missing         0 versions, 0 ready, 0 failed, 1 missing, not listed yet\n"
               "    https://h/missing\n"
               "    7 is no tag\n"
               "moved           0 versions, 0 ready, 0 failed, listed long ago\n"
               "    https://h/moved\n"
               "    3 has moved at the remote; the first commit 0123456789 is still served\n");
    free(shown);
}

/* Each line has an indentation of its own for what does not fit into it. */
static void in_a_narrow_terminal(void **state)
{
    const struct terminal narrow = {.columns = 36};
    char *shown = show(full, &narrow, 0);

    (void)state;
    assert_string_equal(shown, "startpointfs 1.2.3 on /m\n"
                               "worker 11, up 1 min 15 s, restarts:\n"
                               "    2\n"
                               "    last restart: killed by signal 9\n"
                               "    the last reload was refused:\n"
                               "    other nodes\n"
                               "held by a holder; earlier\n"
                               "    supervisors: 3\n"
                               "cache /c (offline): 12.3 kB of at\n"
                               "    most 45.6 MB\n"
                               "    4 versions (7.8 kB) were removed\n"
                               "    to make room\n"
                               "fetches: 5 (1 failed), 990 B;\n"
                               "    requests: 17 (6 waiting)\n"
                               "the list bad is faulty, and stays as\n"
                               "    it was last read: no list\n"
                               "the folder /lists is faulty, and\n"
                               "    stays as it was last read: gone\n"
                               "Being fetched:\n"
                               "    a/1: 3.0 kB, 1.2 kB/s, for 2 s\n"
                               "    b/2 and 3 more: 20 B, 0 B/s, for\n"
                               "        0 s, silent for 6 s\n"
                               "    c: its listing: 0 B, 0 B/s, for\n"
                               "        1 s\n"
                               "\n"
                               "plain           2 versions, 1 ready,\n"
                               "                  0 failed, listed 5\n"
                               "                  h 0 min ago\n"
                               "    https://h/plain\n"
                               "failing         2 versions, 1 ready,\n"
                               "                  1 failed, listed\n"
                               "                  long ago\n"
                               "    https://h/failing\n"
                               "    no route\n"
                               "    2: damaged\n"
                               "missing         0 versions, 0 ready,\n"
                               "                  0 failed, 1\n"
                               "                  missing, not\n"
                               "                  listed yet\n"
                               "    https://h/missing\n"
                               "    7 is no tag\n"
                               "moved           0 versions, 0 ready,\n"
                               "                  0 failed, listed\n"
                               "                  long ago\n"
                               "    https://h/moved\n"
                               "    3 has moved at the remote; the\n"
                               "      first commit 0123456789 is\n"
                               "      still served\n");
    free(shown);
}

/* What is not there, or as usual, takes no line. */
static void as_little_as_there_is(void **state)
{
    const struct terminal pipe = {.columns = 0};
    char *shown = show("{'version': '1', 'cache': '/c', 'last_restart_cause': 'x', 'restarts': 0,"
                       " 'transfers': [], 'repositories': [{'name': 'a', 'versions': [{'state':"
                       " 'ready'}], 'listed_at': 5}]}",
                       &pipe, 0);

    (void)state;
    assert_string_equal(shown,
                        "startpointfs 1 on /m\n"
                        "worker 0, up 0 s, restarts: 0\n"
                        "cache /c: 0 B\n"
                        "fetches: 0 (0 failed), 0 B; requests: 0 (0 waiting)\n"
                        "\n"
                        "a               1 version, 1 ready, 0 failed, listed 5 h 0 min ago\n"
                        "    -\n");
    free(shown);
}

#define BOLD    "\033[1m"
#define FAINT   "\033[2m"
#define WARNING "\033[33m"
#define ERROR   "\033[31m"
#define END     "\033[0m\n"

static void what_is_wrong_is_coloured(void **state)
{
    static const char *const lines[] = {
        BOLD "startpointfs 1.2.3 on /m" END,
        "\nworker 11, up 1 min 15 s, restarts: 2" END,
        "    " WARNING "last restart: killed by signal 9" END,
        "    " WARNING "the last reload was refused: other nodes" END,
        ERROR "the list bad is faulty",
        BOLD "Being fetched:" END,
        "\n    a/1: ",
        "    " WARNING "b/2 and 3 more: ",
        "\nplain           2 versions",
        "    " FAINT "https://h/plain" END,
        ERROR "failing         2 versions",
        "    " ERROR "no route" END,
        "    " ERROR "2: damaged" END,
        WARNING "missing         0 versions",
        "    " ERROR "7 is no tag" END,
        WARNING "moved           0 versions",
        "    " WARNING "3 has moved at the remote",
    };
    const struct terminal coloured = {.colours = true};
    char *shown = show(full, &coloured, 0);

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (!strstr(shown, lines[i]))
            fail_msg("no '%s' in %s", lines[i], shown);
    free(shown);
}

static const char names[] =
    "{'repositories': ["
    "{'name': 'a-name-of-more-than-forty-columns-0123456789', 'url': 'https://h/one',"
    " 'listed_at': 5, 'versions': []},"
    "{'name': 'two', 'url': "
    "'https://example.org/a/long/path/to/a/repository/of/somebody/else.git', 'listed_at': 0,"
    " 'versions': [{'state': 'failed'}]}]}";

/* What stands behind the last empty line. */
static void check_rows(unsigned columns, const char *expected)
{
    const struct terminal terminal = {.columns = columns};
    char *shown = show(names, &terminal, 0);

    assert_string_equal(strstr(shown, "\n\n") + 2, expected);
    free(shown);
}

static void rows_are_as_wide_as_the_terminal(void **state)
{
    (void)state;
    check_rows(0, "a-name-of-more-than-forty-columns-0123456789    0 versions, 0 ready, 0 failed, "
                  "listed 5 h 0 min ago\n"
                  "    https://h/one\n"
                  "two                                         1 version, 0 ready, 1 failed, "
                  "listed long ago\n"
                  "    https://example.org/a/long/path/to/a/repository/of/somebody/else.git\n");
    check_rows(60, "a-na...56789    0 versions, 0 ready, 0 failed, listed 5 h 0\n"
                   "                  min ago\n"
                   "    https://h/one\n"
                   "two             1 version, 0 ready, 1 failed, listed long\n"
                   "                  ago\n"
                   "    https://example.org/a/long...sitory/of/somebody/else.git\n");
    check_rows(80,
               "a-name-of-...-0123456789    0 versions, 0 ready, 0 failed, listed 5 h 0 min ago\n"
               "    https://h/one\n"
               "two                         1 version, 0 ready, 1 failed, listed long ago\n"
               "    https://example.org/a/long/path/to/a/repository/of/somebody/else.git\n");
    check_rows(118, "a-name-of-more-than-forty-columns-0123456789    0 versions, 0 ready, 0 "
                    "failed, listed 5 h 0 min ago\n"
                    "    https://h/one\n"
                    "two                                             1 version, 0 ready, 1 failed, "
                    "listed long ago\n"
                    "    https://example.org/a/long/path/to/a/repository/of/somebody/else.git\n");
    check_rows(119, "a-name-of-more-than-forty-columns-0123456789    0 versions, 0 ready, 0 "
                    "failed, listed 5 h 0 min ago\n"
                    "    https://h/one\n"
                    "two                                             1 version, 0 ready, 1 failed, "
                    "listed long ago  https://ex...dy/else.git\n");
}

static void so_many_lines_and_what_is_wrong_first(void **state)
{
    static const char head[] = "startpointfs - on /m\nworker 0, up 0 s, restarts: 0\ncache -: 0 B\n"
                               "fetches: 0 (0 failed), 0 B; requests: 0 (0 waiting)\n\n";
    static const struct {
        unsigned rows;
        const char *rest; /* behind that head */
    } rows[] = {
        {6, "... 4 more lines: 'startpointfs status' shows them all\n"},
        {7, "two                                         1 version, 0 ready, 1 failed, listed long "
            "ago\n"
            "... 3 more lines: 'startpointfs status' shows them all\n"},
        {9, "two                                         1 version, 0 ready, 1 failed, listed long "
            "ago\n"
            "    https://example.org/a/long/path/to/a/repository/of/somebody/else.git\n"
            "a-name-of-more-than-forty-columns-0123456789    0 versions, 0 ready, 0 failed, listed "
            "5 h 0 min ago\n"
            "    https://h/one\n"},
    };
    const struct terminal pipe = {.columns = 0};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *shown = show(names, &pipe, rows[i].rows);
        assert_memory_equal(shown, head, strlen(head));
        assert_string_equal(shown + strlen(head), rows[i].rest);
        free(shown);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_it),
        cmocka_unit_test(in_a_narrow_terminal),
        cmocka_unit_test(as_little_as_there_is),
        cmocka_unit_test(what_is_wrong_is_coloured),
        cmocka_unit_test(rows_are_as_wide_as_the_terminal),
        cmocka_unit_test(so_many_lines_and_what_is_wrong_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
