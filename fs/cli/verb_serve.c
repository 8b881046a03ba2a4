/* verb_serve.c - the start-point service, in the foreground. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "fs/cli/mountpoint.h"
#include "fs/cli/status_prometheus.h"
#include "fs/cli/verb.h"
#include "fs/service/service.h"
#include "gitcache/base/memory_file.h"

#define DEFAULT_HOST "127.0.0.1"
#define DEFAULT_PORT "4524" /* that of cyber-dojo's languages */

/* A mount's numbers, as `status --prometheus` prints them. */
static int ask_mount(void *data, char **text, struct error *e)
{
    const char *mountpoint = data;
    json_t *status = mountpoint_status(mountpoint, e);
    size_t size;

    if (!status)
        return -e->errnum;
    FILE *out = memory_file_open(text, &size);
    if (out)
        status_prometheus_print(status, mountpoint, out);
    json_decref(status);
    return out && fclose(out) == 0 ? 0 : error_no_memory(e);
}

/* A variable that is empty is none. */
static const char *from_environment(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static int find_port(const struct arguments *arguments, const char **port)
{
    const char *given = from_environment("PORT");
    char *end;

    *port = arguments->port ? arguments->port : given ? given : DEFAULT_PORT;
    if (strtoul(*port, &end, 10) > 65535 || *end || **port < '0' || **port > '9')
        return exit_fail(EXIT_USAGE, "PORT is '%s' in the environment: give a number up to 65535",
                         *port);
    return EXIT_OK;
}

int verb_serve(struct arguments *arguments)
{
    struct service_options options = {
        .origin = {&arguments->settings, arguments->operands, arguments->count},
        .host = arguments->listen ? arguments->listen : DEFAULT_HOST,
        .sha = from_environment("SHA"),
        .ask_mount = arguments->mount ? ask_mount : NULL,
        .mount = (void *)arguments->mount,
    };
    struct error error;

    if (arguments->count == 0 && !arguments->mount)
        return exit_fail(EXIT_USAGE, "say what to serve: a set's name, a list or a folder; or "
                                     "--mount MOUNTPOINT");
    int code = find_port(arguments, &options.port);
    if (code == EXIT_OK && service_run(&options, &error) < 0)
        code = exit_fail(error.errnum == EADDRNOTAVAIL || error.errnum == EADDRINUSE ? EXIT_FAILED
                                                                                     : EXIT_USAGE,
                         "%s", error.text);
    return code;
}
