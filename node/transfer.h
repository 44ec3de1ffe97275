/* Transfers as the core sees them: one side receives, the other sends.
 *
 * The core decides who may fetch what, and speaks the RPC; a port moves the bytes. The real one hands these structs to the
 * bulk plane (bulk.h), the simulated one to a model. Order of events (claims OOB-2 to OOB-5):
 *
 *   receiver's core             receiver's port           sender's core               sender's port
 *   receive_start ------------> makes the reception
 *   ready() <------------------ object
 *   FETCH --------------------------------------------->  rights, then send_start --> connects to the reception object
 *                                                         connected() <-------------- once every stream has shaken hands
 *   receive_confirm <------------------------ FETCH_OK -- (the confirmation by RPC)
 *                                                         send_go ------------------> data flows
 *   done() <------------------- all placed, or why not    done() <------------------- the receiver has ended it
 *
 * A struct belongs to the core; between start and done the port may use it too, in the fields marked (port). done() comes
 * exactly once after every start, also after a cancel, and is the last that the port does with the struct. Callbacks come on
 * the core's thread, never from inside a call. */
#ifndef WEFT_NODE_TRANSFER_H
#define WEFT_NODE_TRANSFER_H

#include "msg.h"
#include "regions.h"
#include "stage.h"

#include <stdatomic.h>

/* Counted by the port while a transfer runs; read by the core at any time. Totals are known once the manifest is (phase
 * TRANSFER_DATA or later). */
enum transfer_phase { TRANSFER_CONNECTING, TRANSFER_LISTING, TRANSFER_DATA, TRANSFER_FINISHING, TRANSFER_ENDED };

struct transfer_progress {
    _Atomic int phase;
    _Atomic uint64_t bytes_total, bytes_done; /* content of files: placed, found already there, or resumed */
    _Atomic uint64_t bytes_moved;             /* content bytes that crossed the wire in this transfer */
    _Atomic uint64_t wire_in, wire_out;       /* bytes of its connections, handshakes included; added at done() */
    _Atomic uint32_t files_total, files_done;
    _Atomic uint32_t present, skipped, failed; /* already there; left by --if-exists skip; each told by item() */
};

struct receive {
    /* what to do */
    struct node_id peer;
    struct relay_way way; /* with addresses: we dial this, and tell the sender of `other` */
    struct relay_way other;
    uint8_t streams;  /* 0: as many as are of use. With a way: as many as the relay joins */
    const char *dest; /* existing folder of this machine, absolute; or what people call the one of dest_fd */
    bool at_fd;       /* the folder is dest_fd (borrowed until done()): a peer chose it, so no path leads there */
    int dest_fd;
    const char *top; /* name under which the fetched thing is placed in it: one component */
    const char *key; /* of the stage: the same for the same source and destination, so that the same command resumes */
    enum if_exists policy;
    bool dry_run;   /* the manifest only: nothing is written */
    bool listen;    /* false: the sender is to listen, we dial (see reception_info) */
    bool file_only; /* it must be a single regular file, else ERR_VERIFY and nothing is written */
    uint64_t limit; /* content bytes at most; 0: as many as there is room for at dest */
    void *owner;
    void (*ready)(struct receive *r);
    /* An item that was not placed and why, in order of occurrence. At most ITEMS_TOLD are told, all are counted. */
    void (*item)(struct receive *r, const char *path, const struct fault *fault);
    /* A file of at least BASE_MIN_BYTES stands in its place now, or stood there just so already: its path below dest, and the
     * sender's state of what is in it. Who was given another name by the policy is told of by the one it should have. At most
     * PLACED_TOLD are told, and none of a dry run. NULL: nobody wants to know. */
    void (*placed)(struct receive *r, const char *path, const struct file_state *state);
    void (*done)(struct receive *r);
    /* what came of it */
    uint64_t token; /* (port) of the file in its place, when it was a single one: as this machine would say (tree_token) */
    struct reception_info reception;   /* (port) from ready() on */
    struct transfer_progress progress; /* (port) */
    struct fault fault; /* (port) from done() on: 0, ERR_PARTIAL when items failed, or why it ended. The text says
                                        what was kept. */
    void *port_data;    /* (port) */
};
#define ITEMS_TOLD 1000
#define PLACED_TOLD 65536

