/* Datagrams on every interface. See udp.h.
 *
 * Does not know what a beacon is. Invariants: (1) `found` holds at most UDP_INTERFACES_MAX addresses, in the order that
 * udp_interfaces promises; (2) everything is sent from an own socket, so that whoever hears a beacon can answer its source;
 * (3) with a list of interfaces, datagrams that came in by another one are dropped unread. */
#include "udp.h"

#include "limits.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_AT_ONCE 64

enum { SHARED_V4, SHARED_V6, OWN_V4, OWN_V6, ROUTES };

struct place { /* one address of one interface, and how to reach everybody there */
    struct udp_interface shown;
    bool multicast, broadcast;
    struct in_addr broadcast_addr;
};

struct udp {
    int fd[UDP_FDS];
    uint16_t beacon_port;
    bool quiet; /* no beacons */
    const char *const *only;
    const struct log *log;
    size_t count;
    struct place found[UDP_INTERFACES_MAX];
};

/* ---- sockets */

static int on(int fd, int level, int option)
{
    int one = 1;
    return setsockopt(fd, level, option, &one, sizeof one);
}

/* Multicast stays in the LAN: one hop. It is looped back, for the other nodes of this machine. */
static void set_v4(int fd)
{
    int one = 1, all = 0;
    on(fd, SOL_SOCKET, SO_BROADCAST);
    on(fd, IPPROTO_IP, IP_PKTINFO);
    setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &one, sizeof one);
    setsockopt(fd, IPPROTO_IP, IP_MULTICAST_ALL, &all, sizeof all);
}

static void set_v6(int fd)
{
    int one = 1;
    on(fd, IPPROTO_IPV6, IPV6_V6ONLY);
    on(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO);
    setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &one, sizeof one);
}

static int bind_any(int fd, int family, uint16_t port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (family == AF_INET)
        return bind(fd, (struct sockaddr *)&v4, sizeof v4);
    return bind(fd, (struct sockaddr *)&v6, sizeof v6);
}

/* A bound socket, or -1 with errno. Several nodes of a machine hear on a shared one. */
static int open_socket(int family, uint16_t port, bool shared)
{
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (family == AF_INET)
        set_v4(fd);
    else
        set_v6(fd);
    if ((!shared || on(fd, SOL_SOCKET, SO_REUSEADDR) == 0) && bind_any(fd, family, port) == 0)
        return fd;
    int kept = errno;
    close(fd);
    errno = kept;
    return -1;
}

/* The wanted port, or any: another program may have it. */
static int open_own(int family, uint16_t port)
{
    int fd = open_socket(family, port, false);
    return fd < 0 && port != 0 ? open_socket(family, 0, false) : fd;
}

static void open_shared(struct udp *udp)
{
    udp->fd[SHARED_V4] = open_socket(AF_INET, udp->beacon_port, true);
    if (udp->fd[SHARED_V4] < 0)
        log_write(udp->log, LOG_WARN, "udp", "cannot hear IPv4 beacons on port %u: %s", udp->beacon_port, strerror(errno));
    udp->fd[SHARED_V6] = udp->fd[OWN_V6] < 0 ? -1 : open_socket(AF_INET6, udp->beacon_port, true);
    if (udp->fd[SHARED_V6] < 0 && udp->fd[OWN_V6] >= 0)
        log_write(udp->log, LOG_WARN, "udp", "cannot hear IPv6 beacons on port %u: %s", udp->beacon_port, strerror(errno));
}

