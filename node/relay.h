/* The relay's side of relayed sessions, after US 9,830,334: a first client uses a handle whose resource is at a second one; the
 * relay answers a waiting request (NEXT) of the second with the first one's inside, marked with the session's number, and
 * answers the first from what comes back. Part of the core; only in nodes with the role.
 *
 * Words as in libp2p's circuit v2: a client RESERVEs, and is refused with a code (ERR_REFUSED: not trusted here; ERR_FULL: no
 * room; ERR_STATE: stopping); whoever USEs a handle may be refused likewise (ERR_NOT_FOUND: no such handle, or not for you;
 * ERR_UNREACHABLE: its holder is away; ERR_FULL: a quota is used up; ERR_TIMEOUT: the holder does not answer).
 *
 * Invariants: (1) a session is one record, and belongs to its two clients' links: a part from anyone else is refused; (2) what
 * waits for an end of a session is at most RELAY_WINDOW bytes, which it has granted; (3) sessions of one client take turns for
 * its NEXTs; (4) nothing of a session outlives either link; (5) the relay never looks into what it carries. */
#ifndef WEFT_NODE_RELAY_H
#define WEFT_NODE_RELAY_H

#include "core_internal.h"

struct relay;

int relay_new(struct core *core); /* core->relay; ERR_NOMEM */
void relay_free(struct core *core);
void relay_start(struct core *core); /* binds the `relay` pipe */

void relay_on_request(struct link *link, const struct msg *m); /* RESERVE, OFFER, HANDLES, USE, NEXT, BRIDGE */
void relay_link_lost(struct core *core, struct link *link);
/* Clients are told that it stops. relay_idle: are all sessions and bridges gone, or RELAY_DRAIN over? */
void relay_drain(struct core *core);
bool relay_idle(const struct core *core);

/* To a "status" row: reservations, handles, sessions, bridges, bytes carried. */
void relay_describe(const struct core *core, struct row *status);

#endif
