/* Named pipes of this node's programs: what they have bound, and their channels to other nodes' pipes. Part of the core.
 *
 * Two parts meet here. pipes.c and verbs_pipe.c know programs (clients of the control socket), names and rights; channel_out.c
 * and channel_in.c know nodes, order and credit. A message goes
 *
 *   program -> pipe-send -> channel_out -> outflow -> OPEN, DATA
 *   DATA -> channel_in -> inflow -> pipe_deliver -> pipe-listen -> program
 *
 * and is "taken" once the reading program has said so; that travels back as ACK, and only then does the sender forget it. */
#ifndef WEFT_NODE_PIPES_H
#define WEFT_NODE_PIPES_H

#include "batch.h"
#include "binding.h"
#include "core_internal.h"

/* ---- pipes bound here (pipes.c) */

enum audience { AUDIENCE_TRUSTED, AUDIENCE_NAMED, AUDIENCE_PUBLIC };

struct pipe {
    struct pipe *next; /* by name */
    struct core *core;
    char name[NAME_MAX_BYTES + 1];
    struct tag tag;
    bool shared;
    enum pipe_type type;
    enum transport transport; /* the only one it may be reached by, or ANY */
    uint8_t rank;
    enum audience audience;
    size_t allowed_count;
    struct node_id allowed[AUDIENCE_MAX];
    struct call *reader; /* the pipe-listen call that bound it; NULL: */
    struct share *share; /* it is a share that is a byte stream (resources.h), whose audience counts */
};

/* Could it be bound? Sets its tag, and changes nothing else. The errors of pipe_bind but for ERR_FULL. */
int pipe_may_bind(struct pipe *pipe, struct fault *fault);
/* Binds a pipe whose core, name, shared, type, transport, rank and audience are set (its tag follows): from then on it is in
 * the table, borrowed, until pipe_unbind. ERR_USAGE for a service's name, ERR_EXISTS, ERR_UNSUPPORTED for a transport that this
 * node does not speak, ERR_FULL. */
int pipe_bind(struct pipe *pipe, struct fault *fault);
/* Out of the table; who sends into it is told that no more will be taken. */
void pipe_unbind(struct pipe *pipe);
/* NULL for services too: their messages are requests. */
struct pipe *pipe_find(struct core *core, const struct tag *tag);
bool pipe_allows(const struct pipe *pipe, const struct peer *peer);

struct pipe_counts {
    uint32_t bound, channels; /* in and out */
};
void pipes_count(const struct core *core, struct pipe_counts *out);

/* A name of a pipe as people write it: PEER:NAME (owned by that peer, which may be this node) or NAME (shared). Gives the owner
 * when it is a known peer, else NULL. ERR_USAGE, and ERR_NOT_FOUND for an unknown peer, each with a fault that says what to
 * do. */
int pipe_want(struct core *core, const char *text, enum pipe_type type, enum transport transport, struct binding_want *want,
              struct peer **peer, struct fault *fault);
/* The same for a pipe that is to be bound here: NAME, or THIS-NODE:NAME when it is not `shared`. `name` points into text. */
int pipe_here(struct core *core, const char *text, bool shared, const char **name, struct fault *fault);

#define PIPE_NAME_TEXT (2 * NAME_MAX_BYTES + 2)
/* PEER:NAME, or NAME when it is shared. */
void pipe_full_name(const struct pipe *pipe, char out[PIPE_NAME_TEXT]);
/* What a person calls a node: its name, or the first characters of its id. */
void pipe_node_label(struct core *core, const struct node_id *id, char label[NAME_MAX_BYTES + 1]);
const char *pipe_type_name(enum pipe_type type); /* "unicast", "propagate" */
/* The field "transport" of a request; any when there is none. ERR_USAGE. */
int pipe_transport(const struct row *request, enum transport *transport, struct fault *fault);

/* Hands a batch to the reader of a pipe (borrows). What was handed over is taken once channel_taken is called; a reader that
 * has not taken much is not handed more: false, and channel_in_resume(pipe) comes when there is room again.
 *
 * `until` (port's clock; 0: no lease) is the end of a shared pipe's binder's lease. It fences the reading program too, which
 * may be frozen as well as the node: what it has not begun to handle by then it must not handle, unless it is told of a later
 * end (row "messages" has `until`; row "lease" {channel, until}), and must forget when the channel has gone elsewhere (row
 * "void" {channel}). So while a reader has messages that it has not taken, the lease is kept fresh (channel_in.c: ACKs with
 * stamps go on, DATA echoes them) and the reader is told now and then. */
