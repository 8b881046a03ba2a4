#include "fs/service/exchange.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define DROPPED_MOST ((size_t)1 << 20)

static int64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* "/names?x", and "http://host/names", which servers must take too. */
static char *path_of(const char *target)
{
    if (strncasecmp(target, "http://", 7) == 0) {
        const char *slash = strchr(target + 7, '/');
        target = slash ? slash : "";
    }
    if (*target == '/')
        target++;
    return strndup(target, strcspn(target, "?"));
}

struct exchange *exchange_new(const char *target)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);
    char *path = path_of(target);

    if (!exchange || !path) {
        free(exchange);
        free(path);
        return NULL;
    }
    exchange->path = path;
    exchange->route = route_find(path);
    exchange->begun_at = now();
    return exchange;
}

void exchange_free(struct exchange *exchange)
{
    if (!exchange)
        return;
    free(exchange->path);
    free(exchange->body);
    free(exchange);
}

int exchange_feed(struct exchange *exchange, const char *bytes, size_t size, size_t most)
{
    if (exchange->is_too_large || size > most - exchange->size) {
        exchange->is_too_large = true;
        exchange->dropped += size;
        return exchange->dropped > DROPPED_MOST ? -EFBIG : 0;
    }
    char *body = realloc(exchange->body, exchange->size + size + 1);
    if (!body)
        return -ENOMEM;
    memcpy(body + exchange->size, bytes, size);
    exchange->body = body;
    exchange->size += size;
    body[exchange->size] = '\0';
    return 0;
}

int64_t exchange_age(const struct exchange *exchange)
{
    return now() - exchange->begun_at;
}
