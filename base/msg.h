/* The messages between nodes: node/PROTOCOL.md as C.
 *
 * Each message is one MessagePack array [type, request, ...fields in fixed positions]. A request number is chosen by the asker
 * and comes back in the answer; it is 0 in messages that want no answer, and never 0 in JOIN, SHARES, LIST, FETCH, REGISTER,
 * OPEN, CONNECT, PIPES, RESERVE, OFFER, HANDLES, USE, NEXT, BRIDGE, FILE, INDEX, PUT, LITERALS, GATHER, COMMIT and their
 * answers, and in PROGRESS. Decoding yields an owned struct with every cap checked; whether the message is allowed now, and to
 * this sender, is for its handler to say. */
#ifndef WEFT_BASE_MSG_H
#define WEFT_BASE_MSG_H

#include "addr.h"
#include "batch.h"
#include "err.h"
#include "id.h"
#include "limits.h"
#include "names.h"

#define PROTOCOL_VERSION 4

/* Feature bits agreed in HELLO: what both sides state. None are defined yet. */
#define FEATURES_KNOWN 0u

enum msg_type {
    MSG_HELLO = 1, /* dialler: version, features, own record */
    MSG_WELCOME,   /* the answer, with the same fields */
    MSG_BYE,       /* this link, or this node, ends */
    MSG_PING,
    MSG_PONG,
    MSG_RECORDS, /* gossip: signed records */
    MSG_ERROR,   /* the answer to any request that failed */
    MSG_JOIN,    /* use a ticket */
    MSG_JOIN_OK,
    MSG_QUERY, /* pipe binding: who has this pipe bound, and where? */
    MSG_ANSWER,
    MSG_SHARES, /* to a `files` pipe: which shares may I see? */
    MSG_SHARES_OK,
    MSG_LIST, /* to a `files` pipe: what is in this folder? */
    MSG_LIST_OK,
    MSG_FETCH,    /* to a `files` pipe: send this to my reception object */
    MSG_FETCH_OK, /* connected: data may flow */
    MSG_CANCEL,   /* stop the transfer that this request began */
    MSG_REGISTER, /* to a rendezvous: these pipes are bound at this holder */
    MSG_REGISTER_OK,
    MSG_OPEN, /* a reliable pipe: a channel from a sender to a binder begins, or goes on */
    MSG_OPEN_OK,
    MSG_DATA,         /* sender to binder: messages of a channel */
    MSG_ACK,          /* binder to sender: taken so far, and credit */
    MSG_CLOSE,        /* either: this channel ends here */
    MSG_SPREAD,       /* a message of a propagate pipe */
    MSG_SPREAD_HAVE,  /* ids of such messages that could be asked for */
    MSG_SPREAD_WANT,  /* send me these, and all further ones */
    MSG_SPREAD_PRUNE, /* send me no messages, or not even ids */
    MSG_CONNECT,      /* a byte stream: the caller's reception object */
    MSG_CONNECT_OK,   /* connected: data may flow both ways */
    MSG_PIPES,        /* to a `pipes` pipe: which pipes may I use? */
    MSG_PIPES_OK,
    MSG_RESERVE, /* to a `relay` pipe: carry sessions to me */
    MSG_RESERVE_OK,
    MSG_OFFER, /* with a reservation: others may use this resource of mine, or no longer */
    MSG_OFFER_OK,
    MSG_HANDLES, /* to a `relay` pipe: what do your clients offer me? */
    MSG_HANDLES_OK,
    MSG_USE, /* to a `relay` pipe: a session with the holder of this handle */
    MSG_USE_OK,
    MSG_NEXT,    /* client to relay: part of a session, or nothing; then it waits */
    MSG_NEXT_OK, /* the answer: part of a session that another client sent */
    MSG_BRIDGE,  /* bulk streams for a session: two reception objects at the relay */
    MSG_BRIDGE_OK,
    MSG_FILE, /* to a `files` pipe: open this file here, for reading or for writing */
    MSG_FILE_OK,
    MSG_FILE_CLOSE, /* it is not needed any more */
    MSG_INDEX,      /* of what does this file consist? */
    MSG_INDEX_OK,
    MSG_PUT, /* fetch my parcel, to this place */
    MSG_PUT_OK,
    MSG_LITERALS, /* fetch my parcel: the new bytes of this file */
    MSG_LITERALS_OK,
    MSG_GATHER, /* build the next part of this file from bytes of that one, and from its literals */
    MSG_GATHER_OK,
    MSG_COMMIT, /* it is complete: let it stand under its name */
    MSG_COMMIT_OK,
    MSG_PROGRESS, /* a request is still in work */
    MSG_TYPE_END
};

