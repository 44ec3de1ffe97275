/* Spread trees that are linked with each other, on one virtual clock: messages between them take a random while each, in order
 * on each link. */
#ifndef WEFT_TESTS_SPREAD_NET_H
#define WEFT_TESTS_SPREAD_NET_H

#include "spread_tree.h"

#define NET_NODES_MAX 256
#define NET_MESSAGES_MAX 512

struct net;

struct net *net_new(uint64_t seed, size_t nodes);
void net_free(struct net *net);

uint64_t net_random(struct net *net, uint64_t below);
/* Both ends learn of it at once. */
void net_link(struct net *net, size_t a, size_t b, bool linked);
bool net_linked(const struct net *net, size_t a, size_t b);
void net_link_all(struct net *net);
/* It does nothing any more, and nobody learns of it; then they do. */
void net_crash(struct net *net, size_t node);
void net_notice(struct net *net, size_t node);
bool net_alive(const struct net *net, size_t node);

/* Its links are full: no message can be sent on them, but ids can. */
void net_full(struct net *net, size_t node, bool full);

/* A new message of that node. */
size_t net_send(struct net *net, size_t node);
void net_run(struct net *net, uint64_t duration);

/* Of a message: how many nodes that are alive have not got it; the most copies that one node has sent; copies in all; and the
 * longest way that one has come. */
size_t net_without(const struct net *net, size_t message);
size_t net_copies_max(const struct net *net, size_t message);
size_t net_copies(const struct net *net, size_t message);
size_t net_hops(const struct net *net, size_t message);
struct tag net_id(size_t message);
/* Announcements, and other words without a message, since the beginning. */
size_t net_words(const struct net *net);

struct spread_tree *net_tree(struct net *net, size_t node);
const struct node_id *net_node_id(struct net *net, size_t node);

#endif
