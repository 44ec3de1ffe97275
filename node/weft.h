/* libweft: everything a program needs to run a weft node or to use a running one.
 *
 * A node is a struct weft_node; it has a thread of its own and any number of them live in one process, each with a home. A
 * program that only wants to use the node of this machine's user opens a struct weft, a connection to it, and calls verbs.
 *
 * Requests and answers are rows: a kind and named values, the same that `weft --json` prints and weft-json(5) describes. A
 * request's kind is the verb; the answer is a stream of rows that ends with one of kind "done" or "error".
 *
 *     struct weft *w = weft_open (NULL, &error);
 *     struct weft_row *get = weft_row_new ("get");
 *     weft_row_set_text (get, "source", "bob:photos");
 *     weft_row_set_text (get, "dest", "/home/me");
 *     int code = weft_call (w, get, on_row, NULL, &error);
 *
 * Functions that return int return 0 or a code > 0, whose name is in error.name; pointers are NULL on failure. Unless it
 * says so, no function may be called on one object from two threads at once. */
#ifndef WEFT_H
#define WEFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEFT_VERSION "0.1.0"
#if defined(__GNUC__)
#define WEFT_API __attribute__((visibility("default")))
#else
#define WEFT_API
#endif

/* What went wrong: a code, its stable name ("not-found"), and a sentence that says what, why and what to do. */
struct weft_error {
    int code;
    const char *name;
    char text[480];
};

/* ---- rows */

struct weft_row;
typedef void weft_on_row(void *arg, const struct weft_row *row);

WEFT_API struct weft_row *weft_row_new(const char *kind); /* NULL: out of memory */
WEFT_API void weft_row_free(struct weft_row *row);
WEFT_API void weft_row_set_text(struct weft_row *row, const char *name, const char *text);
WEFT_API void weft_row_set_bytes(struct weft_row *row, const char *name, const void *bytes, size_t n);
WEFT_API void weft_row_set_int(struct weft_row *row, const char *name, int64_t value);
WEFT_API void weft_row_set_bool(struct weft_row *row, const char *name, bool value);

WEFT_API const char *weft_row_kind(const struct weft_row *row);
/* The value of the first field of that name, or the fallback. Text lives as long as the row. */
WEFT_API const char *weft_row_text(const struct weft_row *row, const char *name, const char *fallback);
WEFT_API const char *weft_row_bytes(const struct weft_row *row, const char *name, size_t *n);
WEFT_API int64_t weft_row_int(const struct weft_row *row, const char *name, int64_t fallback);
WEFT_API bool weft_row_bool(const struct weft_row *row, const char *name, bool fallback);

/* All fields, in order. Types: 'n' nil, 'b' bool, 'i' integer, 't' UTF-8 text, 'd' bytes that are no UTF-8. */
WEFT_API size_t weft_row_fields(const struct weft_row *row);
WEFT_API const char *weft_row_field_name(const struct weft_row *row, size_t i);
WEFT_API char weft_row_field_type(const struct weft_row *row, size_t i);
WEFT_API int64_t weft_row_field_int(const struct weft_row *row, size_t i); /* bool: 0 or 1 */
WEFT_API const char *weft_row_field_bytes(const struct weft_row *row, size_t i, size_t *n);

/* ---- using a running node */

struct weft;

/* The state folder: `given`, or $WEFT_HOME, or $XDG_STATE_HOME/weft, or ~/.local/state/weft. */
WEFT_API int weft_home(const char *given, char *path, size_t cap, struct weft_error *error);
/* This home's node id in text (made at first use together with its key). `id` takes 53 bytes. */
WEFT_API int weft_id(const char *home, char *id, size_t cap, struct weft_error *error);

/* Connects to the node of `home` (NULL: as weft_home says). Error "no-node" when none is running. */
WEFT_API struct weft *weft_open(const char *home, struct weft_error *error);
WEFT_API void weft_close(struct weft *weft);
/* Sends a request (borrows) and calls on_row for every row of the answer but the closing "error", which becomes the return
 * value and *error (may be NULL). Blocks until the answer has ended; "down" also until the node has let go of its home. */
WEFT_API int weft_call(struct weft *weft, const struct weft_row *request, weft_on_row *on_row, void *arg,
                       struct weft_error *error);