/* A signed record as it travels: opaque here, discovery/record.h reads it. */
struct record_bytes {
    uint16_t len;
    uint8_t b[RECORD_BYTES_MAX];
};

struct msg_hello { /* HELLO and WELCOME */
    uint32_t version;
    uint32_t features;
    struct record_bytes record;
};

enum bye_reason { BYE_STOPPING, BYE_DUPLICATE, BYE_REFUSED, BYE_FULL, BYE_REASON_COUNT };

struct msg_bye {
    enum bye_reason reason;
};

struct msg_ping { /* PING and PONG */
    uint64_t nonce;
};

struct msg_records {
    uint16_t count;
    struct record_bytes record[GOSSIP_RECORDS_MAX];
};

struct msg_error {
    enum err code;
    char text[ERROR_TEXT_MAX + 1];
};

/* Proofs are keyed hashes of the ticket's secret over both ids: the secret itself does not travel. */
struct msg_join { /* JOIN and JOIN_OK */
    struct tag ticket;
    uint8_t proof[32];
};

enum pipe_type { PIPE_UNICAST, PIPE_PROPAGATE, PIPE_TYPE_COUNT };

struct msg_query {
    struct tag query; /* the asker's name for it, unique for as long as answers may come */
    struct tag pipe;
    enum pipe_type type;
    enum transport transport; /* ANY, or the only one wanted */
    uint8_t hops;             /* how often it may still be passed on */
    struct node_id asker;     /* who wants to know */
    uint8_t wanted_count;     /* peers whose binding is asked for; 0: anyone's */
    struct node_id wanted[QUERY_VISITED_MAX];
    uint8_t visited_count; /* nodes that have seen this query */
    struct node_id visited[QUERY_VISITED_MAX];
};

/* A node that has a pipe bound, as an answer names it. */
struct pipe_holder {
    uint8_t rank;               /* its binder's wish: lower ones are taken first */
    uint64_t incarnation;       /* of the holder: an answer from an earlier life loses */
    uint32_t life_s;            /* how long this may be kept */
    struct record_bytes record; /* signed by the holder */
    uint8_t endpoint_count;     /* best first: of the record, those that speak the pipe's transport */
    struct endpoint endpoint[PIPE_ENDPOINTS_MAX];
};

struct msg_answer {
    struct tag query;
    struct tag pipe;
    enum pipe_type type;
    uint8_t holder_count; /* 0: not found */
    struct pipe_holder holder[ANSWER_HOLDERS_MAX];
};

struct registered_pipe {
    struct tag pipe;
    enum pipe_type type;
    enum transport transport; /* the only one it may be reached by, or ANY */
    uint8_t rank;
};

struct msg_register {
    struct record_bytes holder; /* whose pipes these are; empty: the sender's own */
    uint32_t life_s;            /* how long they are to be kept; 0: forget them */
    uint16_t count;
    struct registered_pipe pipe[REGISTER_PIPES_MAX];
};

struct msg_register_ok {
    uint32_t life_s; /* granted */
    uint32_t kept;   /* pipes of this holder that are in the index now */
};

/* Requests to a service name the pipe that they come through. */
struct msg_shares {
    struct tag pipe;
    char after[NAME_MAX_BYTES + 1]; /* the last name of the page before, or "" */
};

enum entry_kind { ENTRY_FILE, ENTRY_DIR, ENTRY_LINK, ENTRY_OTHER, ENTRY_KIND_COUNT };

/* What can stand behind the name of a share. All but files and folders are byte streams, for pipe-connect. */
enum resource_kind {
    RESOURCE_FILE,
    RESOURCE_DIR,
    RESOURCE_TCP,     /* a service that the holder can reach */
    RESOURCE_HTTP,    /* a URL that the holder fetches */
    RESOURCE_COMMAND, /* the output of one fixed command */
    RESOURCE_FIFO,    /* what is written into a FIFO */
    RESOURCE_KIND_COUNT
};
const char *resource_kind_name(enum resource_kind kind); /* "file", "dir", "tcp", "http", "command", "fifo" */

struct share_info {
    char name[NAME_MAX_BYTES + 1];
    enum resource_kind kind;
    uint64_t size; /* of a file; else 0 */
    bool is_public, writable;
};

