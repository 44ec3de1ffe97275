/* The verb pipe-listen: a program that reads a pipe.
 *
 * Batches go to the program as they came. It says what it has taken, and is not given more than HANDED_MAX beyond that: who
 * sends then waits, or (propagate pipes) what it does not take in time is dropped, the oldest first, and it is told how much.
 *
 * Invariants: (1) the pipe is bound just while the call lasts; (2) after pipe_deliver said no, channel_in_resume is called as
 * soon as there is room; (3) rows that are no messages are left out when the program has not read HANDED_MAX of them. */
#include "handout.h"
#include "heard.h"
#include "pipes.h"

#include <stdlib.h>
#include <string.h>

#define HANDED_MAX (1 << 20)
#define ROW_COST 256 /* that a row of messages counts beside them */
#define LOOK_AGAIN (20 * MILLISECOND)

struct listener {
    struct call *call;
    struct pipe pipe;
    struct handout handout;
    uint32_t senders;
    bool refused; /* pipe_deliver said no */
    struct timer timer;
    struct heard heard; /* propagate pipes */
    uint64_t dropped_told;
};

/* ---- rows */

static size_t unread(const struct listener *l)
{
    const struct port *port = l->call->core->port;
    return port->unread(port->self, l->call->client);
}

static bool has_room(const struct listener *l)
{
    return l->handout.cost < HANDED_MAX && unread(l) <= HANDED_MAX;
}

static void row_tag(struct row *row, const char *name, const struct tag *tag)
{
    char text[BASE32_CHARS(TAG_BYTES) + 1];
    base32_encode(tag->b, TAG_BYTES, text);
    row_text(row, name, text);
}

static void row_from(const struct listener *l, struct row *row, const struct node_id *from)
{
    char label[NAME_MAX_BYTES + 1];
    pipe_node_label(l->call->core, from, label);
    row_text(row, "from", label);
    row_text(row, "id", id_text(from).s);
}

/* Takes a row that is no message. */
static int tell(struct listener *l, struct row *row)
{
    int err = unread(l) > 2 * HANDED_MAX ? ERR_FULL : 0;
    if (err)
        row_free(row);
    else
        call_row(l->call, row);
    return err;
}

/* ---- messages in order */

static void look_again(struct listener *l, uint64_t after)
{
    core_timer(l->call->core, &l->timer, after);
}

/* What is out of a channel does not come back as taken any more. */
static void forget(struct listener *l, const struct tag *channel)
{
    handout_forget(&l->handout, channel);
    if (l->refused)
        look_again(l, 0);
}

bool pipe_deliver(struct pipe *pipe, const struct tag *channel, const struct peer *from, uint64_t seq, bool again,
                  uint64_t until, const struct batch *batch)
{
    struct listener *l = pipe->reader->work;
    if (!has_room(l) || handout_add(&l->handout, channel, seq + batch->count, batch_cost(batch) + ROW_COST) != 0) {
        l->refused = true;
        look_again(l, LOOK_AGAIN);
        return false;
    }
    struct row *row = row_new("messages");
    row_tag(row, "channel", channel);
    row_from(l, row, &from->id);
    row_int(row, "seq", (int64_t)seq);
    row_int(row, "count", batch->count);
    row_bool(row, "again", again);
    if (until)
        row_int(row, "until", (int64_t)until);
    row_data_borrowed(row, "batch", batch->bytes, batch->n);
    call_row(l->call, row);
    return true;
}

void pipe_lease(struct pipe *pipe, const struct tag *channel, uint64_t until)
{
    struct row *row = row_new("lease");
    row_tag(row, "channel", channel);
    row_int(row, "until", (int64_t)until);
    tell(pipe->reader->work, row);
}

void pipe_void(struct pipe *pipe, const struct tag *channel)
{
    struct listener *l = pipe->reader->work;
    struct row *row = row_new("void");
    row_tag(row, "channel", channel);
    call_row(l->call, row); /* never left out: the program must not go on with what it has */
    forget(l, channel);
}

