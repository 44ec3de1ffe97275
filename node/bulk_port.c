#include "bulk_port.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

static int listen_on(int family, uint16_t *port)
{
    const int off = 0;
    struct sockaddr_storage ss = {.ss_family = (sa_family_t)family}; /* any address, any port */
    socklen_t len = family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    struct addr bound;

    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, (struct sockaddr *)&ss, len) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)&ss, &len) != 0 || addr_from_sockaddr((struct sockaddr *)&ss, &bound) != 0) {
        int why = errno;
        close(fd);
        errno = why;
        return -1;
    }
    *port = bound.port;
    return fd;
}

int port_listen(uint16_t *port)
{
    int fd = listen_on(AF_INET6, port);
    return fd >= 0 ? fd : listen_on(AF_INET, port);
}

int port_accept(int listener, int *fd, struct addr *from)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;

    *fd = accept4(listener, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (*fd < 0)
        return errno;
    if (addr_from_sockaddr((struct sockaddr *)&ss, from) != 0)
        *from = (struct addr){0};
    return 0;
}

bool port_exhausted(int why)
{
    return why == EMFILE || why == ENFILE || why == ENOBUFS || why == ENOMEM;
}

void port_tune(int fd)
{
    const int on = 1, idle_s = 10, interval_s = 5, probes = 3;

    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}