/* Without it, interfaces that come later are not noticed; no reason to fail. */
static int open_routes(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    struct sockaddr_nl sa = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};
    if (fd >= 0 && bind(fd, (struct sockaddr *)&sa, sizeof sa) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* ---- interfaces */

static bool wanted(const struct udp *udp, const char *name)
{
    if (!udp->only)
        return true;
    for (const char *const *only = udp->only; *only; only++)
        if (strcmp(*only, name) == 0)
            return true;
    return false;
}

/* By interface; in it, global before link-local, then by family and address. Loopback last. */
static int place_order(const void *a, const void *b)
{
    const struct udp_interface *x = &((const struct place *)a)->shown, *y = &((const struct place *)b)->shown;
    if (x->loopback != y->loopback)
        return x->loopback ? 1 : -1;
    if (x->index != y->index)
        return x->index < y->index ? -1 : 1;
    bool xl = addr_is_link_local(&x->addr), yl = addr_is_link_local(&y->addr);
    if (xl != yl)
        return xl ? 1 : -1;
    if (x->addr.family != y->addr.family)
        return x->addr.family == AF_INET ? -1 : 1;
    return memcmp(x->addr.ip, y->addr.ip, sizeof x->addr.ip);
}

/* Fills *place from one entry of getifaddrs, if it is usable. */
static bool place_of(const struct udp *udp, const struct ifaddrs *ifa, struct place *place)
{
    memset(place, 0, sizeof *place);
    unsigned flags = ifa->ifa_flags;
    if (!ifa->ifa_addr || !(flags & IFF_UP) || !(flags & IFF_RUNNING) || strlen(ifa->ifa_name) >= IFACE_TEXT ||
        !wanted(udp, ifa->ifa_name) || addr_from_sockaddr(ifa->ifa_addr, &place->shown.addr) != 0)
        return false;
    memcpy(place->shown.name, ifa->ifa_name, strlen(ifa->ifa_name));
    place->shown.index = if_nametoindex(ifa->ifa_name);
    place->shown.addr.port = 0;
    place->shown.loopback = flags & IFF_LOOPBACK;
    place->multicast = (flags & IFF_MULTICAST) && !place->shown.loopback;
    if (place->shown.addr.family != AF_INET)
        return place->shown.index != 0;
    if (place->shown.loopback)
        place->broadcast_addr.s_addr = htonl(INADDR_LOOPBACK | 0x00ffffff); /* 127.255.255.255 reaches all on it */
    else if ((flags & IFF_BROADCAST) && ifa->ifa_broadaddr && ifa->ifa_broadaddr->sa_family == AF_INET)
        place->broadcast_addr = ((const struct sockaddr_in *)(const void *)ifa->ifa_broadaddr)->sin_addr;
    place->broadcast = place->broadcast_addr.s_addr != 0;
    return place->shown.index != 0;
}

/* Joining again what was joined before fails, and that is fine. */
static void join_groups(struct udp *udp, const struct place *place)
{
    if (!place->multicast)
        return;
    if (place->shown.addr.family == AF_INET && udp->fd[SHARED_V4] >= 0) {
        struct ip_mreqn r = {.imr_ifindex = (int)place->shown.index};
        inet_pton(AF_INET, UDP_GROUP_V4, &r.imr_multiaddr);
        setsockopt(udp->fd[SHARED_V4], IPPROTO_IP, IP_ADD_MEMBERSHIP, &r, sizeof r);
    }
    if (place->shown.addr.family == AF_INET6 && udp->fd[SHARED_V6] >= 0) {
        struct ipv6_mreq r = {.ipv6mr_interface = place->shown.index};
        inet_pton(AF_INET6, UDP_GROUP_V6, &r.ipv6mr_multiaddr);
        setsockopt(udp->fd[SHARED_V6], IPPROTO_IPV6, IPV6_JOIN_GROUP, &r, sizeof r);
    }
}

/* Reads the addresses anew. Did they change? Interfaces beyond the cap are left out. */
static bool rescan(struct udp *udp)
{
    struct ifaddrs *list = NULL;
    struct place found[UDP_INTERFACES_MAX];
    size_t n = 0;
    memset(found, 0, sizeof found); /* compared as bytes below */
    if (getifaddrs(&list) != 0) {
        log_write(udp->log, LOG_WARN, "udp", "cannot read the interfaces: %s", strerror(errno));
        return false;
    }
    for (const struct ifaddrs *ifa = list; ifa && n < UDP_INTERFACES_MAX; ifa = ifa->ifa_next)
        n += place_of(udp, ifa, &found[n]);
    freeifaddrs(list);
    qsort(found, n, sizeof *found, place_order);
    for (size_t i = 0; i < n; i++)
        join_groups(udp, &found[i]);
    bool same = n == udp->count && memcmp(found, udp->found, n * sizeof *found) == 0;
    memcpy(udp->found, found, sizeof found);
    udp->count = n;
    return !same;
}

size_t udp_local(struct addr *out, size_t max)
{
    struct ifaddrs *list = NULL;
    size_t n = 0;
    if (getifaddrs(&list) != 0)
        return 0;
    for (const struct ifaddrs *ifa = list; ifa && n <= max; ifa = ifa->ifa_next) {
        struct addr a;
        bool up = (ifa->ifa_flags & IFF_UP) && (ifa->ifa_flags & IFF_RUNNING);
        if (!up || !ifa->ifa_addr || addr_from_sockaddr(ifa->ifa_addr, &a) != 0)
            continue;
        if (n < max)
            out[n] = a;
        n++;
    }
    freeifaddrs(list);
    return n <= max ? n : 0;
}

size_t udp_interfaces(const struct udp *udp, struct udp_interface *out, size_t max)
{
    size_t n = udp->count < max ? udp->count : max;
    for (size_t i = 0; i < n; i++)
        out[i] = udp->found[i].shown;
    return n;
}

/* ---- life */

int udp_new(const struct udp_config *config, struct udp **out, struct fault *fault)
{
    struct udp *udp = calloc(1, sizeof *udp);
    *out = NULL;
    if (!udp)
        return fault_set(fault, ERR_NOMEM, "out of memory");
    udp->beacon_port = config->beacon_port;
    udp->quiet = config->no_beacon;
    udp->only = config->interfaces && config->interfaces[0] ? config->interfaces : NULL;
    udp->log = config->log;
    udp->fd[SHARED_V4] = udp->fd[SHARED_V6] = -1;
    udp->fd[OWN_V4] = open_own(AF_INET, config->own_port);
    udp->fd[OWN_V6] = open_own(AF_INET6, config->own_port);
    udp->fd[ROUTES] = open_routes();
    if (udp->fd[OWN_V4] < 0 && udp->fd[OWN_V6] < 0) {
        fault_errno(fault, errno, "cannot make a datagram socket");
        udp_free(udp);
        return ERR_UNREACHABLE;
    }
    if (!config->no_beacon)
        open_shared(udp);
    rescan(udp);
    *out = udp;
    return 0;
}

void udp_free(struct udp *udp)
{
    if (!udp)
        return;
    for (int i = 0; i < UDP_FDS; i++)
        if (udp->fd[i] >= 0)
            close(udp->fd[i]);
    free(udp);
}

void udp_fds(const struct udp *udp, int fds[UDP_FDS])
{
    memcpy(fds, udp->fd, sizeof udp->fd);
}

bool udp_hears(const struct udp *udp)
{
    return udp->fd[SHARED_V4] >= 0 || udp->fd[SHARED_V6] >= 0;
}

/* ---- reading */

/* The interface by which a datagram came in, or 0. */
static unsigned arrived_by(struct msghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        struct in_pktinfo v4;
        struct in6_pktinfo v6;
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            memcpy(&v4, CMSG_DATA(c), sizeof v4);
            return (unsigned)v4.ipi_ifindex;
        }
        if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            memcpy(&v6, CMSG_DATA(c), sizeof v6);
            return v6.ipi6_ifindex;
        }
    }
    return 0;
}

