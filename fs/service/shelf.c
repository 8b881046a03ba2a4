#include "fs/service/shelf.h"

#include <string.h>

#include "gitcache/base/clock.h"

void shelf_init(struct shelf *shelf)
{
    *shelf = (struct shelf){0};
    pthread_mutex_init(&shelf->lock, NULL);
}

void shelf_release(struct shelf *shelf)
{
    catalogue_put(shelf->catalogue);
    pthread_mutex_destroy(&shelf->lock);
}

void shelf_replace(struct shelf *shelf, struct catalogue *catalogue)
{
    pthread_mutex_lock(&shelf->lock);
    struct catalogue *old = shelf->catalogue;
    shelf->catalogue = catalogue;
    shelf->report.manifests = catalogue->count;
    shelf->report.loads++;
    shelf->report.loaded_at = clock_wall() / 1000;
    shelf->report.is_failing = false;
    shelf->report.why[0] = '\0';
    pthread_mutex_unlock(&shelf->lock);
    catalogue_put(old);
}

bool shelf_fail(struct shelf *shelf, const struct error *error)
{
    pthread_mutex_lock(&shelf->lock);
    bool is_news = strcmp(shelf->report.why, error->text) != 0;
    shelf->report.failures++;
    shelf->report.is_failing = true;
    memcpy(shelf->report.why, error->text, sizeof shelf->report.why);
    pthread_mutex_unlock(&shelf->lock);
    return is_news;
}

struct catalogue *shelf_take(struct shelf *shelf)
{
    pthread_mutex_lock(&shelf->lock);
    struct catalogue *catalogue = shelf->catalogue;
    if (catalogue)
        catalogue_hold(catalogue);
    pthread_mutex_unlock(&shelf->lock);
    return catalogue;
}

struct shelf_report shelf_report(struct shelf *shelf)
{
    pthread_mutex_lock(&shelf->lock);
    struct shelf_report report = shelf->report;
    pthread_mutex_unlock(&shelf->lock);
    return report;
}
