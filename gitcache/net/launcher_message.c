#include "gitcache/net/launcher_message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for the descriptors, aligned as it must be. */
union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(LAUNCHER_FDS * sizeof(int))];
};

int launcher_message_send(int socket, const void *head, size_t head_size, const void *tail,
                          size_t tail_size, const int *fds, size_t count)
{
    struct iovec parts[2] = {{(void *)head, head_size}, {(void *)tail, tail_size}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = tail ? 2 : 1};
    union control control = {0};
    ssize_t n;

    if (count > 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(count * sizeof *fds);
        struct cmsghdr *first = &control.header;
        first->cmsg_level = SOL_SOCKET;
        first->cmsg_type = SCM_RIGHTS;
        first->cmsg_len = CMSG_LEN(count * sizeof *fds);
        memcpy(CMSG_DATA(first), fds, count * sizeof *fds);
    }
    do
        n = sendmsg(socket, &message, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

static void take_fds(struct msghdr *message, int *fds, size_t *count)
{
    struct cmsghdr *first = CMSG_FIRSTHDR(message);

    *count = 0;
    if (!first || first->cmsg_level != SOL_SOCKET || first->cmsg_type != SCM_RIGHTS)
        return;
    *count = (first->cmsg_len - CMSG_LEN(0)) / sizeof *fds;
    memcpy(fds, CMSG_DATA(first), *count * sizeof *fds);
}

ssize_t launcher_message_receive(int socket, void *head, size_t head_size, void *tail,
                                 size_t tail_size, int *fds, size_t *count)
{
    struct iovec parts[2] = {{head, head_size}, {tail, tail_size}};
    union control control = {0};
    struct msghdr message = {.msg_iov = parts,
                             .msg_iovlen = tail ? 2 : 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control};
    ssize_t n;

    do
        n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    int saved = errno;
    take_fds(&message, fds, count);
    if (n >= 0 && message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
        saved = EMSGSIZE;
        n = -1;
    }
    for (size_t i = 0; n < 0 && i < *count; i++)
        close(fds[i]);
    if (n < 0)
        *count = 0;
    return n < 0 ? -saved : n;
}