static bool admitted(const struct udp *udp, unsigned index)
{
    if (!udp->only)
        return true;
    for (size_t i = 0; i < udp->count; i++)
        if (udp->found[i].shown.index == index)
            return true;
    return false;
}

/* Takes one datagram; false when there is none. One that is too long for a beacon is dropped here. */
static bool read_one(struct udp *udp, int fd, void (*each)(void *arg, const struct addr *from, const void *bytes, size_t n),
                     void *arg)
{
    uint8_t buf[BEACON_BYTES_MAX + 1];
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(struct in_pktinfo))];
    struct sockaddr_storage sa;
    struct iovec iov = {buf, sizeof buf};
    struct msghdr m = {&sa, sizeof sa, &iov, 1, control, sizeof control, 0};
    ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT);
    if (n < 0)
        return errno != EAGAIN && errno != EBADF; /* such as an ICMP error of an earlier datagram: the next one may be good */
    struct addr from;
    if (n > 0 && n <= BEACON_BYTES_MAX && admitted(udp, arrived_by(&m)) &&
        addr_from_sockaddr((const struct sockaddr *)&sa, &from) == 0)
        each(arg, &from, buf, (size_t)n);
    return true;
}

/* Were there messages of the kernel? ENOBUFS says that some were lost, and counts as one. */
static bool routes_changed(int fd)
{
    char buf[8192];
    bool any = false;
    for (int i = 0; i < READ_AT_ONCE && (recv(fd, buf, sizeof buf, MSG_DONTWAIT) > 0 || errno == ENOBUFS); i++)
        any = true;
    return any;
}

