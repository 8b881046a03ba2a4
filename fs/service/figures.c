#include "fs/service/figures.h"

#include <stdbool.h>

static const double bounds[FIGURES_BOUNDS] = {0.0001, 0.0005, 0.001, 0.005, 0.025, 0.1, 1, 10};
static const char *const classes[] = {"2xx", "3xx", "4xx", "5xx"};

void figures_count(struct figures *figures, enum route route, unsigned status, int64_t nanoseconds)
{
    struct figures_route *counts = &figures->routes[route];
    unsigned class = status / 100;

    if (class < 2 || class > 5)
        class = 5;
    atomic_fetch_add_explicit(&counts->answers[class - 2], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&counts->nanoseconds, (unsigned long long)nanoseconds,
                              memory_order_relaxed);
    for (size_t i = 0; i < FIGURES_BOUNDS; i++)
        if ((double)nanoseconds <= bounds[i] * 1e9) {
            atomic_fetch_add_explicit(&counts->within[i], 1, memory_order_relaxed);
            break;
        }
}

static void begin(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP startpointfs_serve_%s %s\n# TYPE startpointfs_serve_%s %s\n", name, help,
            name, type);
}

static void single(FILE *out, const char *name, const char *type, double value, const char *help)
{
    begin(out, name, type, help);
    fprintf(out, "startpointfs_serve_%s %.15g\n", name, value);
}

static unsigned long long answers_of(struct figures_route *counts)
{
    unsigned long long all = 0;

    for (size_t i = 0; i < 4; i++)
        all += atomic_load(&counts->answers[i]);
    return all;
}

static void put_requests(struct figures *figures, FILE *out)
{
    begin(out, "requests_total", "counter", "Requests answered.");
    for (int route = 0; route < ROUTE_COUNT; route++)
        for (size_t i = 0; i < 4; i++) {
            unsigned long long count = atomic_load(&figures->routes[route].answers[i]);
            if (count > 0 || i == 0)
                fprintf(out, "startpointfs_serve_requests_total{route=\"%s\",status=\"%s\"} %llu\n",
                        route_name((enum route)route), classes[i], count);
        }
}

static void put_histogram(struct figures_route *counts, const char *route, FILE *out)
{
    static const char name[] = "startpointfs_serve_request_duration_seconds";
    unsigned long long count = 0, all = answers_of(counts);

    for (size_t i = 0; i < FIGURES_BOUNDS; i++) {
        count += atomic_load(&counts->within[i]);
        fprintf(out, "%s_bucket{route=\"%s\",le=\"%g\"} %llu\n", name, route, bounds[i],
                count < all ? count : all);
    }
    fprintf(out, "%s_bucket{route=\"%s\",le=\"+Inf\"} %llu\n", name, route, all);
    fprintf(out, "%s_sum{route=\"%s\"} %.9f\n", name, route,
            (double)atomic_load(&counts->nanoseconds) / 1e9);
    fprintf(out, "%s_count{route=\"%s\"} %llu\n", name, route, all);
}

static void put_durations(struct figures *figures, FILE *out)
{
    begin(out, "request_duration_seconds", "histogram",
          "From a request's first line to its answer's last byte.");
    for (int route = 0; route < ROUTE_COUNT; route++)
        put_histogram(&figures->routes[route], route_name((enum route)route), out);
}

static void put_report(const struct shelf_report *report, FILE *out)
{
    single(out, "ready", "gauge", report->loaded_at != 0,
           "1 if start-points are loaded, if only the last good ones.");
    single(out, "manifests", "gauge", (double)report->manifests, "Start-points served.");
    begin(out, "loads_total", "counter", "Loads of the start-points.");
    fprintf(out, "startpointfs_serve_loads_total{result=\"ok\"} %llu\n",
            (unsigned long long)report->loads);
    fprintf(out, "startpointfs_serve_loads_total{result=\"failed\"} %llu\n",
            (unsigned long long)report->failures);
    single(out, "load_failing", "gauge", report->is_failing,
           "1 if the last load failed, so that older start-points are served, or none.");
    single(out, "loaded_timestamp_seconds", "gauge", (double)report->loaded_at,
           "When the start-points that are served were loaded.");
}

void figures_print(struct figures *figures, const struct shelf_report *report,
                   const struct clients_counts *clients, FILE *out)
{
    put_requests(figures, out);
    put_durations(figures, out);
    single(out, "connections", "gauge", clients->open, "Open connections.");
    single(out, "connections_ended_total", "counter", (double)clients->ended,
           "Connections closed because they were idle or slow.");
    if (report)
        put_report(report, out);
}
