/* One source of a get: how it is brought.
 *
 * Reach the peer's `files` pipe by the share's handle; when that goes by a relay, have it make a bridge; have a reception
 * object made; send FETCH with it, and confirm when the answer says that the streams are up; the port then does the rest
 * (transfer.h). When the sender cannot connect to us directly, it is asked once more with the roles of listening and dialling
 * swapped.
 *
 * Each such attempt resumes what the one before has left in the stage. An attempt whose carrier is lost is followed by another
 * one, by whatever way there is then, until none has been up for GET_PATIENCE. One that goes by a relay is stopped for a direct
 * one as soon as there is a connection, unless it is about to end. What the holder refuses is refused. */
#include "get.h"

#include <stdlib.h>
#include <string.h>

#define LOCK_PATIENCE (5 * SECOND) /* for a transfer to the same place that is being stopped, as after Ctrl-C */
#define LOCK_AGAIN (100 * MILLISECOND)
#define FETCH_TIMEOUT ((RECEPTION_DEADLINE_S + 5) * SECOND)
#define GET_PATIENCE (20 * SECOND) /* for a carrier to come again */
#define BARREN_MAX 40              /* attempts that moved nothing */
#define SEEK_AGAIN (300 * MILLISECOND)
#define STANDS_STILL (2 * SECOND)
#define BRIDGE_STREAMS 3   /* of one bridge: what both ends encrypt on */
#define NEARLY_OVER SECOND /* what an attempt would need to its end: it is not moved any more */

static void seek(struct get *g);
static void start_receive(struct get *g, const struct msg_bridge_ok *bridge);

/* ---- links */

static struct link *link_in_hand(const struct get *g)
{
    struct link *link = link_find(g->core, g->link);
    return link && link->state.now == LINK_UP ? link : NULL;
}

/* Is there a way round, should a connection to the peer be lost? */
static bool has_relays(const struct get *g)
{
    const struct record *record = &g->peer->record;
    for (size_t i = 0; g->peer->has_record && i < record->endpoint_count; i++)
        if (record->endpoint[i].transport == TRANSPORT_RELAY && endpoint_usable(g->core, &g->peer->id, &record->endpoint[i]))
            return true;
    return false;
}

static bool is_wanted(const struct get *g)
{
    return g->call && !g->core->stopping;
}

static void cancel_fetch(struct get *g)
{
    struct link *link = link_find(g->core, g->link);
    if (g->fetch_out && link) {
        struct msg m = {.type = MSG_CANCEL, .cancel = {.request = ask_number(g->core, g)}};
        link_send(link, &m);
    }
    g->fetch_out = false;
    g->fetch = 0;
    ask_cancel(g->core, g);
}

/* ---- what now? */

static void try_again(struct get *g, uint64_t after)
{
    core_timer(g->core, &g->again, after);
}

static bool is_patient(const struct get *g)
{
    return is_wanted(g) && g->begun && !g->peer->gone && g->barren < BARREN_MAX &&
           core_now(g->core) - g->alive_at < GET_PATIENCE;
}

static void give_up(struct get *g, const struct fault *why)
{
    struct fault fault = *why;
    if (g->begun && g->seen.bytes_done > 0 && !strstr(why->text, "resumes"))
        fault_set(&fault, (int)why->code, "%.*s; what came is kept, and the same command resumes", FAULT_TEXT - 80, why->text);
    if (g->begun)
        get_event(g, "failed");
    get_source_over(g, &fault);
}

/* There is no carrier, for this reason. */
static void no_carrier(struct get *g, const struct fault *why)
{
    if (is_patient(g))
        try_again(g, SEEK_AGAIN);
    else
        give_up(g, why);
}

/* Could another attempt, maybe by another way, do better? What the holder has decided stands; that it could not come to where
 * the streams were to meet, or has still to notice the end of the last attempt, is no decision. */
static bool is_carriers_fault(const struct get *g, const struct fault *fault)
{
    if (!g->relayed && !has_relays(g))
        return false;
    if (g->remote.code == ERR_FULL && g->attempts > 1)
        return true;
    return fault->code == ERR_UNREACHABLE || fault->code == ERR_TIMEOUT;
}

