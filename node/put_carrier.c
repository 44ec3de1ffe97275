/* The link that a put goes by, and what is done when it is lost.
 *
 * The link is sought by the share's handle, as for any request. When it is lost, or the streams beside it, the unit in hand
 * lets everything go and is begun anew over whatever way there is then, until nothing has gone forward for PUT_PATIENCE. What
 * has arrived resumes at the peer. What goes by a relay is begun anew over a connection as soon as there is one: at once while
 * bytes of ours flow, unless they are about to end, else before the next step. What the peer refuses is refused. */
#include "put_internal.h"
#include "session.h"

#include <string.h>

#define PUT_PATIENCE (20 * SECOND)
#define LOCK_PATIENCE (10 * SECOND) /* for the peer to notice that our last link is gone, whose handles it keeps until then */
#define BARREN_MAX 40
#define BARREN_STREAMS 3 /* attempts whose messages came through, but not their streams */
#define SEEK_AGAIN (300 * MILLISECOND)

/* ---- links */

struct link *put_link(const struct put *p)
{
    struct link *link = p->link ? link_find(p->core, p->link) : NULL;
    return link && link->state.now == LINK_UP ? link : NULL;
}

/* Is there a way round, should a connection to the peer be lost? */
static bool has_relays(const struct put *p)
{
    const struct record *record = &p->peer->record;
    for (size_t i = 0; p->peer->has_record && i < record->endpoint_count; i++)
        if (record->endpoint[i].transport == TRANSPORT_RELAY && endpoint_usable(p->core, &p->peer->id, &record->endpoint[i]))
            return true;
    return false;
}

static void take_link(struct put *p, struct link *link)
{
    put_count_link(p);
    if (p->link != link->no)
        p->link_bytes = link->opened_at < p->started ? link->bytes_in + link->bytes_out : 0;
    p->link = link->no;
    p->better = p->moved = false;
    put_add_route(p, link);
    if (link->relayed)
        link_use(p->core, &p->held, link->no);
}

/* ---- letting go */

static void close_at(struct link *link, uint64_t handle)
{
    struct msg m = {.type = MSG_FILE_CLOSE, .file_close = {.handle = handle}};
    link_send(link, &m);
}

void put_close(struct put *p, uint64_t *handle)
{
    struct link *link = put_link(p);
    if (*handle && link)
        close_at(link, *handle);
    *handle = 0;
}

bool puts_on_late(struct link *link, const struct msg *m)
{
    if (m->type != MSG_FILE_OK)
        return false;
    close_at(link, m->file_ok.handle);
    return true;
}

/* What comes of it is for nobody. */
static void drop_taking(struct put *p)
{
    if (p->taking) {
        p->taking->put = NULL;
        take_cancel(p->taking->take, ERR_CANCELLED);
    }
    p->taking = NULL;
}

void put_let_go(struct put *p)
{
    put_count_link(p);
    core_cancel(p->core, &p->again);
    core_cancel(p->core, &p->wait);
    reach_cancel(p->core, p);
    ask_withdraw(p->core, p);
    remember_cancel(p->core, p);
    put_withdraw(p);
    drop_taking(p);
    put_close(p, &p->file.source);
    put_close(p, &p->file.destination);
    put_close(p, &p->folder);
}

void put_carrier_drop(struct put *p)
{
    put_let_go(p);
    put_forget_left(p);
    link_use(p->core, &p->held, 0);
    p->link = 0;
}

/* ---- finding a link */

static void reached(void *arg, const struct reached *r)
{
    struct put *p = arg;
    if (!r->link) {
        put_failed(p, &r->fault);
        return;
    }
    p->alive_at = core_now(p->core);
    take_link(p, r->link);
    p->unit->begin(p);
}

static void seek(struct put *p)
{
    p->phase = PUT_CONNECTING;
    if (reach_share(p->core, p->peer, p->at.share, reached, p) != 0)
        put_fail_nomem(p);
}

static void again(void *arg)
{
    struct put *p = arg;
    struct fault fault = p->pending;
    p->pending.code = 0;
    if (fault.code)
        put_failed(p, &fault);
    else
        seek(p);
}

static void waited(void *arg)
{
    struct put *p = arg;
    p->then(p);
}

void put_wait(struct put *p, uint64_t time, void (*then)(struct put *p))
{
    p->then = then;
    core_timer(p->core, &p->wait, time);
}

void put_carrier_init(struct put *p)
{
    timer_init(&p->again, again, p);
    timer_init(&p->wait, waited, p);
}

void put_go(struct put *p, const struct put_unit *unit)
{
    p->unit = unit;
    if (p->better || !put_link(p))
        seek(p);
    else
        unit->begin(p);
}

void put_anew(struct put *p)
{
    put_let_go(p);
    core_timer(p->core, &p->again, 0);
}

/* ---- asking */

