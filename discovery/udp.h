/* The one socket adapter of discovery: datagrams on every interface.
 *
 * Sends to IPv4 broadcast, IPv4 multicast and IPv6 link-local multicast (hop limit 1) on every usable interface, loopback
 * included, and hears all of them on one port that every node of a machine shares. A second pair of sockets, on a port of the
 * node's own, sends everything and hears what is sent to this node alone: probes and their answers. Interfaces that come and go
 * are noticed (rtnetlink). No thread, no timer: the caller polls the descriptors. */
#ifndef WEFT_DISCOVERY_UDP_H
#define WEFT_DISCOVERY_UDP_H

#include "addr.h"
#include "err.h"
#include "log.h"

struct udp;

#define UDP_FDS 5 /* shared IPv4 and IPv6, own IPv4 and IPv6, rtnetlink */
#define UDP_INTERFACES_MAX 32
#define UDP_GROUP_V4 "239.255.93.38"
#define UDP_GROUP_V6 "ff02::9338"

struct udp_config {
    uint16_t beacon_port;          /* shared by all nodes of the LAN */
    uint16_t own_port;             /* unicast; 0: any */
    const char *const *interfaces; /* only these, NULL-terminated (borrows, for the socket's life); NULL: all */
    bool no_beacon;                /* unicast only */
    const struct log *log;
};

struct udp_interface {
    char name[IFACE_TEXT];
    unsigned index;
    struct addr addr; /* port 0 */
    bool loopback;
};

/* ERR_UNREACHABLE when the kernel gives no datagram socket at all. A beacon port that is taken is only logged: see
 * udp_hears. */
int udp_new(const struct udp_config *config, struct udp **udp, struct fault *fault);
void udp_free(struct udp *udp);
/* Descriptors to poll for reading; -1 where there is none. They do not change. */
void udp_fds(const struct udp *udp, int fds[UDP_FDS]);
/* Does it hear beacons, by IPv4 or IPv6? */
bool udp_hears(const struct udp *udp);
/* Reads what is there, at most 64 datagrams a socket. *changed is set when addresses came or went. */
void udp_read(struct udp *udp, void (*each)(void *arg, const struct addr *from, const void *bytes, size_t n), void *arg,
              bool *changed);
/* To every interface (`to` NULL) or one address; our own datagrams are heard too (the core knows its own id). */
void udp_send(struct udp *udp, const struct addr *to, const void *bytes, size_t n);
/* All addresses of interfaces that are up, also of those that are not to be used. 0 when they cannot be read, or are more. */
size_t udp_local(struct addr *out, size_t max);
/* The usable addresses now, in order: by interface, global before link-local, loopback last. */
size_t udp_interfaces(const struct udp *udp, struct udp_interface *out, size_t max);

#endif
