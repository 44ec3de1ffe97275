/* What the files of the core share. Nothing outside the core includes this.
 *
 * The core is one struct, its parts a file each: links.c (their lives), ways.c (which one is taken), dial.c (making them),
 * upgrade.c (instead of those through relays), company.c (with whom unasked), gossip.c (beacons and records), trust.c
 * (tickets), files.c (the `files` pipe, server side), ask.c (requests of ours), reach.c (from a peer's name to a link that its
 * pipe is bound to), and the verbs (verbs.c, browse.c, get.c) that control clients call. */
#ifndef WEFT_NODE_CORE_INTERNAL_H
#define WEFT_NODE_CORE_INTERNAL_H

#include "binding.h"
#include "core.h"
#include "job.h"
#include "msg.h"
#include "peers.h"
#include "state.h"
#include "transfer.h"

/* A token bucket: `level` is refilled at `rate` a second up to `burst`. */
struct bucket {
    double level, rate, burst;
    uint64_t at;
};
void bucket_init(struct bucket *b, double rate, double burst, uint64_t now);
bool bucket_take(struct bucket *b, uint64_t now);

/* ---- links */

#define LINK_BUCKETS 256
#define LINK_OVERHEAD 43   /* bytes that ZMTP and CURVE add to a message */
#define LINK_STRIKES_MAX 3 /* malformed messages before a link is dropped */

enum link_state { LINK_DIALLING, LINK_ACCEPTED, LINK_UP, LINK_STATES };

struct race;

struct link {
    struct link *next;
    struct link *same_bucket; /* of core->by_number */
    struct link *same_peer;   /* of peer->links */
    struct core *core;
    link_no no;
    struct state state;
    struct peer *peer;              /* NULL until an inbound link has said HELLO */
    struct race *race;              /* it takes part in, while dialling */
    bool relayed;                   /* carried by a session, not by a connection */
    struct session *session;        /* NULL: it has ended */
    struct tag handle;              /* that it was opened for */
    char share[NAME_MAX_BYTES + 1]; /* whose handle that is, when we opened it; "": the node's own */
    unsigned users;                 /* transfers that go the same way: it is in use for as long */
    bool inbound;
    bool plain;               /* dialled for company, not for a pipe: dropped when it turns out to be a second one */
    struct endpoint endpoint; /* that was dialled; transport ANY when inbound */
    uint8_t curve[CURVE_KEY_BYTES];
    uint64_t incarnation; /* of the peer when it was greeted */
    uint64_t opened_at, heard_at, used_at, pinged_at, rtt;
    uint64_t doubted_at;          /* not heard since: it ends soon */
    uint64_t bytes_in, bytes_out; /* of messages, and what their framing adds (LINK_OVERHEAD each) */
    uint64_t ping_nonce;
    unsigned strikes; /* malformed messages so far */
    struct bucket messages;
    struct bucket data;    /* DATA, ACK, SPREAD: many and cheap, and bounded by credit besides */
    struct bucket pace;    /* of such messages that we send: fewer than the peer takes */
    struct bucket records; /* signature checks on records that it brings */
    struct bucket queries; /* QUERY and REGISTER: each can make work for others */
    struct bucket spread;  /* signature checks on SPREAD, and answers to WANT */
};

/* ---- making links (dial.c) */

/* Ends with a link that is up, or NULL: then `why` (else NULL) is what a relay said, of several the one that said most;
 * without code when none did. Never called from inside race_start. */
typedef void race_done(void *arg, struct link *link, const struct fault *why);

/* Dials a peer's endpoints, best first, DIAL_STAGGER apart; the first to be up wins and the others are hung up. Sessions
 * through relays are begun a moment after its own endpoints were dialled. `plain`: for company. ERR_NOMEM. */
int race_start(struct core *core, struct peer *peer, const struct endpoint *endpoints, size_t count, bool plain,
               race_done *done, void *arg);
/* At endpoints that are relays (session.h), the race with this arg uses the handle of this share; until then the node's own
 * (""). `or_node`: where no relay knows it, the node's own is tried after all. */
