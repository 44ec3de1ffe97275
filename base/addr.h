/* Network addresses and endpoints.
 *
 * An endpoint is where a node can be reached: transport, address text as ZeroMQ writes it ("tcp://192.168.1.4:49160"), the
 * interface it stands on, and a scope: 0 when it can be dialled from anywhere, else a number that two nodes share when they
 * see the same loopback network (tcp on lo) or the same files (ipc). */
#ifndef WEFT_BASE_ADDR_H
#define WEFT_BASE_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct addr {
    uint8_t family; /* AF_INET or AF_INET6; 0 when unset */
    uint8_t ip[16]; /* network order; the first four for AF_INET */
    uint16_t port;  /* host order */
    uint32_t scope; /* interface index of a link-local IPv6 address, else 0 */
};

#define ADDR_TEXT 72

/* "192.168.1.4:49160" or "[fe80::1%3]:49160"; returns `out`. */
const char *addr_text(const struct addr *a, char out[ADDR_TEXT]);
/* Reads that form. Numbers only, never a name look-up; a scope only with a link-local address. ERR_MALFORMED. */
int addr_parse(const char *text, struct addr *a);
bool addr_equal(const struct addr *a, const struct addr *b);     /* port and scope too */
bool addr_same_host(const struct addr *a, const struct addr *b); /* ip only; ::ffff:1.2.3.4 is 1.2.3.4 */
bool addr_is_loopback(const struct addr *a);
bool addr_is_link_local(const struct addr *a);
/* Can one connect to it? Not: unset, port 0, the unspecified address, multicast, limited broadcast. */
bool addr_is_dialable(const struct addr *a);
socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ss);
/* ERR_UNSUPPORTED for other families than IPv4 and IPv6. */
int addr_from_sockaddr(const struct sockaddr *sa, struct addr *a);

/* RELAY is none of a pipe's: an endpoint "relay://NODE-ID" says that the node can be reached by a session through that one, see
 * node/session.h. */
enum transport { TRANSPORT_ANY, TRANSPORT_TCP, TRANSPORT_IPC, TRANSPORT_WS, TRANSPORT_RELAY, TRANSPORT_COUNT };

#define ENDPOINT_TEXT 128
#define IFACE_TEXT 16

struct endpoint {
    enum transport transport; /* never ANY */
    char text[ENDPOINT_TEXT];
    char iface[IFACE_TEXT];
    uint64_t scope;
};

const char *transport_name(enum transport t); /* "any", "tcp", "ipc", "ws", "relay" */
/* A pipe's, by its name. ERR_MALFORMED. */
int transport_parse(const char *name, enum transport *t);
/* The transport of "tcp://...", "ipc://...", "ws://...", "relay://..."; ERR_MALFORMED for another scheme, an empty rest, or
 * characters that do not belong in an endpoint. */
int endpoint_transport(const char *text, enum transport *t);
/* The address in "tcp://ADDR:PORT" or "ws://ADDR:PORT", dialable. ERR_MALFORMED. */
int endpoint_addr(const char *text, struct addr *a);
/* May this endpoint, from a peer, be dialled? Its text is of its transport, and numeric for tcp and ws: a peer must not make us
 * look up names, bind wildcards or read ZeroMQ's other notations. The interface's name is printable. A relay's is an id written
 * in the one way, and stands on no interface. */
bool endpoint_valid(const struct endpoint *e);
struct node_id;
/* The node in "relay://NODE-ID", and the other way round. ERR_MALFORMED. */
int endpoint_relay(const char *text, struct node_id *relay);
void endpoint_set_relay(struct endpoint *e, const struct node_id *relay);

#endif
