/* clients.h - the connections of the front, each with a deadline for what it does now: one that is
 * idle, sends its request slowly or takes its answer slowly is ended, and sooner where there are
 * many. So slow clients hold nobody up for long, however many they are. */
#ifndef FS_SERVICE_CLIENTS_H
#define FS_SERVICE_CLIENTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum client_state { CLIENT_IDLE, CLIENT_SENDING, CLIENT_WAITING, CLIENT_TAKING };

struct client {
    struct client *next, *previous;
    int fd;
    enum client_state state;
    int64_t since; /* clock_now */
    bool is_gone;  /* at the last look its peer had closed, with nothing left to read */
    bool is_ended;
};

struct clients {
    pthread_mutex_t lock; /* guards all that follows, and that a client's fd is still its own */
    struct client *first;
    unsigned count, most;
    unsigned busy;  /* of them, not idle */
    uint64_t ended; /* by us */
};

void clients_init(struct clients *clients, unsigned most);
void clients_release(struct clients *clients);

/* A connection was opened; NULL: out of memory. clients_remove comes before its fd is closed. */
struct client *clients_add(struct clients *clients, int fd);
void clients_remove(struct clients *clients, struct client *client);

/* What it does from now on. */
void clients_set(struct clients *clients, struct client *client, enum client_state state);

/* Ends those whose time is over, or whose peer has gone away before it sent a whole request: shuts
 * their sockets down, which the front notices. (libmicrohttpd misses an end that comes together with
 * data.) To be called a few times a second. */
void clients_expire(struct clients *clients, int64_t now);

struct clients_counts {
    unsigned open, busy;
    uint64_t ended;
};
struct clients_counts clients_count(struct clients *clients);

#endif