bool pipe_deliver(struct pipe *pipe, const struct tag *channel, const struct peer *from, uint64_t seq, bool again,
                  uint64_t until, const struct batch *batch);
void pipe_lease(struct pipe *pipe, const struct tag *channel, uint64_t until);
void pipe_void(struct pipe *pipe, const struct tag *channel);
/* Tells the reader that a sender has begun or ended (all that it sent has been taken, or it gave up). */
void pipe_sender(struct pipe *pipe, const struct tag *channel, const struct peer *from, const char *state);
/* How many have begun and not ended. */
uint32_t pipe_senders(const struct pipe *pipe);

/* ---- sending (verbs_pipe_send.c, verbs_pipe_spread.c, pipe_why.c) */

struct pipe_send_request {
    struct binding_want want;
    char name[NODE_ID_TEXT + NAME_MAX_BYTES + 2]; /* as the person wrote it */
    uint64_t wait;                                /* ns */
};
/* Reads the fields of pipe-send and pipe-connect: pipe, propagate, transport, wait_ms. ERR_USAGE, ERR_NOT_FOUND. */
int pipe_send_request(struct core *core, const struct row *row, struct pipe_send_request *r, struct fault *fault);
/* The call sends into a propagate pipe. */
void spreading_start(struct call *call, const struct pipe_send_request *request);
/* How many programs of this node send into unicast pipes. */
uint32_t pipes_sending(const struct core *core);

/* Why nobody who has the pipe bound as wanted was found: asks whether it is bound with another type or transport, and makes
 * `fault` say so. `done` is called once, later. NULL: there is no room or memory for the question. */
struct pipe_why;
typedef void pipe_why_done(void *arg, const struct fault *fault);
struct pipe_why *pipe_why(struct core *core, const struct pipe_send_request *request, const struct fault *fault,
                          pipe_why_done *done, void *arg);
/* NULL is fine. */
void pipe_why_cancel(struct pipe_why *why);

/* ---- what is bound where (verbs_pipe_ls.c) */

void pipes_start(struct core *core);
void pipes_on_request(struct link *link, const struct msg *m); /* PIPES */

/* ---- receipts (receipts.c): see base/receipt.h */

/* What a reader needs to send receipts of a channel: the name that its sender gave it, and the key. */
struct receipt_way {
    struct tag tag;
    uint8_t key[32];
};
/* Tells the reader of a pipe where and how (row "receipt"). */
void receipts_offer(struct pipe *pipe, const struct tag *channel, const struct peer *from, const struct receipt_way *way);
/* Is this datagram a receipt? Then it is dealt with. */
bool receipts_datagram(struct core *core, const void *bytes, size_t n);

/* ---- channels in (channel_in.c): what other nodes send to pipes bound here */

struct channel_in;

int channel_in_init(struct core *core); /* ERR_NOMEM */
void channel_in_on_open(struct link *link, const struct msg *m);
void channel_in_on_data(struct link *link, const struct msg *m);
void channel_in_on_close(struct link *link, const struct msg *m);
/* The reader has taken all messages of a channel below `seq`. ERR_USAGE: it was not handed that much. A channel that is gone
 * meanwhile is no error. */
int channel_in_taken(struct core *core, const struct tag *channel, uint64_t seq);
void channel_in_resume(struct pipe *pipe);
/* The pipe's reader is gone: senders are told what was taken and that no more will be (CLOSE_RELEASED). */
void channel_in_release(struct pipe *pipe);
void channel_in_link_lost(struct core *core, struct link *link);
void channel_in_free(struct core *core);

/* ---- channels out (channel_out.c): what this node's programs send */

struct receipt;
struct channel_out;

enum channel_state { CHANNEL_SEEKING, CHANNEL_OPENING, CHANNEL_BOUND, CHANNEL_ENDING, CHANNEL_ENDED, CHANNEL_STATES };