void udp_read(struct udp *udp, void (*each)(void *arg, const struct addr *from, const void *bytes, size_t n), void *arg,
              bool *changed)
{
    *changed = udp->fd[ROUTES] >= 0 && routes_changed(udp->fd[ROUTES]) && rescan(udp);
    for (int i = 0; i < ROUTES; i++)
        for (int k = 0; udp->fd[i] >= 0 && k < READ_AT_ONCE && read_one(udp, udp->fd[i], each, arg); k++)
            ;
}

/* ---- sending */

/* Sends to *sa, out of interface `index` when it is not 0. Best effort: what cannot be sent now is lost. */
static void send_to(struct udp *udp, const struct sockaddr *sa, unsigned index, const struct iovec *payload)
{
    struct iovec iov = *payload;
    bool v4 = sa->sa_family == AF_INET;
    int fd = udp->fd[v4 ? OWN_V4 : OWN_V6];
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct in6_pktinfo))] = {0};
    struct in_pktinfo via4 = {.ipi_ifindex = (int)index};
    struct in6_pktinfo via6 = {.ipi6_ifindex = index};
    size_t n = v4 ? sizeof via4 : sizeof via6;
    struct msghdr m = {(void *)sa, v4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6), &iov, 1, NULL, 0, 0};
    if (fd < 0)
        return;
    if (index != 0) {
        m.msg_control = control;
        m.msg_controllen = CMSG_SPACE(n);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
        c->cmsg_type = v4 ? IP_PKTINFO : IPV6_PKTINFO;
        c->cmsg_len = CMSG_LEN(n);
        memcpy(CMSG_DATA(c), v4 ? (void *)&via4 : (void *)&via6, n);
    }
    if (sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        log_write(udp->log, LOG_DEBUG, "udp", "datagram not sent: %s", strerror(errno));
}

static void send_v4(struct udp *udp, struct in_addr to, unsigned index, const struct iovec *payload)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(udp->beacon_port), .sin_addr = to};
    send_to(udp, (const struct sockaddr *)&sa, index, payload);
}

/* Multicast goes once to an interface and family, broadcast once to a subnet. */
static void send_place(struct udp *udp, size_t i, const struct iovec *payload)
{
    const struct place *p = &udp->found[i];
    bool first = true;
    for (size_t k = 0; k < i; k++)
        if (udp->found[k].shown.index == p->shown.index && udp->found[k].shown.addr.family == p->shown.addr.family)
            first = false;
    if (p->broadcast && (first || !p->shown.loopback))
        send_v4(udp, p->broadcast_addr, p->shown.index, payload);
    if (!p->multicast || !first)
        return;
    struct in_addr group;
    struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_port = htons(udp->beacon_port)};
    sa.sin6_scope_id = p->shown.index;
    inet_pton(AF_INET, UDP_GROUP_V4, &group);
    inet_pton(AF_INET6, UDP_GROUP_V6, &sa.sin6_addr);
    if (p->shown.addr.family == AF_INET)
        send_v4(udp, group, p->shown.index, payload);
    else
        send_to(udp, (const struct sockaddr *)&sa, p->shown.index, payload);
}

void udp_send(struct udp *udp, const struct addr *to, const void *bytes, size_t n)
{
    struct iovec payload = {(void *)bytes, n};
    struct sockaddr_storage sa;
    if (to) {
        if (addr_to_sockaddr(to, &sa) > 0)
            send_to(udp, (const struct sockaddr *)&sa, 0, &payload);
        return;
    }
    for (size_t i = 0; i < udp->count && !udp->quiet; i++)
        send_place(udp, i, &payload);
}
