/* The verb pipe-send: a program that sends messages into a pipe.
 *
 * Batches go into a channel as they came. The program is told how much it may push in all (row "channel", `room`), at most
 * every TELL_EVERY; one that pushes more is refused, and the call ends. At the end it is told what was taken.
 *
 * Invariants: (1) `room` never shrinks; (2) the channel is there until it has ended; afterwards only the question why nobody
 * was found may still be out. */
#include "pipes.h"

#include <stdlib.h>
#include <string.h>

#define TELL_EVERY (2 * MILLISECOND)
#define WAIT_MS 5000
#define WAIT_MS_MAX 86400000

struct sending {
    struct call *call;
    struct pipe_send_request request;
    struct channel_out *channel; /* NULL: ended */
    struct channel_out_status status;
    struct pipe_why *why;
    char peer[NAME_MAX_BYTES + 1]; /* whom it was bound to last */
    uint64_t cost, bytes;          /* of all that was pushed */
    uint64_t began, told;          /* at */
    bool finished;                 /* no more comes */
    bool telling;                  /* the timer is set */
    struct timer timer;
};

/* ---- what the program is told */

static void look(struct sending *s)
{
    channel_out_status(s->channel, &s->status);
    if (s->status.peer)
        peer_label(s->status.peer, s->peer);
}

static const char *state_text(enum channel_state state)
{
    switch (state) {
    case CHANNEL_SEEKING:
    case CHANNEL_OPENING: return "seeking";
    case CHANNEL_BOUND: return "bound";
    default: return "ending";
    }
}

static void tell(void *arg)
{
    struct sending *s = arg;
    struct row *row = row_new("channel");
    look(s);
    row_text(row, "pipe", s->request.name);
    row_text(row, "state", state_text(s->status.state));
    row_text(row, "peer", s->status.state == CHANNEL_BOUND ? s->peer : NULL);
    row_int(row, "room", (int64_t)(s->cost + s->status.room));
    row_int(row, "taken", (int64_t)s->status.taken);
    row_int(row, "pushed", (int64_t)s->status.pushed);
    row_int(row, "rebound", s->status.rebound);
    call_row(s->call, row);
    s->told = core_now(s->call->core);
    s->telling = false;
}

static void moved(void *arg)
{
    struct sending *s = arg;
    uint64_t since = core_now(s->call->core) - s->told;
    look(s); /* at its end there is no peer any more */
    if (s->telling)
        return;
    s->telling = true;
    core_timer(s->call->core, &s->timer, since < TELL_EVERY ? TELL_EVERY - since : 0);
}

static void result_fields(const struct sending *s, struct row *row)
{
    row_int(row, "messages", (int64_t)s->status.taken);
    row_int(row, "rebound", s->status.rebound);
    row_int(row, "elapsed_us", (int64_t)((core_now(s->call->core) - s->began) / 1000));
    row_text(row, "peer", s->peer[0] ? s->peer : NULL);
}

static void summarise(const struct sending *s)
{
    struct row *row = row_new("summary");
    result_fields(s, row);
    row_int(row, "pushed", (int64_t)s->status.pushed);
    call_row(s->call, row);
}

/* ---- how it ends */

static void sending_free(struct sending *s)
{
    core_cancel(s->call->core, &s->timer);
    pipe_why_cancel(s->why);
    if (s->channel)
        channel_out_cancel(s->channel);
    free(s);
}

static void sending_cancel(struct call *call, int code)
{
    struct sending *s = call->work;
    (void)code;
    if (s->channel)
        look(s);
    summarise(s);
    sending_free(s);
}

/* Frees the sending: the text says what was taken, and so does the summary before it. */
static void fail(struct sending *s, const struct fault *why)
{
    struct call *call = s->call;
    struct fault fault = *why;
    if (s->status.pushed > 0)
        fault_set(&fault, (int)why->code, "%s; %llu of %llu messages had been taken", why->text,
                  (unsigned long long)s->status.taken, (unsigned long long)s->status.pushed);
    summarise(s);
    sending_free(s);
    call_fail(call, &fault);
}

static void explained(void *arg, const struct fault *fault)
{
    struct sending *s = arg;
    s->why = NULL;
    fail(s, fault);
}

static void all_taken(struct sending *s)
{
    struct call *call = s->call;
    struct row *row = row_new("done");
    result_fields(s, row);
    row_int(row, "bytes", (int64_t)s->bytes);
    sending_free(s);
    call_done(call, row);
}