void race_use(struct core *core, void *arg, const char *share, bool or_node);
void race_cancel(struct core *core, void *arg);
/* Ends the race for this peer that was begun with this `done`, without a winner. Was there one? */
bool races_end(struct core *core, const struct peer *peer, race_done *done);
/* A runner of it is up, or came to nothing. */
void race_won(struct race *race, struct link *link);
void race_lost_runner(struct race *race, bool relayed);
/* The session that a runner had was not to be, for this reason; that it is lost is told besides. */
void race_refused(struct race *race, const struct fault *why);
void dial_fini(struct core *core);

/* A new link in the table, or NULL when it is full (for peers that are not trusted it is full earlier); and out of it again,
 * without a word to anyone. */
struct link *link_new(struct core *core, link_no no, struct peer *peer, bool trusted);
void link_free(struct link *link);
int link_hello(struct link *link, enum msg_type type, uint64_t request);
struct link *link_find(struct core *core, link_no no);
/* The connection that is up: one we dialled before an inbound one, then the oldest. NULL when there is none. */
struct link *link_direct(const struct peer *peer);
/* The same for a resource of the peer (handle_of): a connection, else a session that was opened for just this handle. */
struct link *link_for(struct core *core, const struct peer *peer, const struct tag *handle);
/* Any link that is up, to talk to the node: a connection, else a session for the node itself, else any one. */
struct link *link_to(struct core *core, const struct peer *peer);
/* Of our sessions through a relay the one that has been idle the longest, at least so long, and that nobody needs. Or NULL. */
struct link *link_resting(struct core *core, const struct node_id *relay, uint64_t least);
/* May such a message travel on it? Through a relay go requests of its two ends, and nothing for others. */
bool link_carries(const struct link *link, const struct msg *m);
/* Its own endpoints do not answer, though it can be reached otherwise. */
void peer_is_shut(struct core *core, struct peer *peer);
/* Bytes of one message, by whatever carries the link. ERR_FULL, ERR_UNREACHABLE. */
int link_carry(struct link *link, const void *bytes, size_t n);
/* What carries it is given up, without a word to the link's holders. */
void link_drop(struct link *link);
/* A transfer goes the way of this link now, and no longer that of the link in *used. 0: it goes no way. */
void link_use(struct core *core, link_no *used, link_no now);
/* "direct", or "relay:NAME". */
#define ROUTE_TEXT (NAME_MAX_BYTES + 8)
void link_route(const struct link *link, char out[ROUTE_TEXT]);
/* Tries to make connections to the peers of sessions in use, until there are (upgrade.c); and what moves there when one is up:
 * gets and streams. */
void upgrades_consider(struct core *core);
void upgrades_count(const struct core *core, size_t *peers, size_t *attempts); /* under way */
void upgrades_init(struct core *core);
void upgrades_fini(struct core *core);
void gets_upgrade(struct core *core, struct peer *peer);     /* get.c: those that go through a relay begin anew, directly */
void connects_upgrade(struct core *core, struct peer *peer); /* connect.c: the same for lasting streams */
/* One that was dialled at just this endpoint and is up. */
struct link *link_at(struct core *core, const struct peer *peer, const char *endpoint);
/* Encodes and sends. ERR_FULL, ERR_UNREACHABLE. */
int link_send(struct link *link, const struct msg *m);
/* May another DATA or ACK go now? Counts it. If not, ask again in a millisecond. */
bool link_may_flow(struct link *link);
void link_error(struct link *link, uint64_t request, int code, const char *text);
/* Says goodbye when it is up, hangs up, frees; ends what depended on it. */
void link_close(struct link *link, enum bye_reason reason);
void links_close_all(struct core *core, enum bye_reason reason);
/* Closes the links to an earlier life of a peer, which nobody hears any more. Were there any? */
bool links_close_outlived(struct core *core, const struct peer *peer);
/* Asks a peer, on every link to it that has been silent since, for a sign of life: one that brings none soon is closed. */
void links_doubt(struct core *core, struct peer *peer);
/* There is a link: its pulse is taken from now on (pulse.c). */
void links_watch(struct core *core);
void links_on_hello(struct link *link, const struct msg *m);
void links_on_welcome(struct link *link, const struct msg *m);
void links_init(struct core *core);
void links_fini(struct core *core);
size_t links_peers(struct core *core, struct node_id *out, size_t max);
/* Can this endpoint of a peer be of use here? Its own when it is in scope; a relay when that is neither this node nor the
 * peer. */