void pipe_sender(struct pipe *pipe, const struct tag *channel, const struct peer *from, const char *state)
{
    struct listener *l = pipe->reader->work;
    struct row *row = row_new("sender");
    row_tag(row, "channel", channel);
    row_from(l, row, &from->id);
    row_text(row, "state", state);
    tell(l, row);
    if (strcmp(state, "began") == 0) {
        l->senders++;
        return;
    }
    l->senders -= l->senders > 0;
    forget(l, channel);
}

uint32_t pipe_senders(const struct pipe *pipe)
{
    const struct listener *l = pipe->reader ? pipe->reader->work : NULL;
    return l ? l->senders : 0;
}

/* ---- messages of a propagate pipe: to its reader they are one channel, named as the pipe */

static void show_dropped(struct listener *l)
{
    if (l->heard.dropped == l->dropped_told)
        return;
    l->dropped_told = l->heard.dropped;
    struct row *row = row_new("dropped");
    row_int(row, "messages", (int64_t)l->heard.dropped);
    tell(l, row);
}

static void show_heard(struct listener *l, const struct heard_message *m)
{
    struct row *row = row_new("messages");
    row_tag(row, "channel", &l->pipe.tag);
    row_from(l, row, &m->origin);
    row_int(row, "seq", (int64_t)m->number);
    row_int(row, "count", 1);
    row_bool(row, "again", false);
    row_tag(row, "message", &m->id);
    row_data_borrowed(row, "batch", m->batch, m->n);
    call_row(l->call, row);
}

static void show_all_heard(struct listener *l)
{
    while (l->heard.oldest && has_room(l)) {
        const struct heard_message *m = l->heard.oldest;
        if (handout_add(&l->handout, &l->pipe.tag, m->number + 1, m->n + PIPE_MESSAGE_COST + ROW_COST) != 0)
            break;
        show_dropped(l);
        show_heard(l, m);
        heard_drop_oldest(&l->heard);
    }
    if (l->heard.oldest)
        look_again(l, LOOK_AGAIN);
}

void pipe_heard(struct pipe *pipe, const struct peer *origin, const struct tag *id, const void *bytes, size_t n)
{
    struct listener *l = pipe->reader->work;
    heard_add(&l->heard, &origin->id, id, bytes, n);
    show_all_heard(l);
}

/* ---- what the program says */

static void resume(void *arg)
{
    struct listener *l = arg;
    show_all_heard(l);
    if (!l->refused)
        return;
    if (!has_room(l)) {
        look_again(l, LOOK_AGAIN);
        return;
    }
    l->refused = false;
    channel_in_resume(&l->pipe);
}

static void broken(struct listener *l, const char *text)
{
    struct fault fault;
    fault_set(&fault, ERR_USAGE, "the program that listens on '%s' %s", l->pipe.name, text);
    call_abort(l->call, &fault);
}

/* What channel_in knows of the channel decides, when nothing of it is out any more: it may have ended, or come back. */
static void on_taken(struct listener *l, const struct row *row)
{
    struct tag channel;
    int64_t next = row_get_int(row, "seq", 0);
    if (base32_decode(row_get_text(row, "channel", ""), channel.b, TAG_BYTES) != 0 || next < 1) {
        broken(l, "says that it has taken something, but not what");
        return;
    }
    if (handout_taken(&l->handout, &channel, (uint64_t)next) == ERR_USAGE) {
        broken(l, "says that it has taken what it was not given");
        return;
    }
    if (l->pipe.type == PIPE_UNICAST)
        channel_in_taken(l->call->core, &channel, (uint64_t)next);
    resume(l);
}

static void on_refuse(struct listener *l, const struct row *row)
{
    struct fault why;
    fault_set(&why, ERR_REFUSED, "%s", row_get_text(row, "text", "the program that listens does not want it"));
    connect_refused(l->call->core, (uint64_t)row_get_int(row, "number", 0), l->call->client, &why);
}

static void listener_feed(struct call *call, const struct row *row)
{
    struct listener *l = call->work;
    if (strcmp(row_kind(row), "taken") == 0)
        on_taken(l, row);
    else if (strcmp(row_kind(row), "accept") == 0)
        connect_accepted(call->core, (uint64_t)row_get_int(row, "number", 0), call->client);
    else if (strcmp(row_kind(row), "refuse") == 0)
        on_refuse(l, row);
}

