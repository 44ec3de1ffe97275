/* Receiving from a pipe. See weft.h.
 *
 * Rows of messages are read whole and parsed in place; what the program has handled is told in as few rows as can be: before
 * it waits, and at the latest after TELL_BYTES. Invariants:
 *   1. a message is handed out only while its channel's lease holds: without one, and without word from the node, another
 *      binder may have it by now. It stays here until the lease is renewed or the channel is void;
 *   2. once the node is gone, nothing more is handed out: the sender will send it again, to whoever has the pipe bound next;
 *   3. an event's pointers lead into the first row that was not given up, so a row that was read to its end is freed by the
 *      next call only. */
#include "client_pipe.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define TELL_BYTES (256 << 10)

/* ---- channels */

static struct sender *sender_find(struct weft_pipe *pipe, const char *channel)
{
    struct sender *s = pipe->in.senders;
    while (s && strcmp(s->channel, channel) != 0)
        s = s->next;
    return s;
}

/* That of a row: NULL when there is no memory, or the row names none. */
static struct sender *sender_of(struct weft_pipe *pipe, const struct row *row)
{
    const char *channel = row_get_text(row, "channel", "");
    struct sender *s = sender_find(pipe, channel);
    if (s || strlen(channel) >= sizeof s->channel)
        return s;
    s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    memcpy(s->channel, channel, strlen(channel) + 1);
    s->next = pipe->in.senders;
    pipe->in.senders = s;
    return s;
}

static void sender_free(struct weft_pipe *pipe, struct sender *s)
{
    struct sender **at = &pipe->in.senders;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    if (pipe->in.handling == s)
        pipe->in.handling = NULL;
    client_receipt_free(s->receipt);
    free(s);
}

static bool lease_holds(const struct sender *s)
{
    return !s || !s->until || client_pipe_now() < s->until;
}

/* ---- what has been handled */

/* Tells what is due. What the socket does not take now stays due. */
static int tell(struct weft_pipe *pipe)
{
    pipe->in.untold = 0;
    for (struct sender *s = pipe->in.senders; s; s = s->next) {
        if (s->due == s->told || !*s->channel)
            continue;
        struct row *row = row_new("taken");
        row_text(row, "channel", s->channel);
        row_int(row, "seq", (int64_t)s->due);
        int err = client_pipe_put(pipe, row, NULL, false);
        if (err)
            return err;
        s->told = s->due;
    }
    return 0;
}

/* Is there anything that the socket did not take? */
static bool owes(const struct weft_pipe *pipe)
{
    const struct sender *s = pipe->in.senders;
    while (s && (s->due == s->told || !*s->channel))
        s = s->next;
    return s != NULL;
}

/* The program asks for more: what it had is handled. */
static void handled(struct weft_pipe *pipe)
{
    if (pipe->in.handling && !pipe->in.hold)
        pipe->in.handling->due = pipe->in.handling->handed;
    pipe->in.handling = NULL;
}

/* ---- rows that were not read to their end */

static void unread_free(struct weft_pipe *pipe, struct unread **at)
{
    struct unread *u = *at, *before = NULL;
    *at = u->next;
    if (pipe->in.last == u) {
        for (before = pipe->in.first; before && before->next; before = before->next)
            ;
        pipe->in.last = before;
    }
    row_free(u->row);
    free(u);
}

/* Drops those that `s` sent (NULL: all). */
static void drop(struct weft_pipe *pipe, const struct sender *s)
{
    struct unread **at = &pipe->in.first;
    while (*at)
        if (!s || (*at)->sender == s)
            unread_free(pipe, at);
        else
            at = &(*at)->next;
}

static bool unread_of(const struct weft_pipe *pipe, const struct sender *s)
{
    const struct unread *u = pipe->in.first;
    while (u && u->sender != s)
        u = u->next;
    return u != NULL;
}