struct msg_shares_ok {
    bool more;
    uint16_t count;
    struct share_info share[SHARES_PAGE_MAX];
};

/* A path inside a share: components joined by '/', no leading or trailing slash, "" is the share itself. Any bytes but NUL. */
struct share_path {
    char share[NAME_MAX_BYTES + 1];
    uint16_t len;
    char path[PATH_BYTES_MAX + 1]; /* terminated */
};

struct msg_list {
    struct tag pipe;
    struct share_path at;
    uint64_t cursor; /* 0, or what the page before said */
};

struct entry {
    enum entry_kind kind;
    uint32_t mode; /* permission bits, 07777 */
    uint64_t size;
    int64_t mtime_s;
    uint32_t mtime_ns;
    uint16_t name_len;   /* 1..255, any bytes but NUL and '/', not "." or ".." */
    uint16_t target_len; /* of a link, else 0 */
    const char *name;    /* into the message (decoding) or the caller's memory (encoding); not terminated */
    const char *target;
};

struct msg_list_ok {
    bool more;
    uint64_t cursor; /* of the next page: not 0 when there is more */
    uint16_t count;
    struct entry entry[LIST_ENTRIES_MAX];
};

/* One side's way through a relay: a reception object there, whose bytes come out at the other side's. */
struct relay_way {
    struct tag id;
    uint8_t key[32];    /* proves to the relay who dials; no key of the bytes */
    uint8_t addr_count; /* where the relay listens, best first; 0: there is no such way */
    struct addr addr[RECEPTION_ENDPOINTS_MAX];
};

/* What a sender must know of a reception object. */
struct reception_info {
    struct tag id;
    uint8_t key[32];     /* one-time */
    uint8_t streams;     /* 1..STREAMS_MAX connections wanted */
    uint64_t limit;      /* bytes at most */
    uint32_t deadline_s; /* 1..RECEPTION_DEADLINE_S */
    uint8_t addr_count;  /* where to connect, best first; 0: the receiver cannot accept, the sender is to listen */
    struct addr addr[RECEPTION_ENDPOINTS_MAX];
    struct relay_way way; /* when it has addresses: both sides dial a relay, this is the sender's way, and addr_count is 0 */
};

struct msg_fetch {
    struct tag pipe;
    struct share_path at; /* something shared; its share is "" when it is a parcel */
    struct tag parcel;    /* zeros: none. Else what stands ready for this node under that name */
    struct reception_info reception;
};

struct msg_fetch_ok {
    uint8_t streams;    /* how many are connected (or will be accepted) */
    uint8_t addr_count; /* when the sender listens: where */
    struct addr addr[RECEPTION_ENDPOINTS_MAX];
};

struct msg_cancel {
    uint64_t request; /* the FETCH's number */
};

/* ---- reliable pipes. A channel is one sender's stream of messages into one pipe; it outlives links and binders. Messages are
 * numbered from 1; credit and cost count as batch_cost does, from 0 at each OPEN. */

struct msg_open {
    struct tag pipe;
    struct tag channel; /* the sender's name for it: random, the same when it goes over to another binder */
    uint64_t seq;       /* of the first message that has not been taken anywhere: what the binder holds below is void */
    uint8_t key[32];    /* for receipts */
};

struct msg_open_ok {
    uint64_t seq;      /* the first one that is wanted: never below OPEN's */
    uint64_t credit;   /* cost that may be sent */
    uint32_t lease_ms; /* the binder hands messages on only for this long after its last confirmed stamp; 0: no lease */
};

struct msg_data {
    struct tag channel;
    uint64_t seq;       /* of the first message in the batch, or of the next one when it is empty */
    uint64_t stamp;     /* the newest that the binder has sent: the sender is still bound to it */
    bool again;         /* another binder may have handed these on already */
    struct batch batch; /* decoded: points into the bytes */
};

struct msg_ack {
    struct tag channel;
    uint64_t seq;    /* all below have been taken by the reader */
    uint64_t credit; /* cost that may be sent in all since OPEN */
    uint64_t stamp;  /* the binder's clock, for its eyes only; comes back in DATA */
};

enum close_reason {
    CLOSE_ENDED, /* from the sender: there is nothing at or after seq. From the binder: all below seq is taken, all is well */
    CLOSE_RELEASED,  /* from the binder: the reader is gone; all below seq was taken, and nothing else ever will be */
    CLOSE_UNKNOWN,   /* no such channel here: open it again */
    CLOSE_CANCELLED, /* from the sender: it gives up */
    CLOSE_REASON_COUNT
};