/* Asks the call that another thread is in to stop, or the next one when none is; it returns with error "cancelled". Safe in a
 * signal handler. */
WEFT_API void weft_cancel(struct weft *weft);

/* ---- pipes: messages and byte streams between programs, by name
 *
 * A pipe is PEER:NAME (owned by that node) or NAME (shared: any trusted node may bind it, and another takes over when one
 * fails). Unicast pipes deliver in order, and what was sent is kept until a reader has taken it; propagate pipes reach
 * everyone who listens, as best they can. */

struct weft_pipe;

struct weft_pipe_options {    /* zeroed: all defaults */
    bool shared;              /* listen: bind NAME for all, not THIS-NODE:NAME */
    bool propagate;           /* and NAME is for all too */
    const char *transport;    /* only by this one: "tcp", "ipc", "ws"; default any */
    const char *const *allow; /* listen: peers that may send, NULL-terminated; default all trusted ones */
    bool is_public;           /* listen: anyone may */
    int rank;                 /* listen: of several binders the one with the lowest is taken, 0 to 255 */
    int wait_ms;              /* open, connect: for somebody to have it bound; default 5000 */
    size_t queue_bytes;       /* open: kept here until the node takes it; default 1 MiB */
    bool hold;                /* listen: messages are taken by weft_pipe_take, not by the next weft_pipe_receive */
    weft_on_row *on_row;      /* connect: sees "connected", "moved" (to another route), and "summary" or "done"; may be NULL */
    void *arg;                /* for on_row */
};

enum weft_event_kind {
    WEFT_PIPE_MESSAGE,      /* bytes, n, seq, from, again */
    WEFT_PIPE_SENDER,       /* a sender began: from */
    WEFT_PIPE_SENDER_ENDED, /* it ended and all it sent was received: from */
    WEFT_PIPE_SENDER_LOST,  /* it gave up, or is gone */
    WEFT_PIPE_OFFER,        /* somebody wants a byte stream: weft_pipe_accept or weft_pipe_refuse */
    WEFT_PIPE_DROPPED,      /* propagate: this program was too slow for `seq` messages, in all since it began to listen */
};

struct weft_event {
    enum weft_event_kind kind;
    const char *from;    /* the peer's name */
    const char *id;      /* its node id */
    const char *channel; /* which of its senders: unique */
    const void *bytes;   /* of a message; borrowed until the next call */
    size_t n;
    uint64_t seq; /* 1, 2, 3... in each channel */
    bool again;   /* another binder failed and may have handled this one already */
};

/* Connects to the node of `home` (NULL: as weft_home says) and binds a pipe, or opens one for sending. */
WEFT_API struct weft_pipe *weft_pipe_listen(const char *home, const char *name, const struct weft_pipe_options *options,
                                            struct weft_error *error);
WEFT_API struct weft_pipe *weft_pipe_open(const char *home, const char *name, const struct weft_pipe_options *options,
                                          struct weft_error *error);
/* Cancels what is unfinished, and frees. NULL is fine. */
WEFT_API void weft_pipe_close(struct weft_pipe *pipe);
/* Becomes readable when there is something to receive after "timeout", or room to send after "full"; before that, what came
 * may be in memory already. */
WEFT_API int weft_pipe_fd(const struct weft_pipe *pipe);

struct weft_pipe_status {
    const char *name;     /* listen: the whole name that it is bound by */
    const char *peer;     /* open: who has it bound, "" while nobody has */
    const char *state;    /* "seeking", "bound", "ending" */
    uint64_t sent, taken; /* open: messages that were given to weft_pipe_send, and that a reader has taken */
    uint32_t rebound;     /* open: how often it went over to another binder */
};
/* What is known of a pipe without asking. The strings live until the next call on it. */
WEFT_API void weft_pipe_status(const struct weft_pipe *pipe, struct weft_pipe_status *status);

/* Sends a message of at most 49152 bytes (copies). Messages are gathered and leave together: at the latest when
 * weft_pipe_flush or another call on the pipe is made with nothing else to do. Waits for room at most timeout_ms (-1: as long
 * as it takes); then error "full", and the message was not taken. */
