#include "fs/service/clients.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "gitcache/base/clock.h"

/* Milliseconds for each state: alone, and where three quarters of all connections are taken. */
static const struct {
    int64_t usual, crowded;
} limits[] = {
    [CLIENT_IDLE] = {20000, 1000},
    [CLIENT_SENDING] = {20000, 3000},
    [CLIENT_WAITING] = {30000, 30000}, /* for us */
    [CLIENT_TAKING] = {120000, 20000},
};

void clients_init(struct clients *clients, unsigned most)
{
    *clients = (struct clients){.most = most};
    pthread_mutex_init(&clients->lock, NULL);
}

void clients_release(struct clients *clients)
{
    pthread_mutex_destroy(&clients->lock);
}

struct client *clients_add(struct clients *clients, int fd)
{
    struct client *client = calloc(1, sizeof *client);

    if (!client)
        return NULL;
    client->fd = fd;
    client->since = clock_now();
    pthread_mutex_lock(&clients->lock);
    client->next = clients->first;
    if (client->next)
        client->next->previous = client;
    clients->first = client;
    clients->count++;
    pthread_mutex_unlock(&clients->lock);
    return client;
}

void clients_remove(struct clients *clients, struct client *client)
{
    if (!client)
        return;
    pthread_mutex_lock(&clients->lock);
    if (client->previous)
        client->previous->next = client->next;
    else
        clients->first = client->next;
    if (client->next)
        client->next->previous = client->previous;
    clients->count--;
    clients->busy -= client->state != CLIENT_IDLE;
    pthread_mutex_unlock(&clients->lock);
    free(client);
}

void clients_set(struct clients *clients, struct client *client, enum client_state state)
{
    int64_t now = clock_now();

    if (!client)
        return;
    pthread_mutex_lock(&clients->lock);
    clients->busy += state != CLIENT_IDLE;
    clients->busy -= client->state != CLIENT_IDLE;
    client->state = state;
    client->since = now;
    client->is_gone = false;
    pthread_mutex_unlock(&clients->lock);
}

/* Whether it was so at the last look too: a request that is whole by now is answered meanwhile. */
static bool has_gone(struct client *client)
{
    char byte;
    bool was_gone = client->is_gone;

    client->is_gone =
        client->state <= CLIENT_SENDING && recv(client->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
    return was_gone && client->is_gone;
}

void clients_expire(struct clients *clients, int64_t now)
{
    pthread_mutex_lock(&clients->lock);
    bool crowded = clients->count > clients->most / 4 * 3;
    for (struct client *client = clients->first; client; client = client->next) {
        int64_t limit = crowded ? limits[client->state].crowded : limits[client->state].usual;
        if (client->is_ended || (now - client->since < limit && !has_gone(client)))
            continue;
        shutdown(client->fd, SHUT_RDWR);
        client->is_ended = true;
        clients->ended++;
    }
    pthread_mutex_unlock(&clients->lock);
}

struct clients_counts clients_count(struct clients *clients)
{
    pthread_mutex_lock(&clients->lock);
    struct clients_counts counts = {clients->count, clients->busy, clients->ended};
    pthread_mutex_unlock(&clients->lock);
    return counts;
}