struct channel_out_events {
    /* Something changed: bound to another, more taken, room again. */
    void (*moved)(void *arg);
    /* It is over: fault.code 0 when all that was pushed has been taken. The channel is freed right after. */
    void (*ended)(void *arg, const struct fault *fault);
};

struct channel_out_config {
    struct binding_want want;
    uint64_t wait; /* how long nobody may have the pipe bound before it fails; counted anew after each time it was bound */
    const struct channel_out_events *events;
    void *arg;
};

int channel_out_new(struct core *core, const struct channel_out_config *config, struct channel_out **out);
/* Queues a batch (copies). ERR_FULL when it would exceed PIPE_QUEUE_BYTES: nothing was taken; ERR_LIMIT when the numbers are
 * used up. */
int channel_out_push(struct channel_out *c, const struct batch *batch);
/* No more comes: ended() once all is taken. */
void channel_out_finish(struct channel_out *c);
/* Gives up and frees it at once; ended() is not called. */
void channel_out_cancel(struct channel_out *c);

struct channel_out_status {
    enum channel_state state;
    const struct peer *peer; /* it is bound to, or NULL */
    uint64_t pushed, taken;  /* messages */
    uint64_t room;           /* cost that may be pushed now */
    uint32_t rebound;        /* times it went over to another binder, or back */
};
void channel_out_status(const struct channel_out *c, struct channel_out_status *out);

void channel_out_on_ack(struct link *link, const struct msg *m);
void channel_out_on_close(struct link *link, const struct msg *m);
void channel_out_link_lost(struct core *core, struct link *link);
/* There is a connection to a peer: channels that go to it through relays are opened again over that. */
void channel_out_upgrade(struct core *core, const struct peer *peer);
/* `bytes` are what the receipt was read from. */
void channel_out_on_receipt(struct core *core, const struct receipt *receipt, const void *bytes, size_t n);
void channel_out_free(struct core *core);

/* ---- propagate pipes (spread.c) */

int spread_init(struct core *core);
void spread_free(struct core *core);
/* Sends a message of ours to all who have the pipe bound, also here. ERR_LIMIT: longer than SPREAD_BYTES_MAX. ERR_FULL: more
 * than SPREAD_SENDS_PER_S, try again in a moment. ERR_UNREACHABLE: nobody is linked, and nobody here has it bound. */
int spread_send(struct core *core, const struct tag *pipe, const void *bytes, size_t n);
void spread_on_message(struct link *link, const struct msg *m); /* SPREAD, HAVE, WANT, PRUNE */
void spread_link_up(struct link *link);
void spread_link_lost(struct core *core, const struct link *link);
void spread_trust(struct core *core, const struct peer *peer); /* it is trusted, or not any more */
/* To a "status" row: how many copies of messages were sent. */
void spread_describe(const struct core *core, struct row *status);
/* pipes.c: a message of a propagate pipe that is bound here, from a node whose signature was checked and who is among those who
 * may. Our own are heard too: then `origin` is this node, which peers_find does not find. */
void pipe_heard(struct pipe *pipe, const struct peer *origin, const struct tag *id, const void *bytes, size_t n);

/* ---- byte streams (connect.c, connect_in.c) */

void connect_on_request(struct link *link, const struct msg *m); /* CONNECT */
void connect_on_cancel(struct link *link, const struct msg *m);  /* CANCEL, of a CONNECT's number; others' pass it by */
void connects_free(struct core *core);
/* pipes.c: shows the reader of a pipe that somebody wants a stream; it will accept or refuse (rows "accept", "refuse"). A pipe
 * has one offer or stream at a time, which connect.c sees to. */
int pipe_offer(struct pipe *pipe, const struct peer *from, uint64_t number);
/* The reader's answer to the offer of that number; one that is not, or no longer, on offer to this client is passed over. */
void connect_accepted(struct core *core, uint64_t number, uint64_t client);
void connect_refused(struct core *core, uint64_t number, uint64_t client, const struct fault *why);
/* The resource that was opened for the stream of that number (resources.c), which is borrowed until resources_close. */
void connect_opened(struct core *core, uint64_t number, struct resource *resource);
/* The reader of a pipe is gone, or ends its call: offers to it are refused, its streams end. */
void connect_release(struct core *core, const struct pipe *pipe);

#endif
