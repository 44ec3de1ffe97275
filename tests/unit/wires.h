/* Two wires in one process, which tests of the wire let meet; and a client of libzmq that is none. */
#ifndef WEFT_TESTS_WIRES_H
#define WEFT_TESTS_WIRES_H

#include "core.h"
#include "limits.h"
#include "scratch.h"
#include "socket.h"
#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <zmq.h>

#include <cmocka.h>

#define PATIENCE 10000000000u
#define SILENCE 300000000u /* in which what must not happen would have */

/* One node's side. */
struct side {
    struct identity identity;
    struct wire *wire;
    link_no accepted, from, lost;
    uint8_t curve[CURVE_KEY_BYTES];
    int messages, losses, accepts;
    size_t bytes;
    char text[64];
    bool hangs_up; /* at once, when somebody comes */
};

struct wires {
    struct loop *loop;
    struct scratch scratch;
    struct side a, b; /* b listens */
    char tcp[ENDPOINT_TEXT], ipc[ENDPOINT_TEXT], ws[ENDPOINT_TEXT];
    struct timer timer;
    bool over;
    const int *wanted;
    int least;
    struct fault fault;
};

/* cmocka's setup and teardown: *state is a struct wires, whose b listens by tcp, ipc and ws. */
int wires_setup(void **state);
int wires_teardown(void **state);

/* Runs until the counter has reached `least`; false when it does not in time. */
bool wires_run_until(struct wires *w, const int *counter, int least, uint64_t patience);
/* Does the counter stay what it is? */
bool wires_stay(struct wires *w, const int *counter);

/* a dials b and says hello. */
void wires_meet(struct wires *w, link_no link, const char *endpoint);
/* They meet, and talk. */
void wires_exchange(struct wires *w, const char *endpoint);
/* They meet, and the one who dialled, or the other, is gone: that is told. */
void wires_lost_inbound(struct wires *w, const char *endpoint);
void wires_lost_outbound(struct wires *w, const char *endpoint);

/* A client of libzmq that is not ours, with the mechanism that its options say. */
struct stranger {
    void *context, *socket;
};

struct stranger stranger_new(int type);
/* b's key, and its own. */
void stranger_keys(const struct stranger *s, const struct wires *w, const struct identity *own);
void stranger_free(struct stranger *s);

#endif
