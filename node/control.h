/* The control socket of a home: how programs of this user talk to the node.
 *
 * A SOCK_SEQPACKET socket with one row (base/row.h) a packet. Only processes of our own user are let in. A client's
 * requests are numbered; rows that answer one carry its number. What a client does not read waits up to CLIENT_QUEUE_BYTES;
 * then it is dropped.
 *
 * Everything here belongs to one thread and never blocks. */
#ifndef WEFT_NODE_CONTROL_H
#define WEFT_NODE_CONTROL_H

#include "home.h"
#include "log.h"
#include "row.h"

struct control;

#define CONTROL_SOCKET "control"

struct control_config {
    const struct home *home; /* borrows; its lock is held */
    const struct log *log;
    void (*request)(void *arg, uint64_t client, const struct row *row);
    void (*gone)(void *arg, uint64_t client);
    void *arg;
};

int control_new(const struct control_config *config, struct control **control, struct fault *fault);
/* Removes the socket: no new clients. Those that are there see an end when control_free closes them, so that they can wait
 * for the node to have let go of its home. */
void control_shut(struct control *control);
/* Shuts and closes everything. NULL is fine. */
void control_free(struct control *control);
/* To be polled for reading. */
int control_fd(const struct control *control);
/* Does what there is to do, boundedly. */
void control_step(struct control *control);
/* One row to a client (borrows). To one who is gone it goes nowhere. */
void control_send(struct control *control, uint64_t client, const struct row *row);
/* Bytes that wait for a client to read. */
size_t control_unread(struct control *control, uint64_t client);
/* The two descriptors, in and out, that a client passed along with its latest row of kind "pipe-connect" or "accept": are there
 * any, and taking them (gives; -1 twice when there are none). What is not taken is closed when the next such row comes, and
 * when the client goes; descriptors that other rows bring are closed at once. */
bool control_brought(struct control *control, uint64_t client);
bool control_take(struct control *control, uint64_t client, int fd[2]);
/* Are there rows that wait for a client to read? */
bool control_waiting(const struct control *control);

/* The other side: a connected socket, or -1 with a fault: ERR_NO_NODE when no node listens. */
int control_connect(const struct home *home, struct fault *fault);

#endif