bool endpoint_usable(struct core *core, const struct node_id *peer, const struct endpoint *e);
/* Endpoints of a record that we can dial at all: its own, in scope. */
size_t endpoints_usable(struct core *core, const struct record *record, struct endpoint *out, size_t max);
void core_send_error(struct link *link, uint64_t request, const struct fault *fault);

/* The link to ourselves (here.c), for pipes whose reader is a program of this node. NULL: out of memory. */
struct link *link_here(struct core *core);
bool link_is_here(const struct link *link);
int here_send(struct core *core, const void *bytes, size_t n); /* ERR_FULL */
void here_free(struct core *core);
/* A message on a link that was let in: decodes it and has it dealt with. */
void core_take(struct link *link, const void *bytes, size_t n);

/* ---- which peers are linked to without being asked for (company.c) */

enum dial_kind { DIAL_HEARD, DIAL_TOLD, DIAL_RELAY, DIAL_KINDS };

/* Peers or links changed: see soon who is to be dialled. */
void links_consider(struct core *core);
/* Dials a peer at once, whatever its damping. False: no endpoint of it is known. */
bool links_dial(struct core *core, struct peer *peer);
/* Its record is new: links to an earlier life of it are dead, attempts to reach that begin anew, where its pipes are bound is
 * asked anew, and links of this life may go by interfaces that are no more. */
void links_renewed(struct core *core, struct peer *peer);
void company_init(struct core *core);
void company_fini(struct core *core);

/* ---- requests of ours over a link */

/* m is NULL when it failed: then fault says why. */
typedef void ask_done(void *arg, const struct msg *m, const struct fault *fault);
/* Sends a request (numbers it) and waits for its answer of type `answer`, or ERROR, at most `timeout`. */
int ask(struct link *link, struct msg *m, enum msg_type answer, uint64_t timeout, ask_done *done, void *arg);
/* As ask, for work that takes its time: the answer may come as late as it likes, while PROGRESS tells of it. ASK_SILENCE
 * without that ends it. `progress` may be NULL. */
typedef void ask_progress(void *arg, const struct msg_progress *p);
int ask_for_long(struct link *link, struct msg *m, enum msg_type answer, ask_progress *progress, ask_done *done, void *arg);
/* The request with this arg is not wanted any more: CANCEL goes out, and no answer is waited for. */
void ask_withdraw(struct core *core, void *arg);
uint64_t ask_number(struct core *core, void *arg); /* of the request with this arg, or 0 */
bool ask_waits(const struct core *core, const struct link *link);
void ask_cancel(struct core *core, void *arg);
void ask_link_lost(struct core *core, struct link *link);
/* Is this an answer to one of ours? Then it is dealt with. */
bool ask_on_answer(struct link *link, const struct msg *m);

/* ---- reaching a pipe */

struct reached {
    struct link *link;                    /* NULL: failed */
    const struct binding_holder *holder;  /* whose link it is; NULL when failed */
    const struct binding_result *binding; /* how it was found; borrowed for the call */
    struct fault fault;
};
typedef void reach_done(void *arg, const struct reached *r);
/* From a pipe to a link that it is bound to: asks who has it bound where (after dialling the owner, when it has one), goes
 * through the holders, best first, and races the endpoints of each. `avoid` (may be NULL) is a holder to be taken last. */
int reach_pipe(struct core *core, const struct binding_want *want, const struct node_id *avoid, reach_done *done, void *arg);
/* As reach_pipe, for a share of the peer: through a relay by the handle of that name ("": the node itself). */
int reach_share(struct core *core, struct peer *peer, const char *share, reach_done *done, void *arg);
/* The same for a service pipe of a peer, by name. */
int reach(struct core *core, struct peer *peer, const char *pipe, enum transport transport, reach_done *done, void *arg);
void reach_cancel(struct core *core, void *arg);
/* Its link came up, or no endpoint of it could be dialled. */
void reach_link_up(struct core *core, struct peer *peer);
void reach_dial_failed(struct core *core, struct peer *peer);

