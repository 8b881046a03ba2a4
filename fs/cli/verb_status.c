/* verb_status.c - shows a mount's status.json, for people or as it is. */
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#include "fs/cli/mountpoint.h"
#include "fs/cli/status_prometheus.h"
#include "fs/cli/status_screen.h"
#include "fs/cli/status_watch.h"
#include "fs/cli/verb.h"

int verb_status(struct arguments *arguments)
{
    const struct settings *settings = &arguments->settings;
    const char *mountpoint = arguments->operands[0];
    struct error error;

    if (arguments->watch && !settings->json && !arguments->prometheus)
        return status_watch_run(mountpoint, settings->colour);
    json_t *status = mountpoint_status(mountpoint, &error);

    if (!status)
        return exit_fail(EXIT_FAILED, "%s", error.text);
    if (settings->json) {
        json_dumpf(status, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        putchar('\n');
    } else if (arguments->prometheus) {
        status_prometheus_print(status, mountpoint, stdout);
    } else {
        struct terminal terminal = terminal_of(STDOUT_FILENO, settings->colour);
        status_screen_print(status, mountpoint, &terminal, 0, stdout);
    }
    json_decref(status);
    return EXIT_OK;
}
