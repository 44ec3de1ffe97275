#include "packet.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAIR_BYTES (2 * sizeof(int))

/* Room for two: what a hostile sender adds does not fit, and the kernel lets go of it. */
union ancillary {
    struct cmsghdr head; /* for its alignment */
    char room[CMSG_SPACE(PAIR_BYTES)];
};

ssize_t packet_send(int socket, const void *bytes, size_t n, const int fd[2], int flags)
{
    struct iovec content = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = n};
    struct msghdr m = {.msg_iov = &content, .msg_iovlen = 1};
    union ancillary ancillary;
    ssize_t sent;

    memset(&ancillary, 0, sizeof ancillary);
    if (fd) {
        ancillary.head = (struct cmsghdr){.cmsg_len = CMSG_LEN(PAIR_BYTES), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&ancillary.head), fd, PAIR_BYTES);
        m.msg_control = ancillary.room;
        m.msg_controllen = sizeof ancillary.room;
    }
    do
        sent = sendmsg(socket, &m, flags | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent;
}

/* The pair, if the message brought just that; what else it brought is closed. */
static void unpack(struct msghdr *m, int fd[2])
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        int came[2] = {-1, -1};
        memcpy(came, CMSG_DATA(c), c->cmsg_len < CMSG_LEN(PAIR_BYTES) ? c->cmsg_len - CMSG_LEN(0) : PAIR_BYTES);
        if (came[1] < 0 || fd[0] >= 0 || (m->msg_flags & MSG_CTRUNC) != 0) {
            packet_close(came);
            continue;
        }
        memcpy(fd, came, PAIR_BYTES);
    }
}

ssize_t packet_receive(int socket, void *buf, size_t cap, int fd[2], int flags)
{
    struct iovec content = {.iov_base = buf, .iov_len = cap};
    union ancillary ancillary;
    struct msghdr m = {
        .msg_iov = &content, .msg_iovlen = 1, .msg_control = ancillary.room, .msg_controllen = sizeof ancillary.room};
    ssize_t got;

    fd[0] = fd[1] = -1;
    do
        got = recvmsg(socket, &m, flags | MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got >= 0)
        unpack(&m, fd);
    return got;
}

void packet_close(int fd[2])
{
    for (int i = 0; i < 2; i++) {
        if (fd[i] >= 0)
            close(fd[i]);
        fd[i] = -1;
    }
}
