/* Requests in work for openings. See openings_internal.h.
 *
 * Invariants: (1) an opening has one demand at most; (2) each demand ends once, with an answer or an ERROR where its link is
 * still there; (3) what waits begins in a turn of its own (demands_look), never from inside another's end. */
#include "openings_internal.h"

#include "io.h"

#include <stdlib.h>
#include <string.h>

#define BEAT (PROGRESS_EVERY_MS * MILLISECOND)

static void append(struct openings *os, struct demand *d)
{
    struct demand **at = &os->demands;
    while (*at)
        at = &(*at)->next;
    if (!os->demands)
        core_timer(os->core, &os->beat, BEAT);
    *at = d;
}

struct demand *demand_new(const struct demand_kind *kind, struct link *link, const struct msg *m, struct opening *o)
{
    struct demand *d = calloc(1, kind->size);
    if (!d) {
        link_error(link, m->request, ERR_NOMEM, "out of memory for another request");
        return NULL;
    }
    d->core = link->core;
    d->kind = kind;
    d->peer = link->peer;
    d->peer->busy++;
    d->link = link->no;
    link_use(d->core, &d->used, link->no);
    d->number = m->request;
    d->opening = o;
    o->demand = d;
    core_cancel(d->core, &o->idle);
    append(d->core->openings, d);
    return d;
}

/* ---- ends */

void demand_abandon(struct demand *d)
{
    struct demand **at = &d->core->openings->demands;
    while (*at != d)
        at = &(*at)->next;
    *at = d->next;
    link_use(d->core, &d->used, 0);
    d->peer->busy--;
    d->opening->demand = NULL;
    if (d->source)
        d->source->uses--;
    if (d->kind->drop)
        d->kind->drop(d);
    free(d);
}

static void demand_over(struct demand *d)
{
    struct openings *os = d->core->openings;
    struct opening *o = d->opening, *source = d->source;
    demand_abandon(d);
    if (!os->demands)
        core_cancel(os->core, &os->beat);
    demands_look_soon(os->core);
    if (source)
        opening_release(source);
    opening_release(o);
}

struct msg *demand_message(struct demand *d, enum msg_type type)
{
    static const struct fault fault = {.code = ERR_NOMEM, .text = "out of memory for an answer"};
    struct msg *m = calloc(1, sizeof *m);
    if (m) {
        m->type = type;
        m->request = d->number;
    } else {
        demand_fail(d, &fault);
    }
    return m;
}

void demand_answer(struct demand *d, struct msg *m)
{
    struct link *link = d->link ? link_find(d->core, d->link) : NULL;
    if (link)
        link_send(link, m);
    free(m);
    demand_over(d);
}

void demand_fail(struct demand *d, const struct fault *fault)
{
    struct link *link = d->link ? link_find(d->core, d->link) : NULL;
    if (link)
        core_send_error(link, d->number, d->why.code ? &d->why : fault);
    demand_over(d);
}

void demand_stop(struct demand *d, const struct fault *why)
{
    if (!d->why.code)
        d->why = *why;
    if (d->wait != WAIT_NOT)
        demand_fail(d, why);
    else if (d->kind->stop)
        d->kind->stop(d);
}

/* ---- what is done */

bool demands_may_take(struct link *link, const struct msg *m)
{
    unsigned peers = 0, all = 0;
    for (const struct demand *d = link->core->openings->demands; d; d = d->next) {
        peers += d->kind->takes && d->peer == link->peer;
        all += d->kind->takes;
    }
    if (peers < PUTS_PER_PEER_MAX && all < PUTS_MAX)
        return true;
    link_error(link, m->request, ERR_FULL, "as many puts as this node allows are running; try again when one has ended");
    return false;
}

struct gather_job *demand_job(struct demand *d, enum job_kind kind, void (*done)(struct job *job))
{
    static const struct fault fault = {.code = ERR_NOMEM, .text = "out of memory for a gather"};
    struct opening *o = d->opening;
    struct gather_job *j = calloc(1, sizeof *j);
    if (!j) {
        demand_fail(d, &fault);
        return NULL;
    }
    j->job = (struct job){.kind = kind, .done = done, .owner = d};
    j->site = &o->site;
    j->key = o->key;
    j->gather = o->gather;
    j->literals = o->literals;
    j->watch = &o->watch;
    return j;
}

