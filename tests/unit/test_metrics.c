/* Each metric is the number of status.json that it says it is. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/cli/status_prometheus.h"

static const char status[] =
    "{'version': '1.2.3', 'cache': '/nowhere', 'cache_max': 11, 'cache_freed_bytes': 12, "
    "'cache_removed_versions': 13,"
    " 'waiting': 14, 'fetches': 15, 'fetches_failed': 16, 'bytes_fetched': 17, 'listings': 18, "
    "'restarts': 19,"
    " 'reloads': 20, 'uptime_seconds': 21, 'nodes': 22, 'max_nodes': 23,"
    " 'requests': {'lookup': 24, 'read': 25, 'total': 49},"
    " 'fetch_seconds': {'buckets': [{'most': 0.1, 'count': 26}, {'most': 5, 'count': 27}], "
    "'count': 28, 'sum': 29.5},"
    " 'repositories': [{'name': 'a`b^', 'error': null, 'listed_at': 30, 'moved': [{}, {}, {}],"
    "                   'versions': [{'state': 'ready'}, {'state': 'ready'}, {'state': "
    "'missing'}]},"
    "                  {'name': 'c', 'error': 'gone', 'listed_at': null, 'moved': [],"
    "                   'versions': [{'state': 'failed'}]}]}";

/* Mount m; labels in the order in which they are printed. */
static const char *const samples[] = {
    "build_info{mountpoint='m',version='1.2.3'} 1",
    "requests_total{mountpoint='m',operation='lookup'} 24",
    "requests_total{mountpoint='m',operation='read'} 25",
    "requests_waiting{mountpoint='m'} 14",
    "fetches_total{mountpoint='m',result='ok'} 15",
    "fetches_total{mountpoint='m',result='failed'} 16",
    "fetched_bytes_total{mountpoint='m'} 17",
    "listings_total{mountpoint='m'} 18",
    "restarts_total{mountpoint='m'} 19",
    "reloads_total{mountpoint='m'} 20",
    "uptime_seconds{mountpoint='m'} 21",
    "nodes{mountpoint='m'} 22",
    "nodes_max{mountpoint='m'} 23",
    "cache_bytes{mountpoint='m'} 0",
    "cache_max_bytes{mountpoint='m'} 11",
    "cache_freed_bytes_total{mountpoint='m'} 12",
    "cache_removed_versions_total{mountpoint='m'} 13",
    "fetch_duration_seconds_bucket{mountpoint='m',le='0.1'} 26",
    "fetch_duration_seconds_bucket{mountpoint='m',le='5'} 27",
    "fetch_duration_seconds_bucket{mountpoint='m',le='+Inf'} 28",
    "fetch_duration_seconds_sum{mountpoint='m'} 29.5",
    "fetch_duration_seconds_count{mountpoint='m'} 28",
    "versions{mountpoint='m',repository='a\\'b\\\\',state='ready'} 2",
    "versions{mountpoint='m',repository='a\\'b\\\\',state='missing'} 1",
    "versions{mountpoint='m',repository='a\\'b\\\\',state='listed'} 0",
    "versions{mountpoint='m',repository='c',state='failed'} 1",
    "moved_tags{mountpoint='m',repository='a\\'b\\\\'} 3",
    "moved_tags{mountpoint='m',repository='c'} 0",
    "repository_failing{mountpoint='m',repository='a\\'b\\\\'} 0",
    "repository_failing{mountpoint='m',repository='c'} 1",
    "listed_timestamp_seconds{mountpoint='m',repository='a\\'b\\\\'} 30",
};

static const char *const types[] = {
    "build_info gauge",
    "requests_total counter",
    "requests_waiting gauge",
    "fetches_total counter",
    "fetch_duration_seconds histogram",
    "fetched_bytes_total counter",
    "listings_total counter",
    "restarts_total counter",
    "reloads_total counter",
    "uptime_seconds gauge",
    "nodes gauge",
    "nodes_max gauge",
    "cache_bytes gauge",
    "cache_max_bytes gauge",
    "cache_freed_bytes_total counter",
    "cache_removed_versions_total counter",
    "versions gauge",
    "moved_tags gauge",
    "repository_failing gauge",
    "listed_timestamp_seconds gauge",
};

static json_t *load(const char *text)
{
    char *json = strdup(text);

    for (char *c = json; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    json_t *read = json_loads(json, 0, NULL);
    assert_non_null(read);
    free(json);
    return read;
}

static char *print(void)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    json_t *read = load(status);

    json_object_set_new(json_array_get(json_object_get(read, "repositories"), 0), "name",
                        json_string("a\"b\\"));
    status_prometheus_print(read, "m", out);
    fclose(out);
    json_decref(read);
    return text;
}

static void test_each_number(void **state)
{
    char *text = print(), wanted[200];
    size_t lines = 0;

    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        snprintf(wanted, sizeof wanted, "\nstartpointfs_%s\n", samples[i]);
        for (char *c = wanted; *c; c++)
            *c = *c == '\'' ? '"' : *c;
        if (!strstr(text, wanted))
            fail_msg("there is no %s in\n%s", wanted, text);
    }
    /* And nothing else, but for the states that no version has. */
    for (const char *line = text; *line; line = strchr(line, '\n') + 1)
        lines += *line != '#';
    assert_int_equal(lines, sizeof samples / sizeof *samples + 2 * 5 - 4);
    free(text);
}

/* Each metric says what it is, right before its first sample. */
static void test_each_type(void **state)
{
    char *text = print(), *at = text;

    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char name[100], wanted[300];
        size_t length = strcspn(types[i], " ");
        snprintf(name, sizeof name, "%.*s", (int)length, types[i]);
        snprintf(wanted, sizeof wanted, "# HELP startpointfs_%s ", name);
        at = strstr(at, wanted);
        assert_non_null(at);
        assert_int_equal(strchr(at, '\n')[-1], '.'); /* a sentence */
        at = strchr(at, '\n') + 1;
        snprintf(wanted, sizeof wanted, "# TYPE startpointfs_%s\nstartpointfs_%s", types[i], name);
        assert_memory_equal(at, wanted, strlen(wanted));
    }
    free(text);
}

/* What it takes on disk, folders too; no limit is none, and a label may have any text. */
static void test_the_cache(void **state)
{
    char folder[] = "/tmp/startpointfs-unit.XXXXXX", path[100], wanted[200], *text;
    json_t *read = load("{'version': '1', 'repositories': []}");
    struct stat st;
    size_t size;
    long long blocks;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, path, sizeof path), sizeof path);
    assert_int_equal(fstat(fd, &st), 0);
    blocks = st.st_blocks;
    close(fd);
    assert_int_equal(stat(folder, &st), 0);
    blocks += st.st_blocks;
    json_object_set_new(read, "cache", json_string(folder));
    FILE *out = open_memstream(&text, &size);
    status_prometheus_print(read, "a\nb", out);
    fclose(out);
    snprintf(wanted, sizeof wanted, "\nstartpointfs_cache_bytes{mountpoint=\"a\\nb\"} %lld\n",
             512 * blocks);
    assert_non_null(strstr(text, wanted));
    assert_null(strstr(text, "cache_max"));
    json_decref(read);
    free(text);
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_number),
        cmocka_unit_test(test_each_type),
        cmocka_unit_test(test_the_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