/* The connection was good for messages, but not for the streams: back to the relay. */
static struct link *way_back(struct get *g)
{
    struct link *held = g->held ? link_find(g->core, g->held) : NULL;
    return !g->relayed && !g->joined && held && held->session && held->state.now == LINK_UP ? held : NULL;
}

static void begin(struct get *g, struct link *link);

/* An attempt came to its end, with this fault or without. Its receive is still there to be counted. */
static void attempt_over(struct get *g, const struct fault *fault)
{
    struct link *back = NULL;
    bool wanted = is_wanted(g);
    bool moved = wanted && g->moving && fault->code == ERR_CHANGED;
    bool swap = wanted && g->remote.code == ERR_UNREACHABLE && !g->relayed && !g->swapped;
    bool wait = wanted && fault->code == ERR_LOCKED && core_now(g->core) - g->locked_from < LOCK_PATIENCE;
    bool lost = wanted && !moved && !swap && !wait && is_carriers_fault(g, fault);
    if (lost)
        back = way_back(g);
    bool again = moved || swap || wait || back || (lost && is_patient(g));
    if (!again) {
        get_add_up(g);
        get_event(g, fault->code ? "failed" : "done");
    }
    free(g->receive);
    g->receive = NULL;
    g->moving = false;
    if (!again) {
        get_source_over(g, fault);
    } else if (swap) {
        g->swapped = true;
        start_receive(g, NULL);
    } else if (back) {
        g->settled = true;
        begin(g, back);
    } else {
        try_again(g, wait ? LOCK_AGAIN : moved ? 0 : SEEK_AGAIN);
    }
}

/* ---- the transfer */

static void receive_done(struct receive *r)
{
    struct get *g = r->owner;
    struct fault fault = g->remote.code ? g->remote : r->fault;
    g->core->transfers--;
    get_observe(g);
    ask_cancel(g->core, g);
    g->fetch_out = false;
    if (r->fault.code != ERR_UNREACHABLE)
        g->fetch = 0; /* it is we who ended it */
    if (fault.code != ERR_LOCKED)
        g->locked_from = 0;
    else if (g->locked_from == 0)
        g->locked_from = core_now(g->core);
    if (fault.code == ERR_UNSUPPORTED && g->remote.code && g->at.len == 0 && is_wanted(g)) {
        free(g->receive);
        g->receive = NULL;
        get_is_stream(g);
        return;
    }
    attempt_over(g, &fault);
}

static void fetch_answered(void *arg, const struct msg *m, const struct fault *fault)
{
    struct get *g = arg;
    char route[ROUTE_TEXT];
    struct link *link = link_in_hand(g);
    g->fetch_out = false;
    if (!m) {
        g->remote = *fault;
        g->core->port->receive_cancel(g->core->port->self, g->receive, (int)fault->code);
        return;
    }
    g->joined = true;
    g->joined_at = core_now(g->core);
    if (link) {
        link_route(link, route);
        get_add_route(g, route);
    }
    link_use(g->core, &g->held, g->link);
    g->core->port->receive_confirm(g->core->port->self, g->receive, &m->fetch_ok);
}

static void reception_ready(struct receive *r)
{
    struct get *g = r->owner;
    struct link *link = link_in_hand(g);
    struct msg *m = calloc(1, sizeof *m);
    int err = ERR_UNREACHABLE;
    if (!link && !g->relayed)
        link = link_direct(g->peer);
    if (m && link) {
        g->link = link->no;
        m->type = MSG_FETCH;
        m->fetch.pipe = pipe_owned(&g->peer->id, "files");
        m->fetch.at = g->at;
        m->fetch.reception = r->reception;
        err = ask(link, m, MSG_FETCH_OK, FETCH_TIMEOUT, fetch_answered, g);
    }
    free(m);
    g->fetch_out = err == 0;
    g->fetch = ask_number(g->core, g);
    if (err) {
        char label[NAME_MAX_BYTES + 1];
        peer_label(g->peer, label);
        fault_set(&g->remote, err, "the link to %s is gone; is it still up? The same command tries again", label);
        g->core->port->receive_cancel(g->core->port->self, r, err);
    }
}

