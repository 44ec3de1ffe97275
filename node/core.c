/* The core: construction, dispatch of messages and control requests, and what all its parts share. */
#include "connect.h"
#include "core_internal.h"
#include "openings.h"
#include "parcels.h"
#include "pipes.h"
#include "put.h"
#include "relay.h"
#include "remember.h"
#include "resources.h"
#include "session.h"
#include "take.h"

#include <stdlib.h>
#include <string.h>

/* ---- small things */

void bucket_init(struct bucket *b, double rate, double burst, uint64_t now)
{
    *b = (struct bucket){.level = burst, .rate = rate, .burst = burst, .at = now};
}

bool bucket_take(struct bucket *b, uint64_t now)
{
    b->level += (double)(now - b->at) / (double)SECOND * b->rate;
    b->at = now;
    if (b->level > b->burst)
        b->level = b->burst;
    if (b->level < 1)
        return false;
    b->level -= 1;
    return true;
}

uint64_t core_now(const struct core *core)
{
    return core->port->now(core->port->self);
}

void core_timer(struct core *core, struct timer *t, uint64_t after)
{
    core->port->timer_set(core->port->self, t, core_now(core) + after);
}

void core_cancel(struct core *core, struct timer *t)
{
    core->port->timer_cancel(core->port->self, t);
}

void core_random(struct core *core, void *buf, size_t n)
{
    core->port->random(core->port->self, buf, n);
}

void core_event(struct core *core, struct row *row)
{
    if (row)
        core->port->reply(core->port->self, 0, row);
    row_free(row);
}

void core_saved(struct job *job)
{
    struct core *core = job->owner;
    core->jobs--;
    if (job->fault.code) { /* what was to be saved holds for this life, and is lost with the next restart */
        struct row *row = row_new("warning");
        log_write(core->log, LOG_ERROR, "state", "%s", job->fault.text);
        row_text(row, "text", job->fault.text);
        core_event(core, row);
    }
    free(job);
}

void core_job(struct core *core, struct job *job)
{
    core->jobs++;
    core->port->job(core->port->self, job);
}

/* ---- life */

int core_new(const struct core_config *config, const struct port *port, struct core **out)
{
    struct core *core = calloc(1, sizeof *core);
    if (!core)
        return ERR_NOMEM;
    core->config = *config;
    core->port = port;
    core->log = port->log;
    links_init(core);
    company_init(core);
    gossip_init(core);
    upgrades_init(core);
    uint64_t now = core_now(core);
    bucket_init(&core->checks, BEACON_CHECKS_PER_S, 2 * BEACON_CHECKS_PER_S, now);
    bucket_init(&core->records, BEACON_CHECKS_PER_S, 2 * BEACON_CHECKS_PER_S, now);
    bucket_init(&core->replies, 10, 20, now);
    bucket_init(&core->receipts, RECEIPTS_PER_S, RECEIPTS_PER_S, now);
    for (size_t i = 0; i < DIAL_KINDS; i++)
        bucket_init(&core->dials[i], DIALS_PER_S, DIALS_BURST, now);
    bucket_init(&core->wrong_tickets, TICKET_WRONG_PER_MIN / 60.0, TICKET_WRONG_PER_MIN, now);
    int err = peers_new(&config->identity->id, &core->peers);
    if (!err)
        err = spread_init(core);
    if (!err)
        err = channel_in_init(core);
    if (!err)
        err = binding_start(core);
    if (!err && (config->roles & ROLE_RELAY))
        err = relay_new(core);
    if (err)
        core_free(core);
    else
        *out = core;
    return err;
}

void core_free(struct core *core)
{
    if (!core)
        return;
    core->stopping = true;
    while (core->calls)
        core_client_gone(core, core->calls->client);
    gets_free(core);
    puts_free(core);
    connects_free(core);
    links_fini(core);
    sessions_free(core);
    reservations_free(core);
    relay_free(core);
    upgrades_fini(core);
    dial_fini(core);
    company_fini(core);
    gossip_fini(core);
    channel_out_free(core);
    channel_in_free(core);
    here_free(core);
    spread_free(core);
    openings_free(core);
    takes_free(core);
    parcels_free(core);
    remember_free(core);
    files_free(core);
    resources_free(core);
    shares_free(core);
    registrar_free(core);
    binding_free(core->binding);
    peers_free(core->peers);
    free(core);
}

