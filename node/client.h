/* What the parts of libweft's client half share: client.c (calls), client_stream.c (byte streams), client_pipe.c (pipes). */
#ifndef WEFT_NODE_CLIENT_H
#define WEFT_NODE_CLIENT_H

#include "err.h"
#include "row.h"
#include "weft.h"

/* Shows a fault as the public error (may be NULL). Returns its code. */
int error_of(const struct fault *fault, struct weft_error *error);

/* Sends one row on a connected control socket: request `seq`, or 0 for a further row of the call that runs. With `fd` (NULL:
 * none) two descriptors go along, in and out, which stay the caller's too. Waits for room, unless the socket is
 * non-blocking. ERR_LIMIT, ERR_FULL, ERR_NO_NODE, ERR_USAGE for descriptors that are none. */
int client_send(int control, const struct row *row, uint64_t seq, const int fd[2], struct fault *fault);

/* weft_call with descriptors (NULL: none), on rows as they are inside. */
int client_call(struct weft *weft, const struct row *request, const int fd[2], weft_on_row *on_row, void *arg,
                struct fault *fault);

/* A connected control socket of a home (as weft_home says), or -1. */
int client_dial(const char *home, struct fault *fault);
/* What a row "error" says; the connection has ended. Both return the fault's code. */
int client_error(const struct row *row, struct fault *fault);
int client_lost(struct fault *fault);

#endif
