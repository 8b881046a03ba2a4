/* status_prometheus.h - a mount's status in Prometheus' text format, for node_exporter's textfile
 * collector. */
#ifndef FS_CLI_STATUS_PROMETHEUS_H
#define FS_CLI_STATUS_PROMETHEUS_H

#include <jansson.h>
#include <stdio.h>

/* Every sample gets the label mountpoint, so that those of several mounts may stand in one file. */
void status_prometheus_print(const json_t *status, const char *mountpoint, FILE *out);

#endif