void core_load_peer(struct core *core, const struct peer_row *row)
{
    struct peer *peer;
    if (peers_add(core->peers, &row->id, &peer) != 0)
        return;
    peers_name(core->peers, peer, row->name);
    peer->trusted = row->trust == TRUST_TRUSTED;
    peer->incarnation = row->incarnation;
    peer->seq = row->seq;
    peer->has_record = row->record.len > 0 && record_decode(&row->record, &peer->record) == 0 &&
                       record_verify(&row->record, &peer->record) == 0 && id_equal(&peer->record.id, &row->id);
    if (peer->has_record)
        peer->signed_record = row->record;
}

void core_load_share(struct core *core, const struct share_row *row)
{
    int err = share_put(core, row, NULL);
    if (err)
        log_write(core->log, LOG_WARN, "shares", "'%s' is not offered: %s", row->name, err_text(err));
}

void core_start(struct core *core)
{
    core->started = true;
    core->started_at = core_now(core);
    gossip_start(core);
    files_start(core);
    remember_start(core);
    pipes_start(core);
    relay_start(core);
    reservations_start(core);
    links_consider(core);
}

void core_stop(struct core *core)
{
    if (core->stopping)
        return;
    core->stopping = true;
    while (core->calls) {
        struct fault fault;
        fault_set(&fault, ERR_CANCELLED,
                  "the node is stopping; the same command goes on where this one ended once it is up again");
        call_abort(core->calls, &fault);
    }
    files_stop(core);
    openings_stop(core);
    puts_stop(core);
    remember_stop(core);
    connects_stop(core);
    gossip_stop(core);
    if (core->relay)
        relay_drain(core); /* which closes them in the end */
    else
        links_close_all(core, BYE_STOPPING);
}

bool core_idle(const struct core *core)
{
    return core->jobs == 0 && core->transfers == 0 && relay_idle(core);
}

/* ---- messages */

static void on_pong(struct link *link, const struct msg *m)
{
    if (link->pinged_at != 0 && m->ping.nonce == link->ping_nonce)
        link->rtt = core_now(link->core) - link->pinged_at;
}

#define REFUSED_WAIT (60 * SECOND)

static void on_bye(struct link *link, const struct msg *m)
{
    struct core *core = link->core;
    if (m->bye.reason == BYE_STOPPING && link->state.now == LINK_UP)
        link->peer->gone = true;
    if (m->bye.reason == BYE_REFUSED && link->peer) { /* it will not think better of it in a moment */
        log_write(core->log, LOG_WARN, "links", "%s refused the link", id_short(&link->peer->id).s);
        link->peer->damped_until = link->peer->dial_after = core_now(core) + REFUSED_WAIT;
    }
    link_close(link, BYE_DUPLICATE);
}

/* An answer, which may be late, or never have been asked for. */
static void on_answer(struct link *link, const struct msg *m)
{
    if (!ask_on_answer(link, m) && !sessions_on_error(link, m) && !puts_on_late(link, m) &&
        !(m->type == MSG_ERROR && (gets_on_error(link, m) || takes_on_error(link, m))))
        link->core->refused_messages++;
}

/* What travels through pipes. */
static void on_pipe_message(struct link *link, const struct msg *m)
{
    switch (m->type) {
    case MSG_CONNECT: connect_on_request(link, m); break;
    case MSG_OPEN: channel_in_on_open(link, m); break;
    case MSG_DATA: channel_in_on_data(link, m); break;
    case MSG_ACK: channel_out_on_ack(link, m); break;
    case MSG_CLOSE: /* each side takes what is about a channel of its own */
        channel_out_on_close(link, m);
        channel_in_on_close(link, m);
        break;
    case MSG_SPREAD:
    case MSG_SPREAD_HAVE:
    case MSG_SPREAD_WANT:
    case MSG_SPREAD_PRUNE: spread_on_message(link, m); break;
    default:
        link->strikes++; /* a second HELLO */
        break;
    }
}

