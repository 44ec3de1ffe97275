/* A stream: frames over one blocking TLS connection, with one buffer each way and no copy between buffer and frame.
 *
 * Reading: stream_need makes the next n bytes contiguous and shows them, stream_take passes over them. Writing: stream_room
 * shows n free bytes, stream_put says how many were filled. What is put is sent when the buffer is full, at stream_flush, and
 * before the stream waits for input, so that two streams can never wait for each other with something to say.
 *
 * Silence is an error after a while. A stream that bears is one whose other side may leave off reading for hours: there only
 * silence of its host is.
 *
 * The first error sticks: every later call fails with it. One thread at a time, but for stream_break. */
#ifndef WEFT_NODE_STREAM_H
#define WEFT_NODE_STREAM_H

#include "bulk_frame.h"
#include "tls.h"

#define STREAM_BUFFER (FRAME_BYTES_MAX + 32 * 1024)

struct stream {
    struct tls_link *link;
    uint8_t *in, *out, *spare; /* spare: NULL until stream_swap needs it */
    size_t in_at, in_end, out_len;
    uint64_t under_key; /* bytes written under the present key */
    bool corked;        /* the kernel waits for full packets */
    int patience_s;     /* how long the other side may be silent */
    bool bears;         /* silence of its host counts only */
    bool ended;         /* goodbye was said, or need not be */
    struct fault fault;
};

/* Takes `link`, whose handshake is over, also when it fails. Makes its socket blocking, with patience as its timeout. */
int stream_init(struct stream *s, struct tls_link *link, int patience_s, struct fault *fault);
/* Says goodbye unless the stream has failed: nothing is written any more. Once. */
void stream_end(struct stream *s);
/* stream_end, and closes. A zeroed stream is fine. */
void stream_fini(struct stream *s);

/* The next n (<= STREAM_BUFFER) bytes, valid until the next call; NULL on error. */
const uint8_t *stream_need(struct stream *s, size_t n);
void stream_take(struct stream *s, size_t n);

/* Is there something to read: bytes, or the end of the stream? */
bool stream_waiting(const struct stream *s);

/* Reads into the other of two buffers from now on: what was shown until now stays where it is until the next call of this.
 * ERR_NOMEM: nothing has changed. */
int stream_swap(struct stream *s);

/* Room for n (<= STREAM_BUFFER) bytes, valid until the next call; NULL on error. */
uint8_t *stream_room(struct stream *s, size_t n);
void stream_put(struct stream *s, size_t n);
int stream_flush(struct stream *s);

/* From now on it bears. */
void stream_bear(struct stream *s);
/* Makes a thread that waits in the stream return with an error, now and ever after. Any thread; the stream must be alive. */
void stream_break(const struct stream *s);

/* The next frame's head, checked (bulk_frame.h); KEEP frames are passed over. The frame's body is then due by stream_body,
 * which also passes over the frame when the next one is asked for. */
int stream_next(struct stream *s, struct frame_head *head);
const uint8_t *stream_body(struct stream *s, const struct frame_head *head);

#endif