int pipe_offer(struct pipe *pipe, const struct peer *from, uint64_t number)
{
    struct listener *l = pipe->reader->work;
    if (pipe->type != PIPE_UNICAST)
        return ERR_UNSUPPORTED;
    struct row *row = row_new("offer");
    row_int(row, "number", (int64_t)number);
    row_from(l, row, &from->id);
    return tell(l, row);
}

/* ---- life */

static void listener_cancel(struct call *call, int code)
{
    struct listener *l = call->work;
    (void)code;
    pipe_unbind(&l->pipe);
    core_cancel(call->core, &l->timer);
    handout_fini(&l->handout);
    heard_fini(&l->heard);
    free(l);
}

static void show_bound(struct listener *l)
{
    char full[2 * NAME_MAX_BYTES + 2];
    struct row *row = row_new("bound");
    pipe_full_name(&l->pipe, full);
    row_text(row, "pipe", full);
    row_text(row, "name", l->pipe.name);
    row_tag(row, "id", &l->pipe.tag);
    row_text(row, "type", pipe_type_name(l->pipe.type));
    row_text(row, "transport", transport_name(l->pipe.transport));
    row_bool(row, "shared", l->pipe.shared);
    row_int(row, "rank", l->pipe.rank);
    call_row(l->call, row);
}

static int read_audience(struct pipe *p, const struct row *request, struct fault *fault)
{
    size_t n = row_count(request, "to");
    bool is_public = row_get_bool(request, "public", false);
    p->audience = is_public ? AUDIENCE_PUBLIC : n ? AUDIENCE_NAMED : AUDIENCE_TRUSTED;
    if (is_public && n)
        return fault_set(fault, ERR_USAGE, "a pipe is for all or for named peers, not for both");
    if (n > AUDIENCE_MAX)
        return fault_set(fault, ERR_LIMIT, "a pipe can be for %d named peers at most, not %zu", AUDIENCE_MAX, n);
    for (size_t i = 0; i < n; i++) {
        struct peer *peer;
        int err = core_peer(p->core, row_get_text_at(request, "to", i, ""), &peer, fault);
        if (err)
            return err;
        p->allowed[p->allowed_count++] = peer->id;
    }
    return 0;
}

static int read_request(struct pipe *p, const struct row *request, struct fault *fault)
{
    const char *name;
    int64_t rank = row_get_int(request, "rank", 0);
    p->type = row_get_bool(request, "propagate", false) ? PIPE_PROPAGATE : PIPE_UNICAST;
    p->shared = p->type == PIPE_PROPAGATE || row_get_bool(request, "shared", false);
    int err = pipe_here(p->core, row_get_text(request, "pipe", ""), p->shared, &name, fault);
    if (!err)
        err = pipe_transport(request, &p->transport, fault);
    if (!err && (rank < 0 || rank > UINT8_MAX))
        err = fault_set(fault, ERR_USAGE, "a rank is 0 to 255, and the lowest is taken first; not %lld", (long long)rank);
    if (err)
        return err;
    snprintf(p->name, sizeof p->name, "%s", name);
    p->rank = (uint8_t)rank;
    return read_audience(p, request, fault);
}

void verb_pipe_listen(struct call *call, const struct row *request)
{
    struct fault fault;
    struct listener *l = calloc(1, sizeof *l);
    if (!l) {
        fault_set(&fault, ERR_NOMEM, "out of memory");
        call_fail(call, &fault);
        return;
    }
    l->call = call;
    l->pipe.core = call->core;
    l->pipe.reader = call;
    timer_init(&l->timer, resume, l);
    if (read_request(&l->pipe, request, &fault) != 0 || pipe_bind(&l->pipe, &fault) != 0) {
        free(l);
        call_fail(call, &fault);
        return;
    }
    call->work = l;
    call->cancel = listener_cancel;
    call->feed = listener_feed;
    show_bound(l);
}
