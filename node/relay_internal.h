/* What the files of the relay share: relay.c (life, dispatch, draining), relay_clients.c (accounts, reservations, lines),
 * relay_offers.c (handles), relay_sessions.c (sessions), relay_turns.c (NEXTs that wait, and who is told what by them), and
 * relay_bridges.c. Nothing else includes this.
 *
 * A client is a peer; a line is one of its links; a session has two ends, each at a line. A client's record lasts for as long
 * as it has a line, a reservation, or a bridge on its account. */
#ifndef WEFT_NODE_RELAY_INTERNAL_H
#define WEFT_NODE_RELAY_INTERNAL_H

#include "backlog.h"
#include "relay.h"

#define RELAY_BUCKETS 256
#define RELAY_RECORDS_MAX (RELAY_CLIENTS_MAX + LINKS_MAX + 2 * BRIDGES_MAX) /* of clients: what may hold one */

/* ---- clients (relay_clients.c) */

struct relay_offer { /* a handle */
    struct relay_offer *next;
    struct tag handle;
    char name[NAME_MAX_BYTES + 1];
    enum resource_kind kind;
    bool is_public;
    uint8_t audience_count;
    struct node_id audience[]; /* in order */
};

struct relay_client {
    struct relay *relay;
    struct peer *peer;
    uint64_t number;          /* of its account: never used twice */
    struct relay_line *lines; /* the one by which it asked for work last comes first */
    struct bucket uses;
    unsigned sessions;  /* that it is an end of */
    unsigned strangers; /* of these, such as it serves to peers that are not trusted here */
    unsigned bridges;   /* that it asked for */
    unsigned charged;   /* bridges on its account */
    /* its reservation */
    uint64_t until; /* 0: it has none */
    struct timer lapse;
    unsigned granted; /* sessions */
    struct bucket strange_uses;
    struct relay_offer *offers; /* by name */
    unsigned offer_count;
    uint64_t bytes, counted_from; /* moved by bridges on its account, since then */
};

struct relay_line {
    struct relay_line *next; /* of its client's */
    struct relay_line *same_bucket;
    struct relay_client *client;
    struct link *link;
    uint64_t nexts[RELAY_NEXTS_MAX]; /* requests that wait: a ring */
    unsigned next_first, next_count;
    struct relay_end *turn, **turn_last; /* ends that are to be told something, in turn */
    bool drain;                          /* it is to be told that the relay stops */
    struct timer timer;
};

struct relay_line *relay_line_of(const struct relay *relay, const struct link *link);
/* The same, made if need be: NULL when out of memory. */
struct relay_line *relay_line_for(struct link *link);
/* It is the one to be asked for work by. */
void relay_line_first(struct relay_line *line);
void relay_line_free(struct relay_line *line);
struct relay_client *relay_client_find(struct relay *relay, const struct node_id *id);
/* Its place in relay->client, or where it would stand. */
size_t relay_client_place(const struct relay *relay, const struct node_id *id);
/* Frees it when nothing holds it any more. */
void relay_client_settle(struct relay_client *client);
/* Has it a reservation, and is it still trusted? */
bool relay_client_serves(const struct relay_client *client);
unsigned relay_sessions_allowed(const struct relay *relay);
/* Bytes that bridges may still move on its account. */
uint64_t relay_bytes_left(struct relay_client *client);
void relay_on_reserve(struct relay_line *line, const struct msg *m);
/* What the client is called in texts and in the log. */
struct relay_label {
    char s[NAME_MAX_BYTES + 1];
};
struct relay_label relay_label(const struct relay_client *client);

/* ---- handles (relay_offers.c) */

void relay_on_offer(struct relay_line *line, const struct msg *m);
void relay_on_handles(struct link *link, const struct msg *m);
/* Does the client offer this to the peer? Its node itself (handle_of with "") is offered to all that are linked. */
bool relay_offers(const struct relay_client *holder, const struct tag *handle, const struct peer *to);
void relay_offers_drop(struct relay_client *client);

/* ---- sessions (relay_sessions.c) */

enum { END_USER, END_HOLDER, END_COUNT };

