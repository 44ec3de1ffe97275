/* The core of a node: all protocol logic, as one pure state machine.
 *
 * Events go in by the functions below; actions come out through the port (base/port.h). The core owns no socket, thread, clock,
 * random source or global, and iterates over nothing in hash order: the same events at the same times give the same actions.
 * All calls come from one thread. The running node (node/loop.c) and the simulated world (tests/sim) both drive it. */
#ifndef WEFT_NODE_CORE_H
#define WEFT_NODE_CORE_H

#include "identity.h"
#include "port.h"
#include "row.h"
#include "state_db.h"

struct core;

enum { ROLE_RELAY = 1, ROLE_HUB = 2 };

/* What one client of a relay may have. 0: the default of limits.h, or no bound for bytes and rate. */
struct relay_quota {
    uint32_t sessions;
    uint64_t bytes; /* through bridges, while its reservation lasts */
    uint64_t rate;  /* of these, a second */
};

struct core_config {
    const struct identity *identity; /* borrows, for the core's life */
    char name[NAME_MAX_BYTES + 1];
    uint32_t roles;
    uint64_t incarnation; /* higher at every start */
    bool no_beacon;
    struct relay_quota quota;
    const char *bases;   /* folder for what is remembered of peers' files (store/bases.h); NULL: nothing is. Borrowed */
    uint64_t base_limit; /* bytes of that */
    const char *spool;   /* folder for what is made for a peer to fetch. Borrowed */
};

/* A node given by --peer or remembered in a ticket: an address to ask, and an id when it is known. */
struct seed {
    struct node_id id;
    bool id_known;
    char endpoint[ENDPOINT_TEXT]; /* numeric */
};
#define SEEDS_MAX 64

int core_new(const struct core_config *config, const struct port *port, struct core **core);
void core_free(struct core *core);

/* What was remembered, before core_start. Rows over a cap are left out. */
void core_load_peer(struct core *core, const struct peer_row *row);
void core_load_share(struct core *core, const struct share_row *row);
int core_add_seed(struct core *core, const struct seed *seed);

/* The first beacon goes out, seeds and remembered peers are dialled. */
void core_start(struct core *core);
/* Goodbyes to all links and interfaces; running transfers are cancelled (their done() still comes). A relay in use gives its
 * clients time to go elsewhere first: its links are closed when they have, or after RELAY_DRAIN. */
void core_stop(struct core *core);
/* Are no transfers and jobs, and no sessions of others, left to wait for? */
bool core_idle(const struct core *core);

/* A datagram. `from` is a hint and proves nothing. */
void core_datagram(struct core *core, const struct addr *from, const void *bytes, size_t n);
/* An inbound connection, before its first message; `curve` is the key that CURVE proved. The core may hang up at once. */
void core_accepted(struct core *core, link_no link, const uint8_t curve[CURVE_KEY_BYTES]);
/* A message on an open link, of any bytes. */
void core_message(struct core *core, link_no link, const void *bytes, size_t n);
/* The port lost the link (never follows a hangup). */
void core_link_lost(struct core *core, link_no link);
/* Interfaces or listeners changed: the record is made anew. */
void core_endpoints_changed(struct core *core);

/* A request of a control client (borrows row). It is answered by rows through port->reply, the last of kind "done" or
 * "error". One request a client at a time; a row of kind "cancel" ends it. */
void core_request(struct core *core, uint64_t client, const struct row *row);
void core_client_gone(struct core *core, uint64_t client);

/* Link numbers for inbound connections come from the port, with this bit; the core's own dials are numbered without. */
#define LINK_INBOUND (1ull << 63)

#endif