struct msg_close {
    struct tag channel;
    uint64_t seq;
    enum close_reason reason;
};

/* ---- propagate pipes. An origin numbers its messages through all pipes and through its life: a message is named by origin,
 * incarnation and number, and nobody else can make one of that name. See node/spread_tree.h. */

struct msg_spread {
    struct tag pipe;
    struct node_id origin;
    uint64_t incarnation, number;
    uint8_t hops; /* how often it may still be passed on */
    uint8_t visited_count;
    struct node_id visited[QUERY_VISITED_MAX]; /* on its way here */
    uint16_t len;                              /* at most SPREAD_BYTES_MAX */
    const uint8_t *bytes;                      /* decoded: into the message */
    uint8_t signature[64];                     /* of the origin, over pipe, incarnation, number and bytes */
};

struct msg_spread_ids { /* HAVE; WANT, which may name none: then it is further ones that are wanted */
    uint8_t count;
    struct tag id[SPREAD_IDS_MAX];
};

struct msg_spread_prune {
    bool ids; /* ids of further messages are still wanted */
};

/* ---- byte streams */

struct msg_connect {
    struct tag pipe;
    struct reception_info reception; /* two streams: caller to callee, callee to caller */
    struct tag stream;               /* the caller's name for it: random */
    bool lasting;                    /* it may be carried on over other streams when these break */
    bool again;                      /* it is: one of this name was connected before */
};

/* ---- what is there */

struct msg_pipes {
    struct tag pipe;
    char after[NAME_MAX_BYTES + 1];
};

struct pipe_info {
    char name[NAME_MAX_BYTES + 1];
    enum pipe_type type;
    enum transport transport;
    bool shared;
    uint8_t rank;
};

struct msg_pipes_ok {
    bool more;
    uint16_t count;
    struct pipe_info pipe[PIPES_PAGE_MAX];
};

/* ---- the relay: see node/relay.h (its side) and node/session.h (its clients') */

/* What a handle names: a resource of a holder. Whoever knows both names knows the handle, and nobody else can offer it. The
 * empty name is the holder's node itself: all that is no share. */
struct tag handle_of(const struct node_id *holder, const char *name);

struct msg_reserve {
    struct tag pipe;
    uint32_t life_s;   /* wanted; 0: it is to end */
    uint32_t sessions; /* at once, wanted; 0: as many as there may be */
};

struct msg_reserve_ok { /* what is granted */
    uint32_t life_s;
    uint32_t sessions;
    uint64_t bytes; /* through bridges, while the reservation lasts */
    uint64_t rate;  /* of these, a second; 0: as fast as can be */
    uint8_t nexts;  /* NEXTs that may wait */
};

struct msg_offer {
    char name[NAME_MAX_BYTES + 1];
    enum resource_kind kind;
    bool withdrawn;
    bool is_public;         /* else for `audience`, or when that is empty for peers that the relay trusts */
    uint8_t audience_count; /* whom the relay shows it to; who may use it is for the holder to say */
    struct node_id audience[AUDIENCE_MAX];
};

struct msg_handles {
    struct tag pipe;
    struct node_id after_holder; /* the last one of the page before, or zeros and "" */
    char after_name[NAME_MAX_BYTES + 1];
};

enum handle_state {
    HANDLE_READY, /* its holder waits for work */
    HANDLE_BUSY,  /* all that its holder may have at once is in use */
    HANDLE_AWAY,  /* its holder is not linked */
    HANDLE_STATE_COUNT
};

struct handle_info {
    struct node_id holder;
    char holder_name[NAME_MAX_BYTES + 1]; /* as the relay knows it: a label, or "" */
    char name[NAME_MAX_BYTES + 1];
    enum resource_kind kind;
    enum handle_state state;
    bool is_public;
};

struct msg_handles_ok { /* in order of holder and name */
    bool more;
    uint16_t count;
    struct handle_info handle[HANDLES_PAGE_MAX];
};

/* Parts of sessions. A session is named by a number that the relay chose; credit is how many bytes of DATA in all its sender
 * takes in it, which the relay tells the other side. Noise messages are base/noise.h's; DATA is sealed by it. */