/* With a bridge both sides dial that; without, the sender dials us or we dial it. */
static void start_receive(struct get *g, const struct msg_bridge_ok *bridge)
{
    struct receive *r = calloc(1, sizeof *r);
    struct fault fault;
    if (!r) {
        fault_set(&fault, ERR_NOMEM, "out of memory");
        get_source_over(g, &fault);
        return;
    }
    g->remote = (struct fault){0};
    g->joined = false;
    g->moved = 0;
    g->attempts++;
    g->barren++;
    r->peer = g->peer->id;
    if (bridge) {
        r->way = bridge->own;
        r->other = bridge->other;
        r->streams = BRIDGE_STREAMS;
    }
    r->dest = g->dest;
    r->top = g->top;
    r->key = g->key;
    r->policy = g->policy;
    r->dry_run = g->dry_run;
    r->listen = !g->swapped;
    r->owner = g;
    r->ready = reception_ready;
    r->item = get_item_failed;
    r->placed = get_placed;
    r->done = receive_done;
    g->receive = r;
    g->core->transfers++;
    g->core->port->receive_start(g->core->port->self, r);
}

/* ---- the way */

static void bridged(void *arg, const struct msg_bridge_ok *ok, const struct fault *fault)
{
    struct get *g = arg;
    if (ok)
        start_receive(g, ok);
    else if (fault->code == ERR_UNREACHABLE || fault->code == ERR_TIMEOUT || fault->code == ERR_NOT_FOUND ||
             fault->code == ERR_STATE)
        no_carrier(g, fault); /* it has lost the session, or stops: there may be another relay */
    else
        give_up(g, fault);
}

static void bridge(struct get *g, struct link *link)
{
    struct fault fault;
    int err = link->session ? session_bridge(link->session, BRIDGE_STREAMS, bridged, g) : ERR_UNREACHABLE;
    if (err) {
        fault_set(&fault, err, "the relay cannot be asked to carry a transfer: %s", err_text(err));
        no_carrier(g, &fault);
    }
}

static bool lists_stream(const struct msg_shares_ok *ok, const char *name)
{
    for (size_t i = 0; i < ok->count; i++)
        if (strcmp(ok->share[i].name, name) == 0)
            return ok->share[i].kind != RESOURCE_FILE && ok->share[i].kind != RESOURCE_DIR;
    return false;
}

static void looked(void *arg, const struct msg *m, const struct fault *why)
{
    struct get *g = arg;
    struct link *link = link_in_hand(g);
    struct fault fault;
    g->looked_at = m != NULL;
    if (m && lists_stream(&m->shares_ok, g->at.share)) {
        get_is_stream(g);
    } else if (link) {
        bridge(g, link); /* where it is not said, FETCH will tell */
    } else {
        fault_set(&fault, ERR_UNREACHABLE, "%s", why ? why->text : "the link is gone; is the peer still up?");
        no_carrier(g, &fault);
    }
}

/* A byte stream needs no bridge for FETCH to tell what it is, and nobody would come to it. */
static int look(struct get *g, struct link *link)
{
    struct msg *m = calloc(1, sizeof *m);
    if (!m)
        return ERR_NOMEM;
    m->type = MSG_SHARES;
    m->shares.pipe = pipe_owned(&g->peer->id, "files");
    int err = ask(link, m, MSG_SHARES_OK, REQUEST_TIMEOUT, looked, g);
    free(m);
    return err;
}

static void begin(struct get *g, struct link *link)
{
    g->link = link->no;
    g->relayed = link->relayed;
    g->swapped = false;
    if (!g->begun) {
        g->begun = true;
        g->alive_at = core_now(g->core);
        get_event(g, "started");
    }
    if (!g->relayed) {
        start_receive(g, NULL);
        return;
    }
    link_use(g->core, &g->held, link->no);
    if (g->at.len > 0 || g->looked_at || look(g, link) != 0)
        bridge(g, link);
}

static void reached(void *arg, const struct reached *r)
{
    struct get *g = arg;
    if (r->link)
        begin(g, r->link);
    else
        no_carrier(g, &r->fault);
}

