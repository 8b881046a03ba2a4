#include "fs/service/route.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/service/json_object.h"
#include "fs/service/ruby_json.h"
#include "gitcache/base/memory_file.h"

#define DEEPEST      100 /* of a request's body, as Ruby's JSON.parse has it */
#define QUOTED_BYTES 32  /* of a body that is no JSON, in the message */

static const char *const names[ROUTE_COUNT] = {
    [ROUTE_ALIVE] = "alive",
    [ROUTE_READY] = "ready",
    [ROUTE_SHA] = "sha",
    [ROUTE_NAMES] = "names",
    [ROUTE_MANIFESTS] = "manifests",
    [ROUTE_MANIFEST] = "manifest",
    [ROUTE_IMAGE_NAMES] = "image_names",
    [ROUTE_METRICS] = "metrics",
    [ROUTE_HEALTHZ] = "healthz",
    [ROUTE_OTHER] = "other",
};

/* One request while it is answered. */
struct route_request {
    const struct route_facts *facts;
    const char *path, *body;
    size_t size;
    struct json_object arguments;
};

enum route route_find(const char *path)
{
    int route = 0;

    while (route < ROUTE_OTHER && strcmp(names[route], path) != 0)
        route++;
    return (enum route)route;
}

const char *route_name(enum route route)
{
    return names[route];
}

static int end_text(struct route_answer *out, FILE *stream)
{
    if (stream && fclose(stream) == 0)
        return 0;
    free(out->text);
    out->text = NULL;
    return -ENOMEM;
}

static void put_field(FILE *out, const char *key, const char *text, size_t length)
{
    fprintf(out, "    \"%s\": ", key);
    ruby_json_string(out, text, length);
    fputs(",\n", out);
}

static int refuse(struct route_answer *out, const struct route_request *request, unsigned status,
                  const char *kind, const char *message, size_t length)
{
    *out = (struct route_answer){.status = status};
    FILE *stream = memory_file_open(&out->text, &out->size);

    if (!stream)
        return -ENOMEM;
    fputs("{\n  \"exception\": {\n", stream);
    put_field(stream, "path", request->path, strlen(request->path));
    put_field(stream, "body", request->body, request->size);
    put_field(stream, "class", kind, strlen(kind));
    put_field(stream, "message", message, length);
    fputs("    \"backtrace\": []\n  }\n}", stream);
    return end_text(out, stream);
}

int route_refuse(struct route_answer *out, unsigned status, const char *path, const char *body,
                 size_t size, const char *kind, const char *message)
{
    struct route_request request = {.path = path, .body = body, .size = size};
    return refuse(out, &request, status, kind, message, strlen(message));
}

static int refuse_malformed(struct route_answer *out, const struct route_request *request)
{
    static const char message[] = "json:malformed";
    return refuse(out, request, 400, "ClientError", message, strlen(message));
}

static int refuse_argument(struct route_answer *out, const struct route_request *request,
                           const char *message, size_t length)
{
    return refuse(out, request, 500, "ArgumentError", message, length);
}

static int refuse_json(struct route_answer *out, const struct route_request *request, int r,
                       size_t fault)
{
    char message[QUOTED_BYTES + 32];

    if (r == -E2BIG) {
        snprintf(message, sizeof message, "nesting of %d is too deep", DEEPEST + 1);
        return refuse(out, request, 500, "JSON::NestingError", message, strlen(message));
    }
    size_t left = request->size - fault;
    size_t length = left < QUOTED_BYTES ? left : QUOTED_BYTES;
    /* Never half a character. */
    while (length > 0 && length < left && (request->body[fault + length] & 0xc0) == 0x80)
        length--;
    int prefix = snprintf(message, sizeof message, "unexpected token at '");
    memcpy(message + prefix, request->body + fault, length);
    message[(size_t)prefix + length] = '\'';
    return refuse(out, request, 500, "JSON::ParserError", message, (size_t)prefix + length + 1);
}

/* The whole body must be a JSON object, or nothing. False: *r is that of the answer's. */
static bool take_arguments(struct route_answer *out, struct route_request *request, int *r)
{
    struct json_span value;
    size_t fault = 0;

    *r = 0;
    if (request->size == 0)
        return true;
    *r = json_text_check(request->body, request->size, DEEPEST, &value, &fault);
    if (*r < 0) {
        *r = refuse_json(out, request, *r, fault);
        return false;
    }
    *r = json_object_init(&request->arguments, value);
    if (*r == -EINVAL)
        *r = refuse_malformed(out, request);
    else if (*r == 0)
        return true;
    return false;
}