/* ---- control calls */

struct call {
    struct call *next;
    struct core *core;
    uint64_t client;
    void (*cancel)(struct call *call, int code);            /* ends the work and frees `work`; answers nothing */
    void (*feed)(struct call *call, const struct row *row); /* a further row of the client's; NULL: there are none */
    void *work;
};
/* Ends a call: the closing row goes out and the call is freed. fault NULL or code 0: "done" with the fields of `extra`
 * (takes). */
void call_done(struct call *call, struct row *extra);
void call_fail(struct call *call, const struct fault *fault);
/* As call_fail, after cancelling its work. */
void call_abort(struct call *call, const struct fault *fault);
void call_row(struct call *call, struct row *row); /* takes */
/* Splits PEER[:SHARE[/PATH]] (ERR_USAGE): `at` is zeroed where a part is missing. */
int source_parse(const char *text, size_t n, char *peer, size_t peer_cap, struct share_path *at, struct fault *fault);
/* Of a transfer: a request is only lent to its verb, whose sources are needed until the end; NULL when out of memory. */
struct row *request_copy(const struct row *row);
/* A peer named by the person, or a fault that says what to do. */
int core_peer(struct core *core, const char *name, struct peer **peer, struct fault *fault);

typedef void verb_start(struct call *call, const struct row *request);
verb_start verb_ls, verb_get, verb_ping, verb_invite, verb_join, verb_trust, verb_untrust, verb_share, verb_unshare;
verb_start verb_put, verb_forget;                                                                /* put.c, remember.c */
verb_start verb_pipe_resolve, verb_pipe_listen, verb_pipe_send, verb_pipe_connect, verb_pipe_ls; /* verbs_pipe*.c, connect.c */

/* ---- trust */

struct ticket {
    struct tag id;
    uint8_t secret[16];
    uint64_t expires;
    bool open;
};
void trust_on_join(struct link *link, const struct msg *m);
void trust_set(struct core *core, struct peer *peer, bool trusted);
void peer_save(struct core *core, const struct peer *peer);

/* ---- shares and the files pipe */

struct share {
    struct share *next; /* by name */
    struct share_row row;
    uint64_t size;     /* of a file, when it was shared or last looked at */
    struct pipe *pipe; /* of a byte stream: it is bound as (resources.c) */
};
void files_start(struct core *core);
void files_on_request(struct link *link, const struct msg *m);
void files_link_lost(struct core *core, struct link *link);
/* A share was put, or dropped. */
void files_share_changed(struct core *core, const char *name);
/* The share that a request means, or NULL after it was refused. */
struct share *files_share_for(struct link *link, uint64_t request, const struct tag *pipe, const char *name);
/* Splits a shared path into a folder to open and a path below it (PATH_BYTES_MAX + 1 each): a shared file is reached through
 * its parent. False: nothing is below a file. */
bool files_place(const struct share *share, const struct share_path *at, char *root, char *path);
void files_stop(struct core *core);
void files_free(struct core *core);
void shares_free(struct core *core);
void gets_free(struct core *core);
/* An ERROR that no request waits for: is it about a FETCH that was answered already? Then it is dealt with. */
bool gets_on_error(struct link *link, const struct msg *m);
struct share *share_find(struct core *core, const char *name);
bool share_allows(const struct share *share, const struct peer *peer);
bool share_is_stream(const struct share *share); /* all but files and folders */
/* Adds or replaces. ERR_NOMEM, ERR_FULL; other codes when it is there, but cannot be bound as a pipe (resources.h). */
int share_put(struct core *core, const struct share_row *row, struct share **out);
void share_drop(struct core *core, struct share *share);
struct row *share_row_of(const char *peer, const struct share_info *info);
struct share_info share_info_of(const struct share *share);

/* ---- beacons and gossip */

struct seed_state {
    struct seed seed;
    struct tag nonce;
    uint64_t next_at, wait;
    bool found;
};
void gossip_init(struct core *core);
void gossip_fini(struct core *core);
void gossip_start(struct core *core);
void gossip_stop(struct core *core);
void gossip_beacon_now(struct core *core);
void gossip_renew_record(struct core *core);
void gossip_link_up(struct link *link);
void gossip_on_records(struct link *link, const struct msg *m);
/* A peer's record is new: save it if it is trusted, pass it on, once. */
void gossip_fresh(struct core *core, struct peer *peer, const struct link *from);

