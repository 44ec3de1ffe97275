/* A core that is a relay, behind a port of the test's; its clients are played by the test.
 *
 * Time is virtual. What the relay says to a client is kept until it is heard; only what belongs to the relay, and ERROR and
 * BYE, not what links say of themselves. Clients keep their links alive by themselves. */
#ifndef WEFT_TESTS_UNIT_RELAY_NODE_H
#define WEFT_TESTS_UNIT_RELAY_NODE_H

#include "relay_internal.h"

#define NODE_CLIENTS_MAX 256
#define NODE_BRIDGES_MAX 300

struct relay_node;

struct relay_node *node_new(const struct relay_quota *quota);
void node_free(struct relay_node *n);
struct core *node_core(struct relay_node *n);
const struct relay *node_relay(struct relay_node *n);
const struct node_id *node_self(struct relay_node *n);
/* Lets time go by. */
void node_wait(struct relay_node *n, uint64_t duration);
size_t node_links(const struct relay_node *n);

/* A client with a link of its own, on which it has said HELLO: its number. */
size_t node_join(struct relay_node *n, const char *name, bool trusted);
/* The same node by one more link: its number as another client. */
size_t node_join_again(struct relay_node *n, size_t client);
void node_lose(struct relay_node *n, size_t client);
const struct node_id *node_id_of(struct relay_node *n, size_t client);
struct peer *node_peer(struct relay_node *n, size_t client);
/* Its link takes nothing. */
void node_stuff(struct relay_node *n, size_t client, bool full);

/* For a request: another one at each call. */
uint64_t node_number(struct relay_node *n);
/* A message to be filled in, zeroed: there is one, used again at each call. */
struct msg *node_msg(struct relay_node *n, enum msg_type type, uint64_t request);
/* Says it. */
void node_say(struct relay_node *n, size_t client, const struct msg *m);
/* The next that the client has not heard yet, or NULL: until the next call. */
const struct msg *node_hear(struct relay_node *n, size_t client);
/* The same, and it must be of this type. */
const struct msg *node_hear_a(struct relay_node *n, size_t client, enum msg_type type);
/* It is an ERROR of this code. */
void node_refused(struct relay_node *n, size_t client, enum err code);
/* It must have nothing to hear. */
void node_silent(struct relay_node *n, size_t client);
bool node_parted(const struct relay_node *n, size_t client);

/* What clients usually say (relay_says.c). Those that end in "_ok" hear that it went well. */
void node_reserve(struct relay_node *n, size_t client);
void node_reserve_ok(struct relay_node *n, size_t client);
void node_offer(struct relay_node *n, size_t client, const char *name, bool is_public);
void node_offer_ok(struct relay_node *n, size_t client, const char *name, bool is_public);
void node_withdraw_ok(struct relay_node *n, size_t client, const char *name);
uint64_t node_next(struct relay_node *n, size_t client); /* with nothing in it */
void node_nexts(struct relay_node *n, size_t client, unsigned count);
uint64_t node_use(struct relay_node *n, size_t user, size_t holder, const char *name);
void node_accept(struct relay_node *n, size_t holder, uint64_t session);
void node_data(struct relay_node *n, size_t client, uint64_t session, size_t bytes); /* 'a', 'b', ...: one letter a part */
void node_credit(struct relay_node *n, size_t client, uint64_t session, uint64_t credit);
void node_close(struct relay_node *n, size_t client, uint64_t session, enum err code, const char *text);
/* Next it hears a part of that kind. */
const struct relay_part *node_part(struct relay_node *n, size_t client, enum part_kind kind);
/* A session of the holder's share, open, with RELAY_WINDOW granted both ways: its number. */
uint64_t node_session(struct relay_node *n, size_t user, size_t holder, const char *name);

/* Bridges that are open at the port, oldest first; the next one fails with this code. */
struct bridge *node_bridge(struct relay_node *n, size_t i);
size_t node_bridges(const struct relay_node *n);
void node_bridge_fails(struct relay_node *n, int code);
/* A bridge comes to its end. */
void node_bridge_ends(struct relay_node *n, size_t i);

/* Bob has a reservation and offers "pictures" to all; anna and carl are trusted, eve is not. */
enum { BOB, ANNA, CARL, EVE };
struct relay_node *relay_people(const struct relay_quota *quota);
/* No session is left, nor any trace of one. */
void assert_nothing_left(struct relay_node *n);

#endif