static int answer_unknown(struct route_answer *out, const struct route_request *request,
                          const char *name, size_t length)
{
    char *message = NULL;
    size_t size = 0;
    FILE *stream = memory_file_open(&message, &size);

    if (!stream)
        return -ENOMEM;
    fputs("name:", stream);
    fwrite(name, 1, length, stream);
    fputs(":unknown", stream);
    int r = fclose(stream) == 0 ? refuse_argument(out, request, message, size) : -ENOMEM;
    free(message);
    return r;
}

static int answer_manifest(struct route_answer *out, const struct route_request *request)
{
    const struct json_member *name = json_object_find(&request->arguments, "name");
    size_t length;
    int r = 0;

    if (!name)
        return refuse_argument(out, request, "name:missing", strlen("name:missing"));
    if (*name->value.at != '"')
        return refuse_argument(out, request, "name:!string", strlen("name:!string"));
    char *text = json_text_string(name->value, &length);
    if (!text)
        return -ENOMEM;
    *out = (struct route_answer){.status = 200,
                                 .reply = catalogue_find(request->facts->catalogue, text, length)};
    if (!out->reply)
        r = answer_unknown(out, request, text, length);
    free(text);
    return r;
}

static int answer_text(struct route_answer *out, unsigned status, const char *text)
{
    *out = (struct route_answer){.status = status, .text = strdup(text), .size = strlen(text)};
    return out->text ? 0 : -ENOMEM;
}

static int answer_sha(struct route_answer *out, const char *sha)
{
    if (!sha)
        return answer_text(out, 200, "{\"sha\":null}");
    *out = (struct route_answer){.status = 200};
    FILE *stream = memory_file_open(&out->text, &out->size);
    if (!stream)
        return -ENOMEM;
    fputs("{\"sha\":", stream);
    ruby_json_string(stream, sha, strlen(sha));
    fputc('}', stream);
    return end_text(out, stream);
}

static int answer_ready(struct route_answer *out, const struct route_facts *facts)
{
    bool ready = facts->catalogue || !facts->has_set;
    return answer_text(out, ready ? 200 : 503, ready ? "{\"ready?\":true}" : "{\"ready?\":false}");
}

/* The routes that need start-points. */
static int answer_from_set(struct route_answer *out, const struct route_request *request,
                           enum route route)
{
    const struct catalogue *catalogue = request->facts->catalogue;
    static const char message[] = "start-points:not loaded yet";

    if (!request->facts->has_set)
        return refuse_malformed(out, request);
    if (!catalogue)
        return refuse(out, request, 503, "RuntimeError", message, strlen(message));
    if (route == ROUTE_MANIFEST)
        return answer_manifest(out, request);
    *out = (struct route_answer){
        .status = 200,
        .reply = route == ROUTE_NAMES       ? &catalogue->names
                 : route == ROUTE_MANIFESTS ? &catalogue->manifests
                                            : &catalogue->image_names,
    };
    return 0;
}

static int answer(struct route_answer *out, const struct route_request *request)
{
    enum route route = route_find(request->path);

    switch (route) {
    case ROUTE_ALIVE:
        return answer_text(out, 200, "{\"alive?\":true}");
    case ROUTE_READY:
        return answer_ready(out, request->facts);
    case ROUTE_SHA:
        return answer_sha(out, request->facts->sha);
    case ROUTE_NAMES:
    case ROUTE_MANIFESTS:
    case ROUTE_MANIFEST:
    case ROUTE_IMAGE_NAMES:
        return answer_from_set(out, request, route);
    case ROUTE_METRICS:
    case ROUTE_HEALTHZ:
    case ROUTE_OTHER:
        break;
    }
    return refuse_malformed(out, request);
}

int route_answer(struct route_answer *out, const struct route_facts *facts, const char *path,
                 const char *body, size_t size)
{
    struct route_request request = {.facts = facts, .path = path, .body = body, .size = size};
    int r;

    *out = (struct route_answer){0};
    if (take_arguments(out, &request, &r))
        r = answer(out, &request);
    json_object_release(&request.arguments);
    return r;
}
