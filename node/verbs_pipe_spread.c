/* Sending into a propagate pipe: the other half of the verb pipe-send.
 *
 * Nothing is acknowledged, so nothing tells when the network has had enough: messages leave at a steady pace, out of a bounded
 * queue, and the program has room as the queue has. While no peer is linked they wait. */
#include "pipes.h"

#include <stdlib.h>
#include <string.h>

#define QUEUE_COST (1 << 20)
#define PER_SECOND 2000 /* a quarter of what a link takes: others send, too */
#define BURST 256
#define LOOK_AGAIN (5 * MILLISECOND)

struct queued {
    struct queued *next;
    struct batch batch;
    size_t at; /* of the next message */
    uint8_t bytes[];
};

struct spreading {
    struct call *call;
    struct pipe_send_request request;
    struct queued *first, **end;
    uint64_t queued_cost, cost; /* that waits, and in all */
    uint64_t messages, pushed, bytes;
    uint64_t began;
    uint64_t alone; /* since when nobody is linked; 0: somebody is */
    bool finished;
    struct bucket pace;
    struct timer timer;
};

static void queue_drop(struct spreading *s)
{
    struct queued *q = s->first;
    s->first = q->next;
    if (!s->first)
        s->end = &s->first;
    s->queued_cost -= batch_cost(&q->batch);
    free(q);
}

static void spreading_free(struct spreading *s)
{
    core_cancel(s->call->core, &s->timer);
    while (s->first)
        queue_drop(s);
    free(s);
}

/* ---- what the program is told */

static void tell(const struct spreading *s)
{
    struct row *row = row_new("channel");
    row_text(row, "pipe", s->request.name);
    row_text(row, "state", s->finished ? "ending" : s->alone ? "seeking" : "bound");
    row_int(row, "room", (int64_t)(s->cost - s->queued_cost + QUEUE_COST));
    row_int(row, "taken", (int64_t)s->messages);
    row_int(row, "pushed", (int64_t)s->pushed);
    row_int(row, "rebound", 0);
    call_row(s->call, row);
}

static struct row *result_row(const struct spreading *s, const char *kind)
{
    struct row *row = row_new(kind);
    row_int(row, "messages", (int64_t)s->messages);
    row_int(row, "pushed", (int64_t)s->pushed);
    row_int(row, "bytes", (int64_t)s->bytes);
    row_int(row, "rebound", 0);
    row_int(row, "elapsed_us", (int64_t)((core_now(s->call->core) - s->began) / 1000));
    return row;
}

static void fail(struct spreading *s, int code, const char *text)
{
    struct call *call = s->call;
    struct fault fault;
    fault_set(&fault, code, "%s; %llu of %llu messages had been sent", text, (unsigned long long)s->messages,
              (unsigned long long)s->pushed);
    call_row(call, result_row(s, "summary"));
    spreading_free(s);
    call_fail(call, &fault);
}

static void all_sent(struct spreading *s)
{
    struct call *call = s->call;
    struct row *done = result_row(s, "done");
    spreading_free(s);
    call_done(call, done);
}

/* ---- sending at a pace */

/* Sends the next message: 0, ERR_LIMIT when it is too early, ERR_UNREACHABLE, ... */
static int send_next(struct spreading *s, uint64_t now)
{
    struct queued *q = s->first;
    const uint8_t *bytes;
    size_t n, at = q->at;
    if (!bucket_take(&s->pace, now))
        return ERR_FULL;
    batch_next(&q->batch, &at, &bytes, &n);
    int err = spread_send(s->call->core, &s->request.want.pipe, bytes, n);
    if (err)
        return err;
    q->at = at;
    s->messages++;
    s->bytes += n;
    if (at == q->batch.n)
        queue_drop(s);
    return 0;
}

static void drain(void *arg)
{
    struct spreading *s = arg;
    struct core *core = s->call->core;
    uint64_t now = core_now(core);
    int err = 0;
    while (s->first && !err)
        err = send_next(s, now);
    if (err == ERR_UNREACHABLE && !s->alone)
        s->alone = now;
    else if (err != ERR_UNREACHABLE)
        s->alone = 0;
    if (s->alone && now - s->alone >= s->request.wait) {
        fail(s, ERR_UNREACHABLE, "no peer is linked; see 'weft doctor'");
    } else if (err && err != ERR_UNREACHABLE && err != ERR_FULL) {
        fail(s, err, err_text(err));
    } else if (!s->first && s->finished) {
        all_sent(s);
    } else {
        tell(s);
        if (s->first)
            core_timer(core, &s->timer, LOOK_AGAIN);
    }
}

/* ---- what the program says */

static int check(const struct spreading *s, const struct batch *batch)
{
    const uint8_t *bytes;
    size_t at = 0, n;
    if (s->queued_cost + batch_cost(batch) > QUEUE_COST)
        return ERR_FULL;
    while (batch_next(batch, &at, &bytes, &n))
        if (n > SPREAD_BYTES_MAX)
            return ERR_LIMIT;
    return 0;
}

static int enqueue(struct spreading *s, const struct batch *batch)
{
    struct queued *q = malloc(sizeof *q + batch->n);
    if (!q)
        return ERR_NOMEM;
    memcpy(q->bytes, batch->bytes, batch->n);
    q->next = NULL;
    q->at = 0;
    q->batch = (struct batch){.bytes = q->bytes, .n = batch->n, .count = batch->count};
    *s->end = q;
    s->end = &q->next;
    s->queued_cost += batch_cost(batch);
    s->cost += batch_cost(batch);
    s->pushed += batch->count;
    return 0;
}

static void push(struct spreading *s, const struct row *row)
{
    struct batch batch;
    size_t n = 0;
    const char *bytes = row_get_bytes(row, "batch", &n);
    int err = bytes ? batch_read(bytes, n, &batch) : ERR_MALFORMED;
    if (!err)
        err = check(s, &batch);
    if (!err && batch.count > 0)
        err = enqueue(s, &batch);
    if (!err)
        core_timer(s->call->core, &s->timer, 0);
    else
        fail(s, err,
             err == ERR_FULL        ? "full: more was pushed than there was said to be room for"
             : err == ERR_MALFORMED ? "what was pushed is no batch of messages"
             : err == ERR_LIMIT     ? "a message of a propagate pipe has 32768 bytes at most"
                                    : err_text(err));
}

static void spreading_feed(struct call *call, const struct row *row)
{
    struct spreading *s = call->work;
    if (strcmp(row_kind(row), "batch") == 0 && !s->finished) {
        push(s, row);
    } else if (strcmp(row_kind(row), "finish") == 0) {
        s->finished = true;
        core_timer(call->core, &s->timer, 0);
    }
}

/* ---- life */

static void spreading_cancel(struct call *call, int code)
{
    struct spreading *s = call->work;
    (void)code;
    call_row(call, result_row(s, "summary"));
    spreading_free(s);
}

void spreading_start(struct call *call, const struct pipe_send_request *request)
{
    struct fault fault;
    struct spreading *s = calloc(1, sizeof *s);
    if (!s) {
        fault_set(&fault, ERR_NOMEM, "out of memory");
        call_fail(call, &fault);
        return;
    }
    s->call = call;
    s->request = *request;
    s->end = &s->first;
    s->began = core_now(call->core);
    bucket_init(&s->pace, PER_SECOND, BURST, s->began);
    timer_init(&s->timer, drain, s);
    call->work = s;
    call->cancel = spreading_cancel;
    call->feed = spreading_feed;
    tell(s);
}