WEFT_API int weft_pipe_send(struct weft_pipe *pipe, const void *bytes, size_t n, int timeout_ms, struct weft_error *error);
/* Hands what was gathered to the node, without waiting for anyone to take it. Error "full" when it has no room for all. */
WEFT_API int weft_pipe_flush(struct weft_pipe *pipe, struct weft_error *error);
/* No more is sent: returns when all has been taken by a reader, or why that cannot be. */
WEFT_API int weft_pipe_finish(struct weft_pipe *pipe, struct weft_error *error);

/* The next event. Receiving one says that the message before was handled: only then is it taken. (An offer that was neither
 * accepted nor refused by then is refused.) Error "timeout" after timeout_ms (-1: never), "cancelled" after
 * weft_pipe_interrupt. */
WEFT_API int weft_pipe_receive(struct weft_pipe *pipe, struct weft_event *event, int timeout_ms, struct weft_error *error);
/* With options.hold: the messages of a channel (NULL: of all) that were received so far have been handled. */
WEFT_API int weft_pipe_take(struct weft_pipe *pipe, const char *channel, struct weft_error *error);
/* Ends the receive, send or stream that another thread is in, or the next one. Safe in a signal handler. */
WEFT_API void weft_pipe_interrupt(struct weft_pipe *pipe);

/* After WEFT_PIPE_OFFER: joins the stream to two descriptors (which may be one: a socket), and returns when both directions
 * have ended. They are left open; of a socket the end of what came is passed on (shutdown). `moved` (may be NULL) gets the
 * bytes read from `in` and written to `out`. */
WEFT_API int weft_pipe_accept(struct weft_pipe *pipe, int in, int out, uint64_t moved[2], struct weft_error *error);
WEFT_API int weft_pipe_refuse(struct weft_pipe *pipe, const char *why, struct weft_error *error);
/* A byte stream to whoever has the pipe bound: from `in` to there, from there to `out`; as weft_pipe_accept. */
WEFT_API int weft_pipe_connect(struct weft *weft, const char *name, const struct weft_pipe_options *options, int in, int out,
                               uint64_t moved[2], struct weft_error *error);

/* ---- running a node */

struct weft_node;

struct weft_options { /* zeroed: all defaults */
    const char *home;
    const char *name;              /* default: the one of before, else the host's name */
    const char *const *listen;     /* endpoints, NULL-terminated; default tcp on every interface, and an ipc socket */
    const char *const *peers;      /* seeds: ENDPOINT or ID@ENDPOINT, NULL-terminated */
    const char *const *interfaces; /* only these, NULL-terminated; default all */
    bool no_beacon;                /* neither send nor hear beacons */
    uint16_t beacon_port;          /* default 9338 */
    bool relay, hub;               /* roles beside the plain one */
    uint32_t relay_sessions;       /* as a relay: sessions of one client; default 64 */
    uint64_t relay_bytes;          /* bytes that one client may have carried while its reservation lasts; default no limit */
    uint64_t relay_rate;           /* and bytes a second; default no limit */
    uint64_t base_bytes;           /* at most that is remembered of peers' files, for putting them anew; default 32 GiB */
    bool no_bases;                 /* nothing is remembered of them */
    int log_level;                 /* 0 errors .. 3 debug */
    void (*log)(void *arg, int level, const char *module, const char *line); /* from any thread; NULL: none */
    weft_on_row *event; /* "ready", "peer", "trust", "transfer", "warning", "stopping"; on the node's thread */
    void *arg;          /* for log and event */
};

/* Starts a node and returns when it is ready. Error "locked" when the home has a node already. */
WEFT_API struct weft_node *weft_node_start(const struct weft_options *options, struct weft_error *error);
/* Asks it to stop: goodbyes are sent, transfers end resumable. Safe in a signal handler and from any thread. */
WEFT_API void weft_node_stop(struct weft_node *node);
/* Waits until it has stopped, by weft_node_stop or the verb "down". 0, or why it failed. */
WEFT_API int weft_node_wait(struct weft_node *node, struct weft_error *error);
/* Stops if need be, waits, frees. */
WEFT_API void weft_node_free(struct weft_node *node);

#ifdef __cplusplus
}
#endif

#endif