/* Keeps a row (takes it) for the program. */
static int keep(struct weft_pipe *pipe, struct row *row, const struct unread *what)
{
    struct unread *u = malloc(sizeof *u);
    if (!u) {
        row_free(row);
        return fault_set(&pipe->fault, ERR_NOMEM, "out of memory");
    }
    *u = *what;
    u->row = row;
    if (pipe->in.last)
        pipe->in.last->next = u;
    else
        pipe->in.first = u;
    pipe->in.last = u;
    return 0;
}

/* ---- what the node says */

static uint64_t number(const struct row *row, const char *name)
{
    int64_t value = row_get_int(row, name, 0);
    return value < 0 ? 0 : (uint64_t)value;
}

static int on_messages(struct weft_pipe *pipe, struct row *row)
{
    struct unread u = {.seq = number(row, "seq"), .sender = sender_of(pipe, row)};
    size_t n;
    const char *bytes = row_get_bytes(row, "batch", &n);
    if (!u.sender || batch_read(bytes, n, &u.batch) != 0) {
        row_free(row);
        return fault_set(&pipe->fault, ERR_MALFORMED, "the node's messages cannot be read; is it of another version?");
    }
    u.sender->until = number(row, "until");
    if (u.seq < u.sender->handed) /* it begins anew */
        u.sender->handed = u.sender->due = u.sender->told = u.seq;
    if (u.batch.count)
        return keep(pipe, row, &u);
    row_free(row);
    return 0;
}

static int on_sender(struct weft_pipe *pipe, struct row *row)
{
    struct unread u = {.sender = sender_of(pipe, row), .ends = strcmp(row_get_text(row, "state", ""), "began") != 0};
    if (!u.sender) {
        row_free(row);
        return fault_set(&pipe->fault, ERR_NOMEM, "out of memory");
    }
    if (u.ends && !lease_holds(u.sender)) { /* nobody will say any more that it does */
        drop(pipe, u.sender);
        u.sender->until = 0;
    }
    return keep(pipe, row, &u);
}

static int on_other(struct weft_pipe *pipe, struct row *row)
{
    return keep(pipe, row, &(struct unread){0});
}

static int on_lease(struct weft_pipe *pipe, struct row *row)
{
    struct sender *s = sender_find(pipe, row_get_text(row, "channel", ""));
    if (s)
        s->until = number(row, "until");
    row_free(row);
    return 0;
}

static int on_void(struct weft_pipe *pipe, struct row *row)
{
    struct sender *s = sender_find(pipe, row_get_text(row, "channel", ""));
    row_free(row);
    if (s) {
        drop(pipe, s);
        sender_free(pipe, s);
    }
    return 0;
}

static int on_receipt(struct weft_pipe *pipe, struct row *row)
{
    struct sender *s = sender_of(pipe, row);
    if (s) { /* each time that its sender comes to us it gives another key */
        client_receipt_free(s->receipt);
        s->receipt = client_receipt_new(row);
    }
    row_free(row);
    return 0;
}

static int on_stream(struct weft_pipe *pipe, struct row *row)
{
    const char *state = row_get_text(row, "state", "");
    if (number(row, "number") == pipe->in.stream.number) {
        pipe->in.stream.over = strcmp(state, "joined") != 0;
        pipe->in.stream.moved[0] = number(row, "bytes_in");
        pipe->in.stream.moved[1] = number(row, "bytes_out");
        if (strcmp(state, "failed") == 0)
            client_error(row, &pipe->in.stream.fault);
    }
    row_free(row);
    return 0;
}

static int take_in(struct weft_pipe *pipe, struct row *row)
{
    static const struct {
        const char *kind;
        int (*on)(struct weft_pipe *pipe, struct row *row);
    } table[] = {{"messages", on_messages}, {"sender", on_sender}, {"offer", on_other},   {"dropped", on_other},
                 {"lease", on_lease},       {"void", on_void},     {"stream", on_stream}, {"receipt", on_receipt}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(row_kind(row), table[i].kind) == 0)
            return table[i].on(pipe, row);
    row_free(row);
    return 0;
}