struct relay_end {
    struct relay_session *session;
    struct relay_line *line; /* NULL: it has left, or never knew of it */
    struct relay_end *after; /* in its line's turn */
    bool in_turn;
    bool closing, has_text; /* it is to be told of the end; the text is what waits last */
    uint8_t code;           /* enum err */
    struct backlog waiting; /* for it: DATA, as it came; before ACCEPT its first piece is USE's noise */
    uint64_t granted;       /* DATA bytes that it takes in all, as it said */
    uint64_t passed;        /* that it has been sent */
    uint64_t allowed;       /* that it was told it may send in all */
    uint64_t came;          /* that it has sent */
};

struct relay_session {
    struct relay_session *next, *same_bucket;
    struct relay *relay;
    uint64_t number;
    struct state state;
    uint64_t request; /* the USE that waits for its answer, or 0 */
    struct tag handle;
    bool strange; /* its user is not trusted here */
    uint64_t data_at;
    struct timer timer; /* of the state */
    struct relay_end end[END_COUNT];
};

enum relay_session_state {
    RELAY_WANTED, /* no NEXT of its holder has taken it yet */
    RELAY_ASKED,  /* its holder has been asked */
    RELAY_OPEN,
    RELAY_ENDING, /* for an end that has not been told yet */
    RELAY_SESSION_STATES
};

void relay_on_use(struct relay_line *line, const struct msg *m);
/* A part that came in a NEXT: ACCEPT, DATA, CLOSE. */
void relay_on_part(struct relay_line *line, const struct msg *m);
struct relay_end *relay_other(const struct relay_end *end);
/* The session's end at this line, if it has one. */
struct relay_end *relay_end_at(struct relay_session *s, const struct relay_line *line);
struct relay_session *relay_session_find(const struct relay *relay, uint64_t number);
/* Its holder has been told of it. */
void relay_session_asked(struct relay_session *s);
/* What an end may send in all, as things stand. */
uint64_t relay_allowance(const struct relay_end *end);
/* It needs no telling any more. May free the session. */
void relay_end_leave(struct relay_end *end);
/* Each end that knows of it is told, after what waits for it. May free the session. */
void relay_session_end(struct relay_session *s, int code, const char *text);
/* All that this client serves; of these, those that were opened for `handle` when it is not NULL. */
void relay_sessions_withdraw(struct relay_client *holder, const struct tag *handle, int code, const char *text);
void relay_sessions_line_lost(struct relay *relay, struct relay_line *line);

/* ---- turns (relay_turns.c) */

void relay_on_next(struct relay_line *line, const struct msg *m);
void relay_line_init(struct relay_line *line);
/* When there is something to tell it. */
void relay_turn_join(struct relay_end *end);
void relay_turn_leave(struct relay_end *end);
/* Answers what waits with what there is to tell, at once or soon. May free sessions. */
void relay_line_serve(struct relay_line *line);
void relay_line_serve_soon(struct relay_line *line);
/* The part in hand is about a session that is not the client's, or is over: it is told so. */
void relay_unknown_session(struct relay_line *line, uint64_t session);

/* ---- bridges (relay_bridges.c) */

struct relay_bridge;
void relay_on_bridge(struct relay_line *line, const struct msg *m);
void relay_bridges_line_lost(struct relay *relay, struct relay_line *line);
void relay_bridges_init(struct relay *relay);
void relay_bridges_free(struct relay *relay);

/* ---- the relay */

struct relay {
    struct core *core;
    struct tag pipe;
    struct relay_client *client[RELAY_RECORDS_MAX]; /* in order of id */
    size_t client_count;
    uint64_t next_client;
    struct relay_line *by_link[RELAY_BUCKETS];
    unsigned reservations, offers;
    struct relay_session *sessions; /* newest first */
    struct relay_session *by_number[RELAY_BUCKETS];
    uint64_t next_session;
    unsigned session_count, strange_count;
    struct relay_bridge *bridges;
    unsigned bridge_count;
    struct timer charge_timer;
    bool draining, drained;
    struct timer drain_timer;
    uint64_t bytes; /* carried, but for what open bridges have not been charged for yet */
    struct msg out; /* the message being made: too large for a stack */
};

/* Something has ended: is that the last that draining waits for? */
void relay_look_whether_idle(struct relay *relay);

#endif
