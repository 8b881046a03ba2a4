/* test_figures.c - each number of the service's /metrics is what was counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs/service/figures.h"

#define MILLISECOND 1000000
#define SECOND      1000000000ll

static char *print(struct figures *figures, const struct shelf_report *report)
{
    const struct clients_counts clients = {.open = 5, .busy = 4, .ended = 7};
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    figures_print(figures, report, &clients, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

/* Lines of samples, without the prefix of their names. */
static void assert_has(const char *text, const char *const *samples)
{
    char wanted[200];

    for (; *samples; samples++) {
        snprintf(wanted, sizeof wanted, "\nstartpointfs_serve_%s\n", *samples);
        if (!strstr(text, wanted))
            fail_msg("there is no %s in\n%s", wanted, text);
    }
}

static void requests(void **state)
{
    static const char *const samples[] = {
        "requests_total{route=\"names\",status=\"2xx\"} 2",
        "requests_total{route=\"names\",status=\"3xx\"} 1",
        "requests_total{route=\"names\",status=\"4xx\"} 1",
        "requests_total{route=\"manifest\",status=\"2xx\"} 0",
        "requests_total{route=\"manifest\",status=\"5xx\"} 3",
        "requests_total{route=\"sha\",status=\"2xx\"} 0",
        NULL,
    };
    struct figures figures = {0};

    (void)state;
    figures_count(&figures, ROUTE_NAMES, 200, 0);
    figures_count(&figures, ROUTE_NAMES, 299, 0);
    figures_count(&figures, ROUTE_NAMES, 304, 0);
    figures_count(&figures, ROUTE_NAMES, 499, 0);
    figures_count(&figures, ROUTE_MANIFEST, 503, 0);
    figures_count(&figures, ROUTE_MANIFEST, 199, 0); /* what is no status is a fault */
    figures_count(&figures, ROUTE_MANIFEST, 600, 0);
    char *text = print(&figures, NULL);
    assert_has(text, samples);
    assert_null(strstr(text, "route=\"names\",status=\"5xx\""));
    free(text);
}

static void durations(void **state)
{
#define NAME(what) "request_duration_seconds_" what
    static const char *const samples[] = {
        NAME("bucket{route=\"names\",le=\"0.0001\"} 1"),
        NAME("bucket{route=\"names\",le=\"0.0005\"} 2"),
        NAME("bucket{route=\"names\",le=\"0.001\"} 3"),
        NAME("bucket{route=\"names\",le=\"0.005\"} 4"),
        NAME("bucket{route=\"names\",le=\"0.025\"} 5"),
        NAME("bucket{route=\"names\",le=\"0.1\"} 6"),
        NAME("bucket{route=\"names\",le=\"1\"} 6"),
        NAME("bucket{route=\"names\",le=\"10\"} 7"),
        NAME("bucket{route=\"names\",le=\"+Inf\"} 8"),
        NAME("sum{route=\"names\"} 20.131200002"),
        NAME("count{route=\"names\"} 8"),
        NAME("bucket{route=\"manifest\",le=\"+Inf\"} 0"),
        NULL,
    };
    static const int64_t took[] = {MILLISECOND / 10, MILLISECOND / 10 + 1, MILLISECOND,
                                   5 * MILLISECOND,  25 * MILLISECOND,     100 * MILLISECOND,
                                   10 * SECOND,      10 * SECOND + 1};
    struct figures figures = {0};

    (void)state;
    for (size_t i = 0; i < sizeof took / sizeof *took; i++)
        figures_count(&figures, ROUTE_NAMES, i % 2 ? 200 : 404, took[i]);
    char *text = print(&figures, NULL);
    assert_has(text, samples);
    free(text);
    /* One that is counted in a bucket and not yet in all: a histogram never goes down. */
    atomic_fetch_add(&figures.routes[ROUTE_NAMES].within[0], 5);
    text = print(&figures, NULL);
    assert_has(text, (const char *const[]){NAME("bucket{route=\"names\",le=\"0.1\"} 8"), NULL});
    free(text);
}

static void connections_and_loads(void **state)
{
    static const char *const samples[] = {
        "connections 5",
        "connections_ended_total 7",
        "ready 1",
        "manifests 9",
        "load_failing 1",
        "loaded_timestamp_seconds 1764529200",
        "loads_total{result=\"ok\"} 11",
        "loads_total{result=\"failed\"} 12",
        NULL,
    };
    struct shelf_report report = {9, 11, 12, 1764529200, true, ""};
    struct figures figures = {0};
    char *text = print(&figures, &report);

    (void)state;
    assert_has(text, samples);
    free(text);
    report.loaded_at = 0;
    report.is_failing = false;
    text = print(&figures, &report);
    assert_has(text, (const char *const[]){"ready 0", "load_failing 0", NULL});
    free(text);
    text = print(&figures, NULL); /* where no set was named */
    assert_null(strstr(text, "serve_ready"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(durations),
        cmocka_unit_test(connections_and_loads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