/* Takes in one row, if one has come. A node that is gone has nothing to say any more but why. */
static int hear(struct weft_pipe *pipe, bool *heard)
{
    struct pollfd p = {.fd = pipe->fd, .events = POLLIN};
    struct row *row = NULL;
    *heard = false;
    bool gone = !pipe->over && poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR));
    int err = client_pipe_row(pipe, &row);
    while (gone && !err) {
        row_free(row);
        err = client_pipe_row(pipe, &row);
    }
    if (err) {
        client_receipts_send(pipe);
        drop(pipe, NULL);
    }
    if (err || !row)
        return err;
    *heard = true;
    return take_in(pipe, row);
}

/* ---- events */

static void show_from(const struct unread *u, struct weft_event *event)
{
    event->from = row_get_text(u->row, "from", "");
    event->id = row_get_text(u->row, "id", "");
    event->channel = row_get_text(u->row, "channel", "");
}

static void show_message(struct weft_pipe *pipe, struct unread *u, struct weft_event *event)
{
    const uint8_t *bytes = NULL;
    size_t n = 0;
    batch_next(&u->batch, &u->at, &bytes, &n);
    *event = (struct weft_event){.kind = WEFT_PIPE_MESSAGE, .bytes = bytes, .n = n, .seq = u->seq++};
    show_from(u, event);
    event->again = row_get_bool(u->row, "again", false);
    u->read = u->at == u->batch.n;
    u->sender->handed = u->seq;
    pipe->in.handling = u->sender;
    pipe->in.untold += n;
}

static void show_sender(struct unread *u, struct weft_event *event)
{
    const char *state = row_get_text(u->row, "state", "");
    *event = (struct weft_event){.kind = strcmp(state, "began") == 0   ? WEFT_PIPE_SENDER
                                         : strcmp(state, "ended") == 0 ? WEFT_PIPE_SENDER_ENDED
                                                                       : WEFT_PIPE_SENDER_LOST};
    show_from(u, event);
    u->read = true;
}

static void show_offer(struct weft_pipe *pipe, struct unread *u, struct weft_event *event)
{
    *event = (struct weft_event){.kind = WEFT_PIPE_OFFER};
    show_from(u, event);
    pipe->in.offer = number(u->row, "number");
    u->read = true;
}

static void show_dropped(struct unread *u, struct weft_event *event)
{
    *event = (struct weft_event){.kind = WEFT_PIPE_DROPPED, .seq = number(u->row, "messages")};
    show_from(u, event);
    u->read = true;
}

static void show(struct weft_pipe *pipe, struct unread *u, struct weft_event *event)
{
    if (u->batch.n)
        show_message(pipe, u, event);
    else if (u->sender)
        show_sender(u, event);
    else if (strcmp(row_kind(u->row), "dropped") == 0)
        show_dropped(u, event);
    else
        show_offer(pipe, u, event);
}

/* Frees what the event before led into, and a channel whose end it told. */
static void clear_read(struct weft_pipe *pipe)
{
    struct unread **at = &pipe->in.first;
    while (*at && !(*at)->read)
        at = &(*at)->next;
    if (!*at)
        return;
    struct sender *s = (*at)->ends ? (*at)->sender : NULL;
    unread_free(pipe, at);
    if (s && !unread_of(pipe, s))
        sender_free(pipe, s);
}

/* The next event that may be handed out, if there is one. */
static bool next_event(struct weft_pipe *pipe, struct weft_event *event)
{
    struct unread **at = &pipe->in.first;
    while (*at && !lease_holds((*at)->sender))
        at = &(*at)->next;
    if (!*at)
        return false;
    show(pipe, *at, event);
    return true;
}

/* ---- the public face */

static int check(struct weft_pipe *pipe)
{
    return pipe->listening ? 0 : fault_set(&pipe->fault, ERR_STATE, "this pipe was opened for sending");
}

static int refuse(struct weft_pipe *pipe, uint64_t stream, const char *why)
{
    struct row *row = row_new("refuse");
    row_int(row, "number", (int64_t)stream);
    row_text(row, "text", why);
    return client_pipe_put(pipe, row, NULL, true);
}

