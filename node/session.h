/* Relayed sessions as their clients see them: a channel between two nodes that cannot dial each other, carried by a third, and
 * a link (core_internal.h) on top of it that is like any other to whoever holds it. Part of the core.
 *
 *   user                          relay                         holder
 *   USE {handle, noise} ------->  picks a waiting NEXT
 *                                 NEXT_OK {USE, session} ---->  rights; noise
 *                                 <----- NEXT {ACCEPT, noise}
 *   <--------- USE_OK {session, noise}
 *   NEXT {DATA} --------------->  NEXT_OK {DATA} ------------>  HELLO, sealed; and so on both ways
 *
 * Messages of the link are sealed (base/noise.h) in pieces of at most RELAY_PART_MAX bytes: a first byte says whether more of
 * the message follows. The relay sees sizes and times, and can stop a session; whatever else it does breaks it.
 *
 * Invariants: (1) a session carries one link, which ends with it; (2) who is at the far end is what noise proved, never what
 * the relay says; (3) at most RELAY_WINDOW bytes are in flight to us, and what we want to send beyond the other's credit waits,
 * at most SESSION_QUEUE_BYTES; (4) what comes is handed to the link in a turn of its own. */
#ifndef WEFT_NODE_SESSION_H
#define WEFT_NODE_SESSION_H

#include "core_internal.h"

#define SESSION_QUEUE_BYTES (1u << 20)

struct session;

/* For a link that is being dialled: a session with its peer through a relay (which is reached first, when it is not linked).
 * Then comes link_session_up, and link_session_ended at its end or when it comes to nothing; never from inside. ERR_NOMEM,
 * ERR_FULL; ERR_STATE when it would go through its own peer, through us, or through a relay that needs a relay itself. */
int session_open(struct link *link, const struct node_id *relay, const struct tag *handle);
/* One message of the link. ERR_FULL, ERR_UNREACHABLE. */
int session_send(struct session *s, const void *bytes, size_t n);
/* The link is hung up: what is queued still goes, then the session is closed. It is freed in time, not before the next turn. */
void session_hangup(struct session *s);

const struct node_id *session_relay(const struct session *s);
const struct tag *session_handle(const struct session *s);
/* How long nothing was sent or has come, but for pings. */
uint64_t session_idle(const struct session *s);

/* Bulk streams through the relay that carries this session: `done` comes once, unless cancelled. */
typedef void bridge_done(void *arg, const struct msg_bridge_ok *ok, const struct fault *fault);
int session_bridge(struct session *s, uint8_t streams, bridge_done *done, void *arg);
void session_bridge_cancel(struct core *core, void *arg);

/* ---- what comes from relays */

void sessions_on_next(struct link *link, const struct msg *m); /* NEXT_OK */
/* Is this ERROR the answer to a NEXT of ours? Then it is dealt with. */
bool sessions_on_error(struct link *link, const struct msg *m);
/* A link to a relay is up, or is lost: its sessions are, too. */
void sessions_link_up(struct link *link);
void sessions_link_lost(struct core *core, struct link *link);
void sessions_free(struct core *core);
/* To a "status" call: a row "session" for each. */
void sessions_describe(struct call *call);

/* ---- reservations of ours (reservation.c): at each relay that a share of ours names by --via */

void reservations_start(struct core *core);
/* Shares, or who may see them, changed. */
void reservations_changed(struct core *core);
/* The relays that will carry sessions to us now: endpoints of our record. */
size_t reservations_endpoints(struct core *core, struct endpoint *out, size_t max);
/* Is this share offered at this relay? */
bool share_goes_via(const struct share_row *row, const struct node_id *relay);
/* May this be asked for by this link? A relayed one reaches what is offered at its relay, by the handle it was opened for. */
bool link_reaches_share(const struct link *link, const struct share_row *row);
/* To a "status" call: a row "reservation" for each. */
void reservations_describe(struct call *call);
void reservations_free(struct core *core);

/* ---- what the links do for sessions (links.c) */

/* The session of a link that is being dialled is open: it says HELLO. */
void link_session_up(struct link *link);
/* It came to nothing, or has ended: so does the link, at once. A race that it ran in remembers why. */
void link_session_ended(struct link *link, const struct fault *fault);
/* A session was opened by the node with this key: a link as if accepted. NULL: refused. */
struct link *link_of_session(struct core *core, struct session *s, const uint8_t curve[CURVE_KEY_BYTES]);

#endif