static void seek(struct get *g)
{
    struct fault fault;
    if (reach_share(g->core, g->peer, g->at.share, reached, g) == 0)
        return;
    fault_set(&fault, ERR_NOMEM, "out of memory");
    get_source_over(g, &fault);
}

static void seek_again(void *arg)
{
    seek(arg);
}

void get_carrier_init(struct get *g)
{
    timer_init(&g->again, seek_again, g);
}

void get_begin(struct get *g)
{
    g->begun = g->looked_at = g->settled = g->moving = g->relayed = false;
    g->locked_from = 0;
    g->attempts = g->barren = 0;
    g->fetch = 0;
    seek(g);
}

void get_carrier_drop(struct get *g)
{
    core_cancel(g->core, &g->again);
    reach_cancel(g->core, g);
    ask_cancel(g->core, g);
    session_bridge_cancel(g->core, g);
    link_use(g->core, &g->held, 0);
}

void get_stop(struct get *g, int code)
{
    if (!g->receive) {
        get_free(g);
        return;
    }
    cancel_fetch(g);
    g->core->port->receive_cancel(g->core->port->self, g->receive, code); /* receive_done frees us */
}

/* ---- the sender's last word */

/* Its streams may have broken just before, and a way is sought again: nothing else would come of that. */
static void sender_stopped(struct get *g, const struct fault *why)
{
    if (g->receive) {
        g->remote = *why;
        g->core->port->receive_cancel(g->core->port->self, g->receive, (int)why->code);
    } else {
        give_up(g, why);
    }
}

/* A FETCH that was answered already has failed at the sender's. That its streams were lost is known here, too. */
bool gets_on_error(struct link *link, const struct msg *m)
{
    for (struct get *g = link->core->gets; g; g = g->next_get) {
        if (g->peer != link->peer || g->fetch_out || g->fetch == 0 || g->fetch != m->request)
            continue;
        char label[NAME_MAX_BYTES + 1], text[ERROR_TEXT_MAX * 4 + 1];
        struct fault why;
        peer_label(link->peer, label);
        fault_set(&why, (int)m->error.code, "%s: %s", label, escape(m->error.text, strlen(m->error.text), text, sizeof text));
        if (why.code != ERR_UNREACHABLE && why.code != ERR_TIMEOUT)
            sender_stopped(g, &why);
        return true;
    }
    return false;
}

/* ---- a better way */

static bool is_nearly_over(const struct get *g)
{
    const struct transfer_progress *p = &g->receive->progress;
    uint64_t spent = core_now(g->core) - g->joined_at;
    if (!g->joined || p->phase < TRANSFER_DATA)
        return false;
    return p->phase > TRANSFER_DATA || p->bytes_total - p->bytes_done <= p->bytes_moved / (spent / NEARLY_OVER + 1);
}

static void move(struct get *g)
{
    if (g->receive && is_nearly_over(g))
        return;
    if (!g->receive) { /* it waits for a bridge, or for a way that is about to be found */
        ask_cancel(g->core, g);
        session_bridge_cancel(g->core, g);
        reach_cancel(g->core, g);
        try_again(g, 0);
        return;
    }
    g->moving = true;
    cancel_fetch(g);
    g->core->port->receive_cancel(g->core->port->self, g->receive, ERR_CHANGED);
}

/* Whoever lost the last connection to a peer may have lost the streams beside it too, only that nobody says so for long. */
void get_look(struct get *g)
{
    uint64_t now = core_now(g->core), moved = g->receive ? g->receive->progress.bytes_moved : 0;
    bool in_doubt = g->receive && g->joined && !g->relayed && !g->moving && !link_direct(g->peer) && has_relays(g);
    if (!in_doubt || g->still_from == 0 || moved != g->still_at) {
        g->still_from = in_doubt ? now : 0;
        g->still_at = moved;
    } else if (now - g->still_from >= STANDS_STILL && is_wanted(g)) {
        move(g);
    }
}

void gets_upgrade(struct core *core, struct peer *peer)
{
    for (struct get *g = core->gets; g; g = g->next_get)
        if (g->peer == peer && g->relayed && !g->settled && !g->moving && is_wanted(g))
            move(g);
}