/* Waits for the node to say more, or to listen again. */
static int await(struct weft_pipe *pipe, uint64_t deadline)
{
    client_receipts_send(pipe);
    int err = tell(pipe);
    if (err && (err != ERR_FULL || pipe->over))
        return err;
    return client_pipe_wait(pipe, owes(pipe) ? POLLIN | POLLOUT : POLLIN, deadline);
}

static int receive(struct weft_pipe *pipe, struct weft_event *event, int timeout_ms)
{
    uint64_t deadline = 0;
    bool heard;
    while (!next_event(pipe, event)) {
        int err = hear(pipe, &heard);
        if (!err && !heard) {
            deadline = deadline ? deadline : client_pipe_deadline(timeout_ms);
            err = await(pipe, deadline);
        }
        if (err)
            return err;
    }
    return 0;
}

int weft_pipe_receive(struct weft_pipe *pipe, struct weft_event *event, int timeout_ms, struct weft_error *error)
{
    int err = check(pipe);
    if (err)
        return client_pipe_result(pipe, err, error);
    handled(pipe);
    client_receipts_soon(pipe);
    clear_read(pipe);
    if (pipe->in.offer)
        err = weft_pipe_refuse(pipe, "nobody wants it", NULL);
    if (!err && pipe->in.untold >= TELL_BYTES)
        err = tell(pipe);
    if (pipe->over)
        drop(pipe, NULL);
    if (err && (err != ERR_FULL || pipe->over))
        return client_pipe_result(pipe, err, error);
    err = client_pipe_interrupted(pipe);
    return client_pipe_result(pipe, err ? err : receive(pipe, event, timeout_ms), error);
}

int weft_pipe_take(struct weft_pipe *pipe, const char *channel, struct weft_error *error)
{
    int err = check(pipe);
    for (struct sender *s = pipe->in.senders; s; s = s->next)
        if (!channel || strcmp(s->channel, channel) == 0)
            s->due = s->handed;
    client_receipts_send(pipe);
    while (!err && (err = tell(pipe)) == ERR_FULL && !pipe->over)
        err = client_pipe_wait(pipe, POLLOUT, NEVER);
    return client_pipe_result(pipe, err, error);
}

int weft_pipe_refuse(struct weft_pipe *pipe, const char *why, struct weft_error *error)
{
    int err = pipe->in.offer ? refuse(pipe, pipe->in.offer, why) : fault_set(&pipe->fault, ERR_STATE, "no stream is offered");
    pipe->in.offer = 0;
    return client_pipe_result(pipe, err, error);
}

static int await_stream(struct weft_pipe *pipe)
{
    int err = 0;
    bool heard;
    while (!err && !pipe->in.stream.over) {
        err = hear(pipe, &heard);
        if (!err && !heard)
            err = await(pipe, NEVER);
    }
    if (err)
        return err;
    pipe->fault = pipe->in.stream.fault;
    return (int)pipe->fault.code;
}

int weft_pipe_accept(struct weft_pipe *pipe, int in, int out, uint64_t moved[2], struct weft_error *error)
{
    const int fds[2] = {in, out};
    if (!pipe->in.offer)
        return client_pipe_result(pipe, fault_set(&pipe->fault, ERR_STATE, "no stream is offered"), error);
    memset(&pipe->in.stream, 0, sizeof pipe->in.stream);
    pipe->in.stream.number = pipe->in.offer;
    struct row *row = row_new("accept");
    row_int(row, "number", (int64_t)pipe->in.offer);
    int err = client_pipe_put(pipe, row, fds, true);
    if (!err)
        err = await_stream(pipe);
    if (err == ERR_CANCELLED && !pipe->in.stream.over && !pipe->over)
        refuse(pipe, pipe->in.offer, "interrupted");
    pipe->in.offer = 0;
    if (moved)
        memcpy(moved, pipe->in.stream.moved, sizeof pipe->in.stream.moved);
    return client_pipe_result(pipe, err, error);
}

void client_pipe_receiving_fini(struct weft_pipe *pipe)
{
    if (pipe->fd >= 0 && !pipe->over)
        tell(pipe);
    drop(pipe, NULL);
    while (pipe->in.senders)
        sender_free(pipe, pipe->in.senders);
    client_receipts_fini(pipe);
}