enum part_kind {
    PART_NONE,   /* both ways: nothing to say */
    PART_USE,    /* relay to holder: a session is wanted */
    PART_ACCEPT, /* holder to relay: here it is */
    PART_DATA,   /* both ways; without bytes: credit only */
    PART_CLOSE,  /* both ways: it has ended, or will not be */
    PART_DRAIN,  /* relay to client: it is stopping; session is 0 */
    PART_KIND_COUNT
};

struct relay_part {
    enum part_kind kind;
    uint64_t session;
    uint64_t credit;                /* USE, ACCEPT, DATA */
    struct tag handle;              /* USE */
    struct node_id user;            /* USE: who asks, as the relay says: a hint and no proof */
    uint8_t noise[NOISE_FIRST_MAX]; /* USE: NOISE_FIRST_BYTES; ACCEPT: NOISE_SECOND_BYTES */
    uint16_t len;                   /* DATA: at most RELAY_PART_MAX */
    const uint8_t *bytes;           /* decoded: into the message */
    enum err code;                  /* CLOSE: ERR_OK for an end in order */
    char text[ERROR_TEXT_MAX + 1];
};

struct msg_use {
    struct tag pipe;
    struct node_id holder;
    struct tag handle;
    uint64_t credit;
    uint8_t noise[NOISE_FIRST_BYTES];
};

struct msg_use_ok {
    uint64_t session;
    uint64_t credit;
    uint8_t noise[NOISE_SECOND_BYTES];
};

struct msg_bridge {
    uint64_t session;
    uint8_t streams; /* 1..STREAMS_MAX */
};

struct msg_bridge_ok {
    struct relay_way own, other; /* the other one is to be told to the other client, in the session */
    uint32_t deadline_s;         /* for all streams to be there from both sides */
};

/* ---- files of a peer, written: see node/openings.h. Handles are numbers that the node with the files gives out; they hold for
 * the link that they were given out on. What one side has ready as a parcel (node/parcels.h) the other one fetches by FETCH. */

struct msg_file {
    struct tag pipe;
    struct share_path at;
    bool write; /* else it is only to be a source */
};

enum file_kind { FILE_NOTHING, FILE_FILE, FILE_DIR, FILE_KIND_COUNT };

/* What gathers may cost, as the node with the files says before and after each: enough for the asker to split its own. */
struct gather_limits {
    uint32_t regions; /* in one GATHER */
    uint64_t bytes;   /* that one GATHER may build */
    uint64_t size;    /* of the whole file */
    uint64_t budget;  /* bytes that may be built for this peer at once; grows again with time */
    uint32_t wait_ms; /* until a GATHER that was refused may do; 0: it has to be a smaller one */
};

/* The state of a file, by a number that says nothing else: another number, another content. */
struct file_state {
    uint64_t token, size;
    int64_t mtime_s;
    uint32_t mtime_ns;
    uint32_t mode;
};

struct msg_file_ok {
    uint64_t handle; /* never 0 */
    enum file_kind kind;
    struct file_state state; /* of a file; else zeros */
    struct gather_limits limits;
};

struct msg_file_close {
    uint64_t handle;
};

struct msg_index {
    uint64_t handle;
    uint64_t seed; /* of its hashes: see store/anchors.h */
};

struct msg_index_ok {
    uint64_t token; /* of the state that it describes */
    struct tag parcel;
    uint64_t bytes;
};

enum if_exists { IF_EXISTS_REFUSE, IF_EXISTS_SKIP, IF_EXISTS_RENAME, IF_EXISTS_OVERWRITE, IF_EXISTS_COUNT };

struct msg_put {
    uint64_t handle;
    char name[ENTRY_NAME_MAX + 1]; /* in the folder of the handle; "": the very place that it stands for */
    struct tag parcel;
    enum if_exists policy;
    bool dry_run;
};

struct put_item {     /* that could not be placed, or was left as it was */
    uint16_t len;     /* of its path: share_path_valid, and not empty */
    const char *path; /* into the message (decoding) or the caller's memory (encoding); not terminated */
    enum err code;
    char text[ERROR_TEXT_MAX + 1];
};

struct msg_put_ok {
    uint64_t files, bytes, present, skipped, failed;
    uint64_t token;     /* of the file, when it was a single one that was placed or was there already; else 0 */
    uint8_t item_count; /* of what failed or was skipped: what does not fit is left out when it is encoded */
    struct put_item item[PUT_ITEMS_MAX];
};

struct msg_literals { /* LITERALS_OK: only the bytes, which are there now */
    uint64_t handle;
    struct tag parcel;
    uint64_t bytes;
};