/* Requests to a service of this node, and answers to its own. */
static void on_service_message(struct link *link, const struct msg *m)
{
    switch (m->type) {
    case MSG_SHARES:
    case MSG_LIST:
    case MSG_FETCH: files_on_request(link, m); break;
    case MSG_CANCEL:
        files_on_request(link, m);
        openings_on_request(link, m);
        connect_on_cancel(link, m);
        break;
    case MSG_FILE:
    case MSG_FILE_CLOSE:
    case MSG_INDEX:
    case MSG_PUT:
    case MSG_LITERALS:
    case MSG_GATHER:
    case MSG_COMMIT: openings_on_request(link, m); break;
    case MSG_PIPES: pipes_on_request(link, m); break;
    case MSG_RESERVE:
    case MSG_OFFER:
    case MSG_HANDLES:
    case MSG_USE:
    case MSG_NEXT:
    case MSG_BRIDGE: relay_on_request(link, m); break;
    case MSG_NEXT_OK: sessions_on_next(link, m); break;
    case MSG_ERROR:
    case MSG_JOIN_OK:
    case MSG_REGISTER_OK:
    case MSG_SHARES_OK:
    case MSG_LIST_OK:
    case MSG_FETCH_OK:
    case MSG_OPEN_OK:
    case MSG_CONNECT_OK:
    case MSG_PIPES_OK:
    case MSG_RESERVE_OK:
    case MSG_OFFER_OK:
    case MSG_HANDLES_OK:
    case MSG_USE_OK:
    case MSG_BRIDGE_OK:
    case MSG_FILE_OK:
    case MSG_INDEX_OK:
    case MSG_PUT_OK:
    case MSG_LITERALS_OK:
    case MSG_GATHER_OK:
    case MSG_COMMIT_OK:
    case MSG_PROGRESS: on_answer(link, m); break;
    default: on_pipe_message(link, m); break;
    }
}

/* Messages of a link that is up. */
static void on_message(struct link *link, const struct msg *m)
{
    if (!link_carries(link, m)) {
        link->core->refused_messages++;
        link_error(link, m->request, ERR_REFUSED, "a relay does not carry such a message");
        return;
    }
    switch (m->type) {
    case MSG_PING: {
        struct msg pong = {.type = MSG_PONG, .request = m->request, .ping = m->ping};
        link_send(link, &pong);
        break;
    }
    case MSG_PONG:
        on_pong(link, m);
        ask_on_answer(link, m);
        break;
    case MSG_RECORDS: gossip_on_records(link, m); break;
    case MSG_QUERY:
        if (bucket_take(&link->queries, link->heard_at))
            binding_on_query(link->core->binding, &link->peer->id, m);
        break;
    case MSG_ANSWER: binding_on_answer(link->core->binding, &link->peer->id, m); break;
    case MSG_REGISTER: registrar_on_register(link, m); break;
    case MSG_JOIN: trust_on_join(link, m); break;
    default: on_service_message(link, m); break;
    }
}

static void dispatch(struct link *link, const struct msg *m)
{
    if (m->type == MSG_BYE)
        on_bye(link, m);
    else if (m->type == MSG_HELLO && link->state.now == LINK_ACCEPTED)
        links_on_hello(link, m);
    else if (m->type == MSG_WELCOME && link->state.now == LINK_DIALLING)
        links_on_welcome(link, m);
    else if (link->state.now == LINK_UP)
        on_message(link, m);
    else
        link->strikes = LINK_STRIKES_MAX; /* nothing may be said before HELLO */
}

/* The peer is wrong: count it, answer when it can be answered, and part from one that keeps on. */
static void refuse(struct link *link, const struct msg *m, int err)
{
    link->core->refused_messages++;
    link->strikes++;
    log_write(link->core->log, LOG_DEBUG, "links", "message from %s refused: %s",
              link->peer ? id_short(&link->peer->id).s : "a stranger", err_text(err));
    if (err == ERR_UNSUPPORTED && link->state.now == LINK_UP) {
        link->strikes--;
        link_error(link, m->request, ERR_UNSUPPORTED, "this node does not know such a message");
    }
}

/* Is it one of the messages that flow in numbers? Told from its first bytes, so that too many cost no decoding. */
static bool flows(const uint8_t *bytes, size_t n)
{
    return n > 1 && bytes[0] >= 0x90 && bytes[0] <= 0x9f &&
           (bytes[1] == MSG_DATA || bytes[1] == MSG_ACK || bytes[1] == MSG_NEXT || bytes[1] == MSG_NEXT_OK ||
            (bytes[1] >= MSG_SPREAD && bytes[1] <= MSG_SPREAD_PRUNE));
}

void core_take(struct link *link, const void *bytes, size_t n)
{
    struct msg *m = &link->core->incoming;
    link->heard_at = core_now(link->core);
    link->bytes_in += n + LINK_OVERHEAD;
    int err = msg_decode(bytes, n, m);
    if (err)
        refuse(link, m, err);
    else
        dispatch(link, m);
}

void core_message(struct core *core, link_no no, const void *bytes, size_t n)
{
    struct link *link = link_find(core, no);
    if (!link)
        return;
    if (bucket_take(flows(bytes, n) ? &link->data : &link->messages, core_now(core)))
        core_take(link, bytes, n);
    else
        refuse(link, &core->incoming, ERR_LIMIT);
    link = link_find(core, no);
    if (link && link->strikes >= LINK_STRIKES_MAX)
        link_close(link, BYE_REFUSED);
}
