/* A pipe as a program holds it: a connection to the node on which one call runs, "pipe-listen" or "pipe-send".
 *
 * client_pipe.c is what both have in common: the connection, waiting, interrupting. client_pipe_send.c and
 * client_pipe_receive.c are the two directions; each owns its part of the struct. */
#ifndef WEFT_NODE_CLIENT_PIPE_H
#define WEFT_NODE_CLIENT_PIPE_H

#include "batch.h"
#include "client.h"
#include "id.h"
#include "limits.h"

#include <stdatomic.h>

#define CHANNEL_TEXT (BASE32_CHARS(TAG_BYTES) + 1)
#define NEVER UINT64_MAX /* a deadline */

/* A batch that is being filled, or waits for the node to have room. */
struct outgoing {
    size_t used;
    uint32_t count;
    uint8_t bytes[BATCH_BYTES_MAX];
};

/* Batches first..last of a ring; `last` is the one being filled. Numbers only grow. */
struct sending {
    struct outgoing **batch;
    size_t batches;
    uint64_t first, last;
    uint64_t room, cost; /* that the node takes, and was given, in all since the beginning */
    size_t message_max;
    bool clogged;  /* the socket took no more */
    bool finished; /* no more may be sent */
    bool done;     /* and all was taken */
    uint64_t sent, taken;
    uint32_t rebound;
    char state[ROW_NAME];
    char peer[NAME_MAX_BYTES + 1];
};

struct receipt_to; /* where its receipts go: client_receipt.c */

/* A channel that comes in. handed >= due >= told: numbers of the first message that is not yet so. */
struct sender {
    struct sender *next;
    char channel[CHANNEL_TEXT];
    uint64_t until; /* lease: after that none of its messages may be handed out; 0: no lease */
    uint64_t handed, due, told;
    struct receipt_to *receipt; /* NULL: none are wanted */
};

/* A row that the program has not seen the end of. */
struct unread {
    struct unread *next;
    struct row *row;
    struct sender *sender; /* NULL for what is about no channel */
    struct batch batch;    /* of a row "messages" */
    size_t at;
    uint64_t seq; /* of the message at `at` */
    bool read;    /* to its end: freed when the program asks for more */
    bool ends;    /* says that its channel has ended */
};

struct receiving {
    struct sender *senders;
    struct unread *first, *last;
    struct sender *handling; /* the program has a message of it that is not due yet */
    size_t untold;           /* bytes of messages that are due and were not told */
    bool hold;               /* messages become due by weft_pipe_take only */
    uint64_t offer;          /* number of the stream that is offered; 0: none */
    int receipts[2];         /* sockets for IPv4 and IPv6, or -1 */
    uint64_t receipted_at;
    struct {
        uint64_t number; /* 0: none is on */
        bool over;
        uint64_t moved[2];
        struct fault fault;
    } stream;
};

struct weft_pipe {
    int fd;   /* control socket, non-blocking */
    int wake; /* eventfd, readable after weft_pipe_interrupt */
    int poll; /* epoll of both, for the program */
    _Atomic bool interrupted;
    bool listening;
    bool over; /* the node said "done" or "error", or is gone: `end` says which */
    struct fault end;
    struct fault fault; /* of the public function that runs */
    char name[2 * NAME_MAX_BYTES + 2];
    struct sending out;
    struct receiving in;
    uint8_t buf[ROW_BYTES + 1];
};

uint64_t client_pipe_now(void);
uint64_t client_pipe_deadline(int timeout_ms);

/* The next row that has come, or NULL when none has; after the last one the code of `end`. Every code that is returned here
 * has its sentence in pipe->fault. */
int client_pipe_row(struct weft_pipe *pipe, struct row **row);
/* Sends a further row of the call (takes it) with two descriptors (NULL: none). Unless it may wait, ERR_FULL when the socket
 * takes no more now. */
int client_pipe_put(struct weft_pipe *pipe, struct row *row, const int *fds, bool wait);
/* Waits for the socket to be ready for poll's `events`, at least one look. ERR_TIMEOUT, ERR_CANCELLED. */
int client_pipe_wait(struct weft_pipe *pipe, short events, uint64_t deadline);
/* ERR_CANCELLED, once, after weft_pipe_interrupt. */
int client_pipe_interrupted(struct weft_pipe *pipe);
/* How a public function ends. */
int client_pipe_result(struct weft_pipe *pipe, int err, struct weft_error *error);

int client_pipe_sending(struct weft_pipe *pipe, const struct weft_pipe_options *options);
void client_pipe_sending_fini(struct weft_pipe *pipe);
/* Takes in the row "channel" with which the call begins (borrows). */
void client_pipe_sending_row(struct weft_pipe *pipe, const struct row *row);
/* From a row "receipt"; NULL when it cannot be used. free takes NULL. */
struct receipt_to *client_receipt_new(const struct row *row);
void client_receipt_free(struct receipt_to *to);
/* Sends receipts for what is due, now or when none went out for a while. */
void client_receipts_send(struct weft_pipe *pipe);
void client_receipts_soon(struct weft_pipe *pipe);
void client_receipts_fini(struct weft_pipe *pipe);
/* Tells the node what is due, and forgets the rest. */
void client_pipe_receiving_fini(struct weft_pipe *pipe);

#endif
