/* The relay's side of relayed sessions, after US 9,830,334: a first client uses a handle whose resource is at a second one;
 * the relay answers a waiting request (NEXT) of the second with the first one's inside, marked with the session's number, and
 * answers the first from what comes back. Part of the core; only in nodes with the role.
 *
 * Words as in libp2p's circuit v2: a client RESERVEs (again before the life that it was granted ends; a life of 0 ends it),
 * and is refused with a code (ERR_REFUSED: not trusted here; ERR_FULL: no room; ERR_STATE: stopping). Whoever USEs a handle
 * may be refused likewise (ERR_NOT_FOUND: no such handle, or not for you; ERR_UNREACHABLE: its holder is away; ERR_FULL: as
 * many sessions as are allowed; ERR_LIMIT: too fast; ERR_TIMEOUT: the holder does not answer; ERR_REFUSED: it would be a
 * circle; ERR_STATE: stopping), or by the holder, with whatever code it has. A holder's node itself (handle_of with "") can be
 * used by all that are linked: what they say is for the holder to judge.
 *
 * A part about a session that is not its sender's, or is over, is answered with CLOSE, ERR_NOT_FOUND. Whoever breaks the rules
 * of a session ends it (ERR_LIMIT: more DATA than was allowed; ERR_STATE: not now; ERR_MALFORMED: too short to be sealed), and
 * no other.
 *
 * A bridge counts against who asked for it; its bytes are on the account of the session's holder, who has the reservation.
 * They are counted anew when RELAY_LIFE_MAX_S has passed since they began to be.
 *
 * Invariants: (1) a session is one record, and belongs to its two clients' links: a part from anyone else is refused; (2) what
 * waits for an end of a session is at most RELAY_WINDOW bytes, which it has granted; (3) sessions of one client take turns for
 * its NEXTs; (4) nothing of a session outlives either link; its bridges may outlive it, but not these; (5) the relay never
 * looks into what it carries. */
#ifndef WEFT_NODE_RELAY_H
#define WEFT_NODE_RELAY_H

#include "core_internal.h"

struct relay;

int relay_new(struct core *core); /* core->relay; ERR_NOMEM */
void relay_free(struct core *core);
void relay_start(struct core *core); /* binds the `relay` pipe */

void relay_on_request(struct link *link, const struct msg *m); /* RESERVE, OFFER, HANDLES, USE, NEXT, BRIDGE */
void relay_link_lost(struct core *core, struct link *link);
/* The peer is trusted from now on, or no longer; then its reservation ends, at once. */
void relay_trust(struct core *core, const struct peer *peer);
/* Clients are told that it stops, and nothing new is begun; when all sessions and bridges are gone, or RELAY_DRAIN is over,
 * all links of the node are closed. */
void relay_drain(struct core *core);
/* Is nothing left to wait for? */
bool relay_idle(const struct core *core);

/* To a "status" row, of a relay: reservations, handles, sessions, bridges, bytes carried. */
void relay_describe(const struct core *core, struct row *status);

#endif