/* ---- pipes made known (binding_host.c, registrar.c) */

int binding_start(struct core *core); /* ERR_NOMEM */
/* Linked nodes that are rendezvous, each once. */
size_t links_relays(struct core *core, struct node_id *out, size_t max);
/* Verifies a record from anywhere, keeps it when it is news, and decodes it. ERR_VERIFY; ERR_STATE when a newer one is
 * known. */
int core_take_record(struct core *core, const struct record_bytes *bytes, struct record *decoded);

int registrar_new(struct core *core);
void registrar_free(struct core *core);
void registrar_on_register(struct link *link, const struct msg *m);
/* The first link to a peer came up, or the last one ended. */
void registrar_link_changed(struct core *core, const struct peer *peer);
/* A pipe was bound here, or is no more. */
void registrar_pipe_changed(struct core *core, const struct tag *pipe, bool bound);

struct core {
    struct core_config config;
    const struct port *port;
    const struct log *log;
    bool started, stopping;
    uint64_t started_at;

    struct peers *peers;
    struct binding *binding;
    struct registrar *registrar;
    struct record record; /* our own */
    struct record_bytes signed_record;
    uint64_t renewed_at;
    uint64_t beat;

    struct link *links; /* newest first */
    struct link *by_number[LINK_BUCKETS];
    struct race *races;
    struct here *here; /* the link to ourselves, once it is wanted */
    uint32_t link_count;
    link_no next_link;
    struct bucket dials[DIAL_KINDS]; /* of peers that are not trusted */

    struct ask *asks;
    uint64_t next_request;
    struct reach *reaches;

    struct timer beacon_timer, heartbeat, dial_timer, seed_timer;
    struct bucket checks;  /* signature checks on datagrams */
    struct bucket records; /* and on records that links bring */
    struct bucket replies; /* answers to probes, extra beacons */
    struct bucket receipts;
    struct seed_state seeds[SEEDS_MAX];
    size_t seed_count;

    struct ticket tickets[TICKETS_MAX];
    struct bucket wrong_tickets;

    struct share *shares;
    size_t share_count;
    struct opened *opened; /* what is behind byte streams to them (resources.c) */
    struct serve *serves;  /* FETCHes and LISTs of peers in work */
    struct get *gets;
    struct put *puts;
    struct parcel *parcels;
    struct take *takes;
    struct openings *openings; /* files that peers have open */
    struct remember *remember;
    uint32_t jobs;      /* handed to the port and not back yet */
    uint32_t transfers; /* receives and sends that have not ended */

    struct pipe *pipes;       /* bound by programs of this node, by name (pipes.c) */
    struct channel_out *outs; /* channels of our programs (channel_out.c) */
    struct channels_in *ins;  /* channels to them (channel_in.c) */
    struct spread *spread;    /* propagate pipes (spread.c) */
    struct relay *relay;      /* NULL: this node is none */
    struct relayed *relayed;  /* our sessions and reservations elsewhere (session.c, reservation.c) */
    struct upgrade *upgrades; /* peers of sessions (upgrade.c) */
    struct bucket upgrade_dials;
    struct timer upgrade_timer;
    struct caller *callers; /* byte streams that our programs began (connect.c) */
    struct callee *callees; /* and those to them (connect_in.c) */

    struct call *calls;
    uint64_t refused_messages;

    struct msg incoming;             /* the message in hand: too large for a stack */
    uint8_t outgoing[MSG_BYTES_MAX]; /* the one being encoded */
};

uint64_t core_now(const struct core *core);
void core_timer(struct core *core, struct timer *t, uint64_t after); /* from now */
void core_cancel(struct core *core, struct timer *t);
void core_random(struct core *core, void *buf, size_t n);
void core_event(struct core *core, struct row *row); /* takes; to whoever started the node */
void core_saved(struct job *job);                    /* done of a job that only saves */
void core_job(struct core *core, struct job *job);   /* counts it */
struct row *peer_row_of(struct core *core, const char *kind, const struct peer *peer);

#endif