struct send {
    struct node_id peer;
    const char *root;                /* folder of this machine, absolute: the share's, or that of the shared file */
    const char *path;                /* in it, as struct share_path */
    const struct regions *view;      /* not NULL: only the literals of these (source_view.h), as one file; it is read only */
    uint64_t token;                  /* of the file that a view is of (tree_token): ERR_CHANGED when it is another; 0: any */
    struct reception_info reception; /* as the peer sent it, validated */
    void *owner;
    void (*connected)(struct send *s); /* fills nothing: `answer` is ready */
    void (*done)(struct send *s);
    struct msg_fetch_ok answer;        /* (port) from connected() on */
    struct transfer_progress progress; /* (port) */
    struct fault fault;                /* (port) from done() on */
    void *port_data;                   /* (port) */
};

/* A byte stream both ways between programs at two nodes: two bulk streams, caller to callee and callee to caller. The caller
 * makes the reception object, as a receiver does, and the callee connects to it:
 *
 *   caller: duplex_start, ready(), CONNECT ...    callee: duplex_start, connected(), CONNECT_OK, duplex_go
 *   caller: duplex_confirm                        both:   bytes flow; done() once both directions have ended
 *
 * Where the bytes come from and go to is for the port to know, by `client`: descriptors that this client of the control socket
 * passed with its latest row, and which the port takes at confirm and go. The end of one direction is passed on (half-close);
 * an error ends both. */
#define DUPLEX_STREAMS 2
#define DUPLEX_DIAL_S 4 /* for the callee to connect */

/* A duplex that lasts keeps what the other side has not confirmed, and does not end with its streams: when they are lost (or
 * cancelled with ERR_CHANGED, to move it) done() says `parked`, and the port keeps the descriptors and what it kept under the
 * name `stream`. Another duplex of that name with `again` set takes them up: both sides say what they have, and go on from
 * there, so that no byte is lost or doubled. duplex_drop ends what is parked. */
struct duplex {
    struct node_id peer;
    struct tag stream;
    bool lasting, again;
    bool parked;               /* (port) at done() */
    bool carried;              /* (port) at done(): both its streams were up, so that bytes may have been moved */
    struct relay_way way;      /* caller: as in struct receive; callee: in reception */
    struct relay_way other;    /* caller */
    struct resource *resource; /* callee: instead of a client's descriptors */
    bool calling;
    bool listen;                     /* caller: offer addresses; false: the callee is to listen */
    uint64_t client;                 /* whose descriptors */
    struct reception_info reception; /* (port) from ready() on; callee: as the peer sent it, validated */
    void *owner;
    void (*ready)(struct duplex *d);     /* caller */
    void (*connected)(struct duplex *d); /* callee: `answer` is ready */
    void (*done)(struct duplex *d);
    struct msg_fetch_ok answer;           /* (port) from connected() on */
    _Atomic uint64_t bytes_in, bytes_out; /* (port) moved so far, as this side sees it */
    struct fault fault;                   /* (port) from done() on: 0 when both directions came to their end */
    void *port_data;                      /* (port) */
};

/* A resource that is no file, opened by the node for one byte stream. */
struct resource {
    enum resource_kind kind; /* TCP, HTTP, COMMAND, FIFO */
    const char *target;      /* "tcp:HOST:PORT", "https://...", "cmd:...", a path */
    void *owner;
    void (*opened)(struct resource *r); /* fault says whether */
    struct fault fault;                 /* (port) */
    void *port_data;                    /* (port) */
};

/* Two reception objects of a relay, whose streams are joined: what comes in at one goes out at the other, unread. Port:
 * bridge_open fills `way` or fails at once; done() comes once, after that. Each end proves its way's key, once a stream. */
struct bridge {
    uint8_t streams;
    uint32_t deadline_s;     /* for all of them to be there from both sides */
    uint64_t limit;          /* bytes, both ways together */
    uint64_t rate;           /* bytes a second; 0: as fast as can be */
    uint64_t account;        /* bridges of one account share its rate */
    struct relay_way way[2]; /* (port) */
    _Atomic uint64_t moved;  /* (port) */
    void *owner;
    void (*done)(struct bridge *b);
    struct fault fault; /* (port) from done() on: 0 when all streams came to their end; ERR_FULL at the limit */
    void *port_data;    /* (port) */
};

#endif
