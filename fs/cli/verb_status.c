/* verb_status.c - shows a mount's status.json, for people or as it is. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fs/cli/mountpoint.h"
#include "fs/cli/status_prometheus.h"
#include "fs/cli/verb.h"

static const char *text_of(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text ? text : "-";
}

static json_int_t number_of(const json_t *json, const char *key)
{
    return json_integer_value(json_object_get(json, key));
}

static void print_age(const json_t *listed_at)
{
    if (json_is_integer(listed_at))
        printf("  listed %llds ago", (long long)(time(NULL) - json_integer_value(listed_at)));
    else
        printf("  not listed yet");
}

static void print_repository(const json_t *repo)
{
    const json_t *versions = json_object_get(repo, "versions"), *version;
    size_t i, ready = 0, failed = 0, missing = 0;

    json_array_foreach (versions, i, version) {
        ready += strcmp(text_of(version, "state"), "ready") == 0;
        failed += strcmp(text_of(version, "state"), "failed") == 0;
        missing += strcmp(text_of(version, "state"), "missing") == 0;
    }
    /* What is missing is no version. */
    printf("%-24s %4zu versions, %zu ready, %zu failed", text_of(repo, "name"),
           json_array_size(versions) - missing, ready, failed);
    if (missing)
        printf(", %zu missing", missing);
    print_age(json_object_get(repo, "listed_at"));
    printf("\n    %s\n", text_of(repo, "url"));
    if (json_is_string(json_object_get(repo, "error")))
        printf("    %s\n", text_of(repo, "error"));
    json_array_foreach (versions, i, version)
        if (json_is_string(json_object_get(version, "error")))
            printf("    %s: %s\n", text_of(version, "name"), text_of(version, "error"));
    json_array_foreach (json_object_get(repo, "moved"), i, version)
        printf("    %s has moved at the remote; the first commit %.10s is still served\n",
               text_of(version, "name"), text_of(version, "pinned"));
}

static void print_status(const json_t *status)
{
    const json_t *repo;
    size_t i;

    printf("startpointfs %s, worker %lld, up %llds, %lld restarts\n", text_of(status, "version"),
           (long long)number_of(status, "pid"), (long long)number_of(status, "uptime_seconds"),
           (long long)number_of(status, "restarts"));
    printf("cache %s, %lld fetches (%lld failed), %lld requests, %lld waiting\n\n",
           text_of(status, "cache"), (long long)number_of(status, "fetches"),
           (long long)number_of(status, "fetches_failed"),
           (long long)number_of(json_object_get(status, "requests"), "total"),
           (long long)number_of(status, "waiting"));
    json_array_foreach (json_object_get(status, "repositories"), i, repo)
        print_repository(repo);
}

int verb_status(struct arguments *arguments)
{
    struct error error;
    json_t *status = mountpoint_status(arguments->operands[0], &error);

    if (!status)
        return exit_fail(EXIT_FAILED, "%s", error.text);
    if (arguments->settings.json) {
        json_dumpf(status, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        putchar('\n');
    } else if (arguments->prometheus) {
        status_prometheus_print(status, arguments->operands[0], stdout);
    } else {
        print_status(status);
    }
    json_decref(status);
    return EXIT_OK;
}
