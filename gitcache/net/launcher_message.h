/* launcher_message.h - what a worker and its launcher say to each other, over a socket that keeps messages
 * apart. Private to gitcache/net/. */
#ifndef GITCACHE_NET_LAUNCHER_MESSAGE_H
#define GITCACHE_NET_LAUNCHER_MESSAGE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LAUNCHER_FDS     4 /* of a process: in, out, err, ended; of the configuration: a memfd */
#define LAUNCHER_SUBJECT 65536 /* bytes, with the NUL */

enum launcher_question { LAUNCHER_START, LAUNCHER_KILL, LAUNCHER_REAP, LAUNCHER_CONFIG };

/* What follows it is the helper's subject, with its NUL. */
struct launcher_request {
    uint32_t question;
    uint32_t kind;
    uint32_t connect_timeout;
    int32_t pid;    /* to kill, to reap */
    int32_t number; /* a signal */
};

struct launcher_reply {
    int32_t result; /* 0 or a negative errno; of LAUNCHER_REAP the exit status */
    int32_t pid;
    char text[1000]; /* the sentence of an error */
};

/* Sends `head` and `tail` (or NULL) as one message, with descriptors. 0 or a negative errno. */
int launcher_message_send(int socket, const void *head, size_t head_size, const void *tail,
                          size_t tail_size, const int *fds, size_t count);

/* Receives one: its size, 0 at the end, or a negative errno. fds has room for LAUNCHER_FDS; *count of them came, owned. */
ssize_t launcher_message_receive(int socket, void *head, size_t head_size, void *tail,
                                 size_t tail_size, int *fds, size_t *count);

#endif
