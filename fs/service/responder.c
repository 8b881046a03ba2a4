#include "fs/service/responder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/service/shelf.h"
#include "gitcache/base/memory_file.h"

#define JSON_TYPE    "application/json"
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define TEXT_TYPE    "text/plain; charset=utf-8"

const char *responder_header(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/* Sends a response, which goes with its last user. */
static enum MHD_Result queue(struct responder *responder, struct MHD_Connection *connection,
                             struct exchange *exchange, unsigned status,
                             struct MHD_Response *response, const char *type)
{
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    exchange->status = status;
    clients_set(responder->clients, exchange->client, CLIENT_TAKING);
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

/* Sends a text, which is taken over. */
static enum MHD_Result send_text(struct responder *responder, struct MHD_Connection *connection,
                                 struct exchange *exchange, unsigned status, char *text,
                                 size_t size, const char *type)
{
    struct MHD_Response *response =
        text ? MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE) : NULL;

    if (!response)
        free(text);
    return queue(responder, connection, exchange, status, response, type);
}

static void put_catalogue(void *data)
{
    catalogue_put(data);
}

static bool is_get_or_head(const char *method)
{
    return strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
}

/* Sends a text of a catalogue, which is taken over. */
static enum MHD_Result send_reply(struct responder *responder, struct MHD_Connection *connection,
                                  struct exchange *exchange, const char *method,
                                  const struct reply *reply, struct catalogue *catalogue)
{
    bool zipped = reply->gzip &&
                  reply_accepts_gzip(responder_header(connection, MHD_HTTP_HEADER_ACCEPT_ENCODING));
    bool known = is_get_or_head(method) &&
                 reply_matches(reply, responder_header(connection, MHD_HTTP_HEADER_IF_NONE_MATCH));
    size_t size = zipped ? reply->gzip_size : reply->size; /* of 304 only the length is sent */
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback_cls(
        size, zipped ? reply->gzip : reply->text, put_catalogue, catalogue);

    if (!response) {
        catalogue_put(catalogue);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, zipped ? reply->gzip_tag : reply->tag);
    if (reply->gzip)
        MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT_ENCODING);
    if (zipped && !known)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
    return queue(responder, connection, exchange, known ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK,
                 response, JSON_TYPE);
}

static enum MHD_Result answer_json(struct responder *responder, struct MHD_Connection *connection,
                                   struct exchange *exchange, const char *method)
{
    struct catalogue *catalogue = shelf_take(responder->shelf);
    struct route_facts facts = {catalogue, responder->has_set, responder->sha};
    struct route_answer answer;
    int r = route_answer(&answer, &facts, exchange->path, exchange->body ? exchange->body : "",
                         exchange->size);

    if (r == 0 && answer.reply)
        return send_reply(responder, connection, exchange, method, answer.reply, catalogue);
    catalogue_put(catalogue);
    if (r < 0)
        return MHD_NO;
    if (answer.status >= 400)
        log_debug(responder->log, "%s %s: %u", method, route_name(exchange->route), answer.status);
    return send_text(responder, connection, exchange, answer.status, answer.text, answer.size,
                     JSON_TYPE);
}

enum MHD_Result responder_refuse_body(struct responder *responder,
                                      struct MHD_Connection *connection, struct exchange *exchange)
{
    struct route_answer answer;

    if (route_refuse(&answer, MHD_HTTP_CONTENT_TOO_LARGE, exchange->path, "", 0, "ClientError",
                     "body:larger than 65536 bytes") < 0)
        return MHD_NO;
    return send_text(responder, connection, exchange, answer.status, answer.text, answer.size,
                     JSON_TYPE);
}

static bool is_healthy(struct responder *responder, struct error *e)
{
    struct shelf_report report = shelf_report(responder->shelf);

    if (responder->has_set && !report.loaded_at) {
        error_set(e, EAGAIN, "no start-points are loaded yet%s%s", *report.why ? ": " : "",
                  report.why);
        return false;
    }
    return !responder->probe || mount_probe_report(responder->probe, NULL, e) == 0;
}

static enum MHD_Result answer_health(struct responder *responder, struct MHD_Connection *connection,
                                     struct exchange *exchange)
{
    struct error error = {0};
    bool healthy = is_healthy(responder, &error);
    char *text;
    int size = asprintf(&text, "%s\n", healthy ? "ok" : error.text);

    if (size < 0)
        return MHD_NO;
    return send_text(responder, connection, exchange,
                     healthy ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, text, (size_t)size,
                     TEXT_TYPE);
}

static void print_mount(struct responder *responder, FILE *out)
{
    struct error error;
    char *text = NULL;
    int r = mount_probe_report(responder->probe, &text, &error);

    fprintf(out,
            "# HELP startpointfs_serve_mount_up 1 if the mount answers.\n"
            "# TYPE startpointfs_serve_mount_up gauge\nstartpointfs_serve_mount_up %d\n",
            r == 0);
    fputs(r == 0 ? text : "", out);
    free(text);
}

static enum MHD_Result answer_metrics(struct responder *responder,
                                      struct MHD_Connection *connection, struct exchange *exchange)
{
    struct shelf_report report = shelf_report(responder->shelf);
    struct clients_counts clients = clients_count(responder->clients);
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_file_open(&text, &size);

    if (!out)
        return MHD_NO;
    if (responder->probe)
        print_mount(responder, out);
    figures_print(responder->figures, responder->has_set ? &report : NULL, &clients, out);
    if (fclose(out) != 0) {
        free(text);
        return MHD_NO;
    }
    return send_text(responder, connection, exchange, MHD_HTTP_OK, text, size, METRICS_TYPE);
}

/* Whether the exchange is suspended until the mount has said how it is. */
static bool waits_for_mount(struct responder *responder, struct MHD_Connection *connection,
                            struct exchange *exchange)
{
    if (!responder->probe || exchange->has_probed)
        return false;
    exchange->has_probed = true;
    clients_set(responder->clients, exchange->client, CLIENT_WAITING);
    return mount_probe_wait(responder->probe, &exchange->waiter, connection);
}

enum MHD_Result responder_answer(struct responder *responder, struct MHD_Connection *connection,
                                 struct exchange *exchange, const char *method)
{
    if (exchange->is_too_large)
        return responder_refuse_body(responder, connection, exchange);
    if (exchange->route != ROUTE_METRICS && exchange->route != ROUTE_HEALTHZ)
        return answer_json(responder, connection, exchange, method);
    if (waits_for_mount(responder, connection, exchange))
        return MHD_YES;
    if (exchange->route == ROUTE_METRICS)
        return answer_metrics(responder, connection, exchange);
    return answer_health(responder, connection, exchange);
}