/* ---- what is told */

void demand_tell(const struct demand *d, const struct demand_event *event)
{
    const struct opening *o = d->opening;
    struct row *row = row_new("transfer");
    if (row) {
        char label[NAME_MAX_BYTES + 1], path[NAME_MAX_BYTES + PATH_BYTES_MAX + ENTRY_NAME_MAX + 3];
        int n = snprintf(path, sizeof path, "%s%s%s", o->shown, event->name[0] ? "/" : "", event->name);
        peer_label(d->peer, label);
        row_text(row, "direction", "in");
        row_text(row, "state", event->state);
        row_text(row, "peer", label);
        row_data(row, "path", path, (size_t)n);
        row_int(row, "bytes", (int64_t)event->bytes);
        if (event->fault)
            row_text(row, "text", event->fault->text);
    }
    core_event(d->core, row);
}

void demands_beat(void *arg)
{
    struct openings *os = arg;
    struct msg *m = calloc(1, sizeof *m);
    core_timer(os->core, &os->beat, BEAT);
    for (const struct demand *d = os->demands; m && d; d = d->next) {
        struct link *link = d->link ? link_find(os->core, d->link) : NULL;
        m->type = MSG_PROGRESS;
        m->request = d->number;
        m->progress = (struct msg_progress){.phase = PROGRESS_WAITING};
        if (d->wait == WAIT_NOT && d->kind->look)
            d->kind->look(d, &m->progress);
        if (link)
            link_send(link, m);
    }
    free(m);
}

/* ---- turns */

void demands_look_soon(struct core *core)
{
    if (!core->stopping)
        core_timer(core, &core->openings->soon, 0);
}

static unsigned count(const struct openings *os, enum wait turn, const struct account *account, bool waiting)
{
    unsigned n = 0;
    for (const struct demand *d = os->demands; d; d = d->next)
        n += d->kind->turn == turn && (d->wait != WAIT_NOT) == waiting && (!account || d->opening->account == account);
    return n;
}

unsigned demands_waiting(const struct openings *os, enum wait turn, const struct account *account)
{
    return count(os, turn, account, true);
}

unsigned demands_at_work(const struct openings *os, enum wait turn, const struct account *account)
{
    return count(os, turn, account, false);
}

/* One of each account before the second of any; of several, whose turn was longer ago; of its own, the oldest. */
static bool goes_before(const struct openings *os, const struct demand *a, const struct demand *b)
{
    const struct account *x = a->opening->account, *y = b->opening->account;
    unsigned n = demands_at_work(os, a->wait, x), m = demands_at_work(os, b->wait, y);
    return n != m ? n < m : x->served < y->served;
}

static struct demand *next_in_turn(struct openings *os, enum wait turn, unsigned at_once)
{
    struct demand *best = NULL;
    if (demands_at_work(os, turn, NULL) >= at_once)
        return NULL;
    for (struct demand *d = os->demands; d; d = d->next)
        if (d->wait == turn && (!best || goes_before(os, d, best)))
            best = d;
    if (best)
        best->opening->account->served = ++os->turns;
    return best;
}

/* One whose place may be free now. */
static struct demand *next_for_place(struct openings *os)
{
    struct fault fault;
    for (struct demand *d = os->demands; d; d = d->next)
        if (d->wait == WAIT_PLACE && d->opening->state.now != OPENING_CLOSING &&
            place_look(d, d->place, &fault) != PLACE_LEAVING)
            return d;
    return NULL;
}

void demands_look(void *arg)
{
    struct openings *os = arg;
    struct demand *d;
    while ((d = next_for_place(os)) || (d = next_in_turn(os, WAIT_GATHER, GATHERS_MAX)) ||
           (d = next_in_turn(os, WAIT_INDEX, INDEXES_MAX))) {
        d->wait = WAIT_NOT;
        d->kind->begin(d);
    }
}