static void ended(void *arg, const struct fault *fault)
{
    struct sending *s = arg;
    look(s);
    s->channel = NULL; /* freed by whom it belongs to */
    core_cancel(s->call->core, &s->timer);
    if (fault->code == ERR_NOT_FOUND)
        s->why = pipe_why(s->call->core, &s->request, fault, explained, s);
    if (s->why)
        return;
    if (fault->code)
        fail(s, fault);
    else
        all_taken(s);
}

/* ---- what the program says */

static void refuse(struct sending *s, int code, const char *text)
{
    struct fault fault;
    look(s);
    fault_set(&fault, code, "%s", text);
    fail(s, &fault);
}

static void push(struct sending *s, const struct row *row)
{
    struct batch batch;
    size_t n = 0;
    const char *bytes = row_get_bytes(row, "batch", &n);
    int err = bytes ? batch_read(bytes, n, &batch) : ERR_MALFORMED;
    if (!err && batch.count > 0)
        err = channel_out_push(s->channel, &batch);
    if (!err) {
        s->cost += batch_cost(&batch);
        s->bytes += batch.n - (uint64_t)batch.count * BATCH_HEAD;
        return;
    }
    refuse(s, err,
           err == ERR_FULL        ? "full: more was pushed than there was said to be room for"
           : err == ERR_MALFORMED ? "what was pushed is no batch of messages"
                                  : err_text(err));
}

static void sending_feed(struct call *call, const struct row *row)
{
    struct sending *s = call->work;
    if (!s->channel)
        return; /* it has failed; the person will be told why */
    if (strcmp(row_kind(row), "batch") == 0 && !s->finished) {
        push(s, row);
    } else if (strcmp(row_kind(row), "finish") == 0 && !s->finished) {
        s->finished = true;
        channel_out_finish(s->channel);
    }
}

/* ---- how it begins */

static void sending_start(struct call *call, const struct pipe_send_request *request)
{
    static const struct channel_out_events events = {.moved = moved, .ended = ended};
    struct fault fault;
    struct sending *s = calloc(1, sizeof *s);
    struct channel_out_config config = {.want = request->want, .wait = request->wait, .events = &events, .arg = s};
    int err = s ? channel_out_new(call->core, &config, &s->channel) : ERR_NOMEM;
    if (err) {
        free(s);
        fault_set(&fault, err, "cannot send into '%s': %s", request->name, err_text(err));
        call_fail(call, &fault);
        return;
    }
    s->call = call;
    s->request = *request;
    s->began = core_now(call->core);
    timer_init(&s->timer, tell, s);
    call->work = s;
    call->cancel = sending_cancel;
    call->feed = sending_feed;
    tell(s);
}

int pipe_send_request(struct core *core, const struct row *row, struct pipe_send_request *r, struct fault *fault)
{
    struct peer *peer;
    enum transport transport;
    const char *name = row_get_text(row, "pipe", "");
    enum pipe_type type = row_get_bool(row, "propagate", false) ? PIPE_PROPAGATE : PIPE_UNICAST;
    int64_t wait = row_get_int(row, "wait_ms", WAIT_MS);
    int err = pipe_transport(row, &transport, fault);
    if (!err && (wait < 0 || wait > WAIT_MS_MAX))
        err = fault_set(fault, ERR_USAGE, "nobody waits %lld ms for a pipe to be bound: say 0 to %d", (long long)wait,
                        WAIT_MS_MAX);
    if (!err)
        err = pipe_want(core, name, type, transport, &r->want, &peer, fault);
    if (err)
        return err;
    r->wait = (uint64_t)wait * MILLISECOND;
    snprintf(r->name, sizeof r->name, "%s", name);
    return 0;
}

void verb_pipe_send(struct call *call, const struct row *request)
{
    struct pipe_send_request r = {.wait = 0};
    struct fault fault;
    if (pipe_send_request(call->core, request, &r, &fault) != 0)
        call_fail(call, &fault);
    else if (r.want.type == PIPE_PROPAGATE)
        spreading_start(call, &r);
    else
        sending_start(call, &r);
}

uint32_t pipes_sending(const struct core *core)
{
    uint32_t n = 0;
    for (const struct call *call = core->calls; call; call = call->next)
        n += call->cancel == sending_cancel;
    return n;
}
