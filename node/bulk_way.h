/* One direction of a byte stream at one end: what the ways of bulk_flow.c and bulk_last.c have in common. */
#ifndef WEFT_NODE_BULK_WAY_H
#define WEFT_NODE_BULK_WAY_H

#include "bulk_transfer.h"
#include "bulk_writer.h"
#include "conduit.h"

struct way {
    struct transfer *t;
    struct stream *s;
    struct conduit *c;        /* that it reads from, or writes to */
    struct writer writer;     /* of what comes */
    struct fault fault;       /* what went wrong at this end, but for the stream itself */
    struct fault write_fault; /* the writer's: ours to read once it has told that it failed */
    bool write_lost;          /* which is but the loss of the connection */
    bool lost;                /* so is fault */
};

#define WAY_READ_LEAST (64 * 1024) /* less room than that in the buffer: it leaves first */

/* Until the descriptor is ready (0; `events` 0: it is not waited for), or the time for a KEEP has come (ERR_TIMEOUT), or
 * somebody stops us (ERR_CANCELLED), or `of_stream` happens to the connection (ERR_STATE). */
int way_wait(const struct way *w, short events, short of_stream);
/* How many bytes of the program may come into the stream's buffer next: after some leave, if need be. */
size_t way_room(const struct way *w);

/* Reading failed, by errno. At the end of input: did what is read there end as it should? Both set the way's fault. */
int way_read_failed(struct way *w);
int way_read_ended(struct way *w);

/* A writer that writes to the conduit and counts bytes_out. */
void way_writer(struct way *w);
/* The body of a frame that was just read: it is next. It stays where it is until then. */
int way_put(struct way *w, const uint8_t *body, size_t n);
/* What the writer told: its fault is ours. */
int way_told(struct way *w, int err);

#endif
