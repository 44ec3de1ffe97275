#include "stream.h"

#include "bulk_port.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>

/* Buffers come from the kernel and go back to it: what they held does not stay in an arena of a thread that has ended. */
static uint8_t *buffer_new(void)
{
    void *b = mmap(NULL, STREAM_BUFFER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return b == MAP_FAILED ? NULL : b;
}

static void buffer_free(uint8_t *b)
{
    if (b != NULL)
        munmap(b, STREAM_BUFFER);
}

/* A host that is silent shows by the timeouts. */
static void tune(int fd, int patience_s)
{
    const struct timeval patience = {.tv_sec = patience_s};

    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    port_tune(fd);
}

int stream_init(struct stream *s, struct tls_link *link, int patience_s, struct fault *fault)
{
    *s = (struct stream){.link = link, .in = buffer_new(), .out = buffer_new(), .patience_s = patience_s};
    if (s->in == NULL || s->out == NULL) {
        stream_fini(s);
        return fault_set(fault, ERR_NOMEM, "out of memory for the buffers of a stream");
    }
    tune(tls_fd(link), patience_s);
    tls_gather(link, STREAM_BUFFER);
    return 0;
}

void stream_end(struct stream *s)
{
    if (!s->ended && s->link != NULL && s->fault.code == 0)
        tls_goodbye(s->link);
    s->ended = true;
}

void stream_fini(struct stream *s)
{
    stream_end(s);
    tls_link_free(s->link);
    buffer_free(s->in);
    buffer_free(s->out);
    buffer_free(s->spare);
    *s = (struct stream){0};
}

void stream_break(const struct stream *s)
{
    shutdown(tls_fd(s->link), SHUT_RDWR);
}

/* The first error sticks. `blocked`: the socket ran into its timeout. */
static int failed(struct stream *s, int code, bool blocked)
{
    if (s->fault.code != 0)
        return (int)s->fault.code;
    if (blocked)
        return fault_set(&s->fault, ERR_TIMEOUT, "the other side has been silent for %d s", s->patience_s);
    if (code == ERR_VERIFY)
        return fault_set(&s->fault, code, "bytes were altered on the way");
    if (code == ERR_MALFORMED)
        return fault_set(&s->fault, code, "the other side does not speak the bulk protocol");
    return fault_set(&s->fault, code, "the connection to the other side was lost");
}

void stream_bear(struct stream *s)
{
    s->bears = true;
}

/* A socket ran into its timeout: may it go on waiting? A host that is there acknowledges every probe of a window that is shut,
 * and these are at most two minutes apart. */
static bool may_wait(const struct stream *s)
{
    const uint32_t silence_ms = 300 * 1000;
    struct tcp_info info;
    socklen_t n = sizeof info;

    return s->bears && getsockopt(tls_fd(s->link), IPPROTO_TCP, TCP_INFO, &info, &n) == 0 && info.tcpi_state != TCP_CLOSE &&
           info.tcpi_last_ack_recv < silence_ms;
}

/* ---- writing */

/* What is corked leaves in full packets; popping the cork sends the rest. */
static void cork(struct stream *s, int on)
{
    setsockopt(tls_fd(s->link), IPPROTO_TCP, TCP_CORK, &on, sizeof on);
}

static int write_out(struct stream *s)
{
    short blocked;
    if (s->fault.code != 0 || s->out_len == 0)
        return (int)s->fault.code;
    if (s->under_key > TLS_KEY_BYTES && tls_rekey(s->link) == 0)
        s->under_key = 0;
    if (!s->corked) {
        cork(s, 1);
        s->corked = true;
    }
    int err;
    do
        err = tls_write(s->link, s->out, s->out_len, &blocked);
    while (err == 0 && blocked != 0 && may_wait(s));
    if (err != 0 || blocked != 0)
        return failed(s, err, blocked != 0);
    s->under_key += s->out_len;
    s->out_len = 0;
    return 0;
}

int stream_flush(struct stream *s)
{
    if (write_out(s) == 0 && s->corked) {
        cork(s, 0);
        s->corked = false;
    }
    return (int)s->fault.code;
}

uint8_t *stream_room(struct stream *s, size_t n)
{
    if (s->out_len + n > STREAM_BUFFER && write_out(s) != 0)
        return NULL;
    return s->fault.code != 0 ? NULL : s->out + s->out_len;
}

void stream_put(struct stream *s, size_t n)
{
    s->out_len += n;
}

/* ---- reading */

/* Makes room behind what is there for `n` bytes from in_at on. Frames end where records end, so mostly nothing is left to
 * move. */
static void make_room(struct stream *s, size_t n)
{
    if (s->in_at == s->in_end)
        s->in_at = s->in_end = 0;
    if (s->in_at + n <= STREAM_BUFFER)
        return;
    memmove(s->in, s->in + s->in_at, s->in_end - s->in_at);
    s->in_end -= s->in_at;
    s->in_at = 0;
}

const uint8_t *stream_need(struct stream *s, size_t n)
{
    if (s->in_end - s->in_at < n) {
        make_room(s, n);
        if (stream_flush(s) != 0)
            return NULL;
    }
    while (s->in_end - s->in_at < n) {
        short blocked;
        size_t got;
        int err = tls_read(s->link, s->in + s->in_end, STREAM_BUFFER - s->in_end, &got, &blocked);
        if (err == 0 && blocked != 0 && may_wait(s))
            continue;
        if (err != 0 || blocked != 0) {
            failed(s, err, blocked != 0);
            return NULL;
        }
        s->in_end += got;
    }
    return s->in + s->in_at;
}

void stream_take(struct stream *s, size_t n)
{
    s->in_at += n;
}

bool stream_waiting(const struct stream *s)
{
    struct pollfd p = {.fd = tls_fd(s->link), .events = POLLIN | POLLRDHUP};
    return s->in_end > s->in_at || tls_pending(s->link) || poll(&p, 1, 0) != 0;
}

int stream_swap(struct stream *s)
{
    uint8_t *used = s->in;

    if (s->spare == NULL)
        s->spare = buffer_new();
    if (s->spare == NULL)
        return ERR_NOMEM;
    s->in_end -= s->in_at;
    memcpy(s->spare, used + s->in_at, s->in_end);
    s->in_at = 0;
    s->in = s->spare;
    s->spare = used;
    return 0;
}

int stream_next(struct stream *s, struct frame_head *head)
{
    do {
        const uint8_t *b = stream_need(s, FRAME_HEAD);
        if (b == NULL)
            return (int)s->fault.code;
        if (frame_head_decode(b, head) != 0)
            return failed(s, ERR_MALFORMED, false);
        stream_take(s, FRAME_HEAD);
    } while (head->type == FRAME_KEEP);
    return 0;
}

const uint8_t *stream_body(struct stream *s, const struct frame_head *head)
{
    const uint8_t *b = stream_need(s, head->len);
    if (b != NULL)
        stream_take(s, head->len);
    return b;
}
