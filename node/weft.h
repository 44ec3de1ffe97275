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
