/* What the files of relayed sessions and of reservations share; nothing else includes this. See session.h.
 *
 *   session.c          what links call, the ends of sessions, and the turn in which all of it moves
 *   session_begin.c    USE and PART_USE: from who wants a session to a channel between two nodes
 *   session_flow.c     messages into sealed pieces and back, and the credit for them
 *   session_carrier.c  the links to relays, and the NEXTs that parts travel in
 *   session_bridge.c   bulk streams
 *   reservation.c, reservation_offers.c  which relays carry sessions to us, and what they may show
 *
 * Invariants: (1) a session or a carrier is freed in a turn only, so whoever is called meanwhile finds it there; (2) parts of a
 * session come in by its carrier's link alone, and only as answers to NEXTs of ours; (3) nothing of a session is handed to a
 * link, and no link of one is ended, but in a turn. */
#ifndef WEFT_NODE_SESSION_INTERNAL_H
#define WEFT_NODE_SESSION_INTERNAL_H

#include "noise.h"
#include "session.h"

struct relayed;

/* Bytes that wait, in order. */
struct note {
    struct note *next;
    size_t n;
    uint8_t bytes[];
};

struct notes {
    struct note *first, **end;
    size_t bytes;
};

void notes_init(struct notes *q);
void notes_push(struct notes *q, struct note *note); /* takes */
struct note *notes_pop(struct notes *q);             /* gives, or NULL */
void notes_clear(struct notes *q);

/* ---- sessions */

enum session_state {
    SESSION_REACHING,  /* out: its relay is not linked yet */
    SESSION_ASKING,    /* out: USE is out */
    SESSION_ACCEPTING, /* in: ACCEPT is to be said */
    SESSION_PROVING,   /* in: it was said, and nothing that the other side sealed has come */
    SESSION_OPEN,
    SESSION_CLOSING, /* hung up here: what is queued still goes */
    SESSION_ENDED,
    SESSION_STATES
};

struct session {
    struct session *next; /* of relayed->sessions */
    struct carrier *carrier;
    struct link *link; /* on top of it; NULL: not yet, or no longer */
    struct state state;
    bool inbound;
    bool owes_close; /* ENDED, and the relay is to be told */
    uint64_t number; /* the relay's; 0: none yet */
    struct tag handle;
    struct noise noise;
    uint8_t second[NOISE_SECOND_BYTES]; /* in: what ACCEPT says */
    uint8_t curve[CURVE_KEY_BYTES];     /* in: who opened it, once something opens */
    struct fault fault;                 /* why it has ended */
    uint64_t deadline;                  /* of PROVING and CLOSING */
    uint64_t used_at;                   /* but for pings */
    uint64_t spoke;                     /* when its carrier took the last part of it: see carrier->said */
    struct {
        struct notes sealed;  /* pieces */
        uint64_t sent, limit; /* bytes of DATA: said, and what may be */
    } out;
    struct {
        struct note *partial; /* of a message whose last piece has not come */
        struct notes whole;   /* messages for the link */
        uint64_t got, told;   /* bytes of DATA: that have come, and that may */
    } in;
};

/* session.c */
struct session *session_new(struct carrier *c, const struct tag *handle, bool inbound); /* NULL: no memory */
/* It ends: what depends on it is told in the next turn. `tell`: the relay too. */
void session_end(struct session *s, const struct fault *fault, bool tell);
/* The same, for the relay did not carry what was said. */
void session_broken(struct session *s, const struct fault *fault);
const char *session_peer_name(const struct session *s, char label[NAME_MAX_BYTES + 1]);
struct session *session_find(const struct carrier *c, uint64_t number);

/* session_begin.c */
void session_use(struct session *s);                                  /* its relay is reached */
void session_asked(struct carrier *c, const struct relay_part *part); /* PART_USE */

/* session_flow.c */
int session_queue(struct session *s, const void *bytes, size_t n); /* ERR_FULL, ERR_NOMEM, ERR_LIMIT */
void session_data(struct session *s, const struct relay_part *part);
void session_deliver(struct session *s);
/* The part that it wants to say next; false: none now. */
bool session_part(struct session *s, struct relay_part *part);
void session_said(struct session *s, const struct relay_part *part);

/* session_bridge.c */
void bridgings_free(struct relayed *r);

/* ---- carriers: relays that carry sessions of ours (session_carrier.c) */

#define NEXTS_OUT_MAX (2 * RELAY_NEXTS_MAX) /* as many on their way as may wait there */

struct carrier {
    struct carrier *next;
    struct core *core;
    struct peer *peer; /* held */
    struct link *link; /* a connection, never a session; NULL: not reached */
    bool reaching;
    bool warned;                     /* of what it did to our sessions */
    bool hungry;                     /* fewer NEXTs wait there than should */
    uint64_t draining_at;            /* it said that it stops; 0: no */
    struct reservation *reservation; /* NULL: none */
    struct bucket uses;              /* of PART_USE: each costs three multiplications */
    unsigned nexts;                  /* that it lets wait */
    uint64_t said;                   /* parts so far: sessions take turns by it */
    size_t out_count;
    struct next_out {
        uint64_t request, session;
    } out[NEXTS_OUT_MAX];
};

/* Finds or makes. NULL: no memory, or no room among the peers; never for ourselves. */
struct carrier *carrier_get(struct core *core, const struct node_id *relay);
struct carrier *carrier_of(const struct core *core, const struct link *link);
/* Makes for a link to it: then come session_use and reservation_reached. */
void carrier_reach(struct carrier *c);
size_t carrier_sessions(const struct carrier *c, bool inbound);
/* Refuses or ends a session that has no record here. */
void carrier_close(struct carrier *c, uint64_t session, int code, const char *text);
/* Says what sessions want to say, and keeps NEXTs waiting. False: it could not say all; again in a moment. */
bool carrier_say(struct carrier *c);
void carrier_free(struct carrier *c);
const char *carrier_name(const struct carrier *c, char label[NAME_MAX_BYTES + 1]);

/* ---- reservations (reservation.c, reservation_offers.c) */

/* The carrier was reached, or not: then fault says why. */
void reservation_reached(struct carrier *c, const struct fault *fault);
void reservation_lost(struct carrier *c);
void reservation_drained(struct carrier *c);
/* Does this relay carry sessions to us now? */
bool reservation_held(const struct carrier *c);
/* Do we offer this handle there? */
bool reservation_offers(const struct carrier *c, const struct tag *handle);

/* ---- all of it */

struct relayed {
    struct core *core;
    struct session *sessions; /* newest first */
    struct carrier *carriers;
    struct reservation *reservations;
    struct bridging *bridgings;
    uint64_t broken;               /* sessions that relays did not carry faithfully */
    struct timer turn;             /* something moved */
    struct timer tick;             /* once a second, while there is anything */
    struct msg out;                /* the message being said: too large for a stack */
    uint8_t plain[RELAY_PART_MAX]; /* the piece being opened or sealed */
};

struct relayed *relayed_of(struct core *core); /* makes it; NULL: no memory */
void relayed_soon(struct core *core, uint64_t after);
/* sessions_free and reservations_free, of which the last one frees it. */
void relayed_free(struct core *core);

#endif
