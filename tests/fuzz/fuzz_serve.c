/* fuzz_serve.c - any request, and any manifest.json: whatever is answered is JSON, in one shape. The
 * input's first line is the path; what follows is the body, and the manifest. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fs/service/exchange.h"
#include "fs/service/json_text.h"
#include "fs/service/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_file(void *data, const char *name, char **bytes, size_t *size, struct error *e)
{
    (void)data;
    if (strcmp(name, "none") == 0)
        return error_set(e, ENOENT, "names the file none, which does not exist");
    *bytes = strdup(name);
    *size = strlen(name);
    return *bytes ? 0 : error_no_memory(e);
}

static void check_json(const char *text, size_t size)
{
    struct json_span span;
    size_t fault;

    if (json_text_check(text, size, 200, &span, &fault) < 0 || *span.at != '{')
        abort();
}

/* The answers of the manifest and of another one, which has the pairs' names. */
static struct catalogue *load(const char *bytes, size_t size)
{
    static const char second[] = "{\"display_name\":\"a\",\"visible_filenames\":[\"f\"],"
                                 "\"language\":[\"L\",\"\"],\"test_framework\":[\"T\",\"\"]}";
    const struct manifest_neighbours neighbours = {.read = read_file};
    struct manifest_text manifests[2];
    struct catalogue *catalogue = NULL;
    struct error error = {0};

    if (manifest_text_make(&manifests[0], second, strlen(second), &neighbours, &error) < 0)
        abort();
    int r = manifest_text_make(&manifests[1], bytes, size, &neighbours, &error);
    if (r < 0 && (error.errnum != -r || !*error.text))
        abort();
    if (catalogue_new(&catalogue, manifests, r < 0 ? 1 : 2, &error) < 0)
        abort();
    if (r == 0)
        manifest_text_release(&manifests[1]);
    manifest_text_release(&manifests[0]);
    check_json(catalogue->names.text, catalogue->names.size);
    check_json(catalogue->manifests.text, catalogue->manifests.size);
    check_json(catalogue->image_names.text, catalogue->image_names.size);
    return catalogue;
}

static void ask(struct catalogue *catalogue, const char *target, const char *body, size_t size)
{
    struct route_facts facts = {catalogue, true, target};
    struct exchange *exchange = exchange_new(target);
    struct route_answer answer;

    if (!exchange || exchange_feed(exchange, body, size / 2, 4096) < 0)
        abort();
    exchange_feed(exchange, body + size / 2, size - size / 2, 4096);
    if (route_answer(&answer, &facts, exchange->path, exchange->body ? exchange->body : "",
                     exchange->size) < 0)
        abort();
    if (answer.reply)
        check_json(answer.reply->text, answer.reply->size);
    else
        check_json(answer.text, answer.size);
    free(answer.text);
    reply_accepts_gzip(target);
    reply_matches(&catalogue->names, target);
    exchange_free(exchange);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
    size_t line = end ? (size_t)(end - data) : size, rest = end ? size - line - 1 : 0;
    char *target = strndup((const char *)data, line), *body = malloc(rest + 1);

    if (!target || !body)
        abort();
    if (rest)
        memcpy(body, end + 1, rest);
    struct catalogue *catalogue = load(body, rest);
    ask(catalogue, target, body, rest);
    ask(catalogue, "/manifest", body, rest);
    catalogue_put(catalogue);
    free(target);
    free(body);
    return 0;
}