void put_fail_soon(struct put *p, const struct fault *fault)
{
    p->pending = *fault;
    core_timer(p->core, &p->again, 0);
}

void put_fail_nomem(struct put *p)
{
    put_fail_soon(p, &(struct fault){.code = ERR_NOMEM, .text = "out of memory"});
}

void put_phase(struct put *p, enum put_phase phase, uint64_t total)
{
    p->phase = phase;
    p->phase_done = 0;
    p->phase_total = total;
}

static void progress(void *arg, const struct msg_progress *m)
{
    struct put *p = arg;
    static const enum put_phase phase[PROGRESS_PHASE_COUNT] = {[PROGRESS_INDEX] = PUT_INDEX,
                                                               [PROGRESS_SEND] = PUT_SEND,
                                                               [PROGRESS_GATHER] = PUT_GATHER,
                                                               [PROGRESS_FINISH] = PUT_FINISH};
    p->alive_at = core_now(p->core);
    if (m->phase == PROGRESS_WAITING)
        return;
    if (m->done != p->phase_done)
        p->barren = 0;
    p->phase = phase[m->phase];
    p->phase_done = m->done;
    p->phase_total = m->total;
}

static void answered(void *arg, const struct msg *m, const struct fault *fault)
{
    struct put *p = arg;
    if (!m) {
        put_failed(p, fault);
        return;
    }
    p->alive_at = core_now(p->core);
    p->answer(p, m);
}

void put_ask(struct put *p, struct msg *m, enum msg_type type, put_answer *answer)
{
    struct link *link = put_link(p);
    struct fault fault;
    p->answer = answer;
    int err = link ? ask_for_long(link, m, type, progress, answered, p) : ERR_UNREACHABLE;
    if (!err)
        return;
    char label[NAME_MAX_BYTES + 1];
    peer_label(p->peer, label);
    fault_set(&fault, err, "the link to %s is gone; is it still up? The same command tries again", label);
    put_fail_soon(p, &fault);
}

/* ---- what now? */

static bool is_patient(const struct put *p)
{
    uint64_t now = core_now(p->core);
    return p->alive_at > 0 && !p->peer->gone && !p->core->stopping && p->barren < BARREN_MAX &&
           now - p->alive_at < PUT_PATIENCE;
}

/* The connection was good for messages, but not for streams: back to the relay. */
static struct link *way_back(const struct put *p)
{
    struct link *link = put_link(p), *held = p->held ? link_find(p->core, p->held) : NULL;
    return link && !link->relayed && held && held->session && held->state.now == LINK_UP ? held : NULL;
}

static bool is_ways(const struct fault *fault)
{
    return fault->code == ERR_UNREACHABLE || fault->code == ERR_TIMEOUT;
}

/* Could another attempt, maybe by another way, do better? What the peer has decided stands. */
static bool is_carriers(const struct put *p, const struct fault *fault)
{
    const struct link *link = put_link(p);
    switch (fault->code) {
    case ERR_UNREACHABLE:
    case ERR_TIMEOUT: return !link || link->relayed || has_relays(p) || p->barren < BARREN_STREAMS;
    case ERR_FULL: return true;
    case ERR_LOCKED: return p->lost_at > 0 && core_now(p->core) - p->lost_at < LOCK_PATIENCE;
    default: return false;
    }
}

/* A link that was there is not any more: patience is counted from now. */
static void notice_loss(struct put *p)
{
    if (!p->link || put_link(p))
        return;
    p->link = 0;
    p->lost_at = p->alive_at = core_now(p->core);
}

void put_failed(struct put *p, const struct fault *why)
{
    struct fault fault = *why; /* may be our own */
    notice_loss(p);
    struct link *back = p->parcel && is_ways(&fault) ? way_back(p) : NULL;
    bool another = back || (is_carriers(p, &fault) && is_patient(p));
    if (!another) {
        p->unit->failed(p, &fault);
        return;
    }
    put_let_go(p);
    p->barren++;
    if (back) {
        p->settled = true;
        take_link(p, back);
        p->unit->begin(p);
    } else {
        core_timer(p->core, &p->again, SEEK_AGAIN);
    }
}

/* ---- a better way */

bool put_moves(struct put *p)
{
    if (!p->better)
        return false;
    put_anew(p);
    return true;
}

/* Would it be through within a second? */
static bool is_nearly_over(const struct put *p)
{
    uint64_t spent = (core_now(p->core) - p->sending_at) / SECOND + 1;
    return p->phase_total > 0 && p->phase_total - p->phase_done <= p->parcel->sent / spent;
}

void puts_upgrade(struct core *core, struct peer *peer)
{
    for (struct put *p = core->puts; p; p = p->next_put) {
        const struct link *link = put_link(p);
        if (p->peer != peer || !link || !link->relayed || p->settled)
            continue;
        p->better = true;
        if (p->parcel && p->phase == PUT_SEND && !is_nearly_over(p))
            put_anew(p);
    }
}