struct msg_gather {
    uint64_t destination, source; /* handles; source 0: nothing is copied */
    uint64_t token;               /* of the source's state that the regions mean */
    uint64_t from;                /* in the destination: where the one before ended */
    uint64_t length;              /* of what is built */
    uint32_t count;               /* of regions */
    uint16_t len;
    const uint8_t *bytes; /* the regions: see store/regions.h. Decoded: into the message */
};

struct msg_gather_ok {
    bool taken;   /* false: it is over the limits, and nothing was done */
    uint64_t end; /* of what has been built */
    struct gather_limits limits;
};

struct msg_commit {
    uint64_t handle;
    uint64_t size;
    uint8_t hash[16]; /* of the whole file: see store/file_hash.h */
    int64_t mtime_s;
    uint32_t mtime_ns;
    uint32_t mode;
};

struct msg_commit_ok {
    struct file_state state;
};

enum progress_phase { PROGRESS_WAITING, PROGRESS_INDEX, PROGRESS_SEND, PROGRESS_GATHER, PROGRESS_FINISH, PROGRESS_PHASE_COUNT };

struct msg_progress { /* of the request with this message's number; an answer comes later */
    enum progress_phase phase;
    uint64_t done, total; /* bytes; total 0: not known */
};

/* One decoded or to be encoded message. It is large: allocate it, do not put it on a stack. Names and targets of LIST_OK
 * entries, paths of PUT_OK items, and the bytes of DATA, SPREAD, NEXT and GATHER, point into the bytes that were decoded and
 * live as long as they. */
struct msg {
    enum msg_type type;
    uint64_t request;
    union {
        struct msg_hello hello;
        struct msg_bye bye;
        struct msg_ping ping;
        struct msg_records records;
        struct msg_error error;
        struct msg_join join;
        struct msg_query query;
        struct msg_answer answer;
        struct msg_shares shares;
        struct msg_shares_ok shares_ok;
        struct msg_list list;
        struct msg_list_ok list_ok;
        struct msg_fetch fetch;
        struct msg_fetch_ok fetch_ok;
        struct msg_cancel cancel;
        struct msg_register registered;
        struct msg_register_ok registered_ok;
        struct msg_open open;
        struct msg_open_ok open_ok;
        struct msg_data data;
        struct msg_ack ack;
        struct msg_close close;
        struct msg_spread spread;
        struct msg_spread_ids spread_ids;
        struct msg_spread_prune spread_prune;
        struct msg_connect connect;
        struct msg_fetch_ok connect_ok;
        struct msg_pipes pipes;
        struct msg_pipes_ok pipes_ok;
        struct msg_reserve reserve;
        struct msg_reserve_ok reserve_ok;
        struct msg_offer offer;
        struct msg_handles handles;
        struct msg_handles_ok handles_ok;
        struct msg_use use;
        struct msg_use_ok use_ok;
        struct relay_part part; /* NEXT, NEXT_OK */
        struct msg_bridge bridge;
        struct msg_bridge_ok bridge_ok;
        struct msg_file file;
        struct msg_file_ok file_ok;
        struct msg_file_close file_close;
        struct msg_index index;
        struct msg_index_ok index_ok;
        struct msg_put put;
        struct msg_put_ok put_ok;
        struct msg_literals literals; /* LITERALS, LITERALS_OK */
        struct msg_gather gather;
        struct msg_gather_ok gather_ok;
        struct msg_commit commit;
        struct msg_commit_ok commit_ok;
        struct msg_progress progress;
    };
};

/* Encodes into `buf` (`cap` at least MSG_BYTES_MAX to be sure). ERR_LIMIT when it does not fit, or is over MSG_BYTES_MAX. */
int msg_encode(const struct msg *m, void *buf, size_t cap, size_t *len);
/* Decodes and validates all fields. ERR_MALFORMED, ERR_LIMIT; ERR_UNSUPPORTED for an unknown type (type and request are
 * set then, so that it can be refused by name). */
int msg_decode(const void *bytes, size_t n, struct msg *m);
/* "HELLO"; "unknown" for what is no type. */
const char *msg_name(enum msg_type type);

/* Endpoints as they stand in messages and records: [transport, text, iface, scope]. Read, it is endpoint_valid. */
struct mpw;
struct mpr;
void endpoint_write(struct mpw *w, const struct endpoint *e);
void endpoint_read(struct mpr *r, struct endpoint *e);

#endif
