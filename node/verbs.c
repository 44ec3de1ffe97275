/* The verbs that control clients call, and how a call begins and ends.
 *
 * A client has one call at a time. It ends with a row of kind "done" or "error"; a client that goes away, or sends "cancel",
 * ends its call's work. The short verbs are here; ls, get, share, the tickets and the pipes have files
 * of their own. */
#include "doctor.h"
#include "pipes.h"
#include "relay.h"
#include "remember.h"
#include "session.h"
#include "weft.h"

#include <stdlib.h>
#include <string.h>

/* ---- calls */

static void call_free(struct call *call)
{
    struct call **at = &call->core->calls;
    while (*at != call)
        at = &(*at)->next;
    *at = call->next;
    free(call);
}

void call_row(struct call *call, struct row *row)
{
    if (row)
        call->core->port->reply(call->core->port->self, call->client, row);
    row_free(row);
}

void call_done(struct call *call, struct row *extra)
{
    call_row(call, extra ? extra : row_new("done"));
    call_free(call);
}

void call_fail(struct call *call, const struct fault *fault)
{
    struct row *row = row_new("error");
    if (row) {
        row_text(row, "code", err_name((int)fault->code));
        row_text(row, "text", fault->text);
    }
    call_row(call, row);
    call_free(call);
}

void call_abort(struct call *call, const struct fault *fault)
{
    if (call->cancel)
        call->cancel(call, (int)fault->code);
    call_fail(call, fault);
}

static struct call *call_of(struct core *core, uint64_t client)
{
    for (struct call *c = core->calls; c; c = c->next)
        if (c->client == client)
            return c;
    return NULL;
}

void core_client_gone(struct core *core, uint64_t client)
{
    struct call *call = call_of(core, client);
    if (!call)
        return;
    if (call->cancel)
        call->cancel(call, ERR_CANCELLED);
    call_free(call);
}

/* ---- peers by name */

int core_peer(struct core *core, const char *name, struct peer **peer, struct fault *fault)
{
    if (strcmp(name, core->config.name) == 0)
        return fault_set(fault, ERR_USAGE, "%s is this node itself", name);
    int err = peers_lookup(core->peers, name, peer);
    if (err == ERR_REFUSED)
        return fault_set(fault, err,
                         "the node that calls itself %s has another key than the one known for that name; if that is right, "
                         "'weft untrust' the old one and 'weft trust' the new one by its id",
                         name);
    if (err)
        return fault_set(fault, err, "no peer '%s' is known here; 'weft peers' shows who is", name);
    return 0;
}

/* Where a link was dialled, and which way it goes. */
static void link_fields(struct row *row, const struct link *link)
{
    char route[ROUTE_TEXT];
    link_route(link, route);
    row_text(row, "route", route);
    if (link->inbound)
        return;
    row_text(row, "transport", transport_name(link->endpoint.transport));
    row_text(row, "endpoint", link->endpoint.text);
    row_text(row, "iface", link->endpoint.iface);
}

static const char *peer_state(struct core *core, const struct peer *peer)
{
    if (link_to(core, peer))
        return "linked";
    if (peer_impostor(peer))
        return "refused";
    return peer_alive(peer, core_now(core)) ? "seen" : "known";
}

struct row *peer_row_of(struct core *core, const char *kind, const struct peer *peer)
{
    char label[NAME_MAX_BYTES + 1];
    struct row *row = row_new(kind);
    if (!row)
        return NULL;
    const struct link *link = link_to(core, peer);
    peer_label(peer, label);
    row_text(row, "name", label);
    row_text(row, "id", id_text(&peer->id).s);
    row_text(row, "state", peer_state(core, peer));
    row_text(row, "trust", peer->trusted ? "trusted" : "unknown");
    if (link)
        link_fields(row, link);
    if ((!link || link->inbound) && peer->has_record && peer->record.endpoint_count > 0)
        row_text(row, "endpoint", peer->record.endpoint[0].text);
    if (peer->heard)
        row_int(row, "age_ms", (int64_t)((core_now(core) - peer->heard_at) / MILLISECOND));
    if (link && link->rtt)
        row_int(row, "rtt_us", (int64_t)(link->rtt / 1000));
    if (peer->has_record)
        row_int(row, "roles", peer->record.roles);
    if (peer_impostor(peer))
        row_text(row, "note", "its name belongs to another key");
    return row;
}

/* ---- status, peers, doctor, down */

static void verb_status(struct call *call, const struct row *request)
{
    (void)request;
    struct core *core = call->core;
    struct row *row = row_new("status");
    int64_t linked = 0, trusted = 0;
    struct pipe_counts pipes;
    pipes_count(core, &pipes);
    for (size_t i = 0; i < peers_count(core->peers); i++) {
        linked += link_to(core, peers_at(core->peers, i)) != NULL;
        trusted += peers_at(core->peers, i)->trusted;
    }
    if (row) {
        row_text(row, "name", core->config.name);
        row_text(row, "id", id_text(&core->config.identity->id).s);
        row_text(row, "version", WEFT_VERSION);
        row_int(row, "uptime_s", (int64_t)((core_now(core) - core->started_at) / SECOND));
        row_int(row, "peers", (int64_t)peers_count(core->peers));
        row_int(row, "linked", linked);
        row_int(row, "trusted", trusted);
        row_int(row, "links", core->link_count);
        row_int(row, "shares", (int64_t)core->share_count);
        row_int(row, "pipes", pipes.bound);
        row_int(row, "channels", pipes.channels);
        row_int(row, "transfers", core->transfers);
        relay_describe(core, row);
        spread_describe(core, row);
        remember_describe(core, row);
        row_int(row, "refused_messages", (int64_t)core->refused_messages);
        core->port->describe(core->port->self, row);
    }
    call_row(call, row);
    reservations_describe(call);
    sessions_describe(call);
    call_done(call, NULL);
}

static void verb_peers(struct call *call, const struct row *request)
{
    (void)request;
    for (size_t i = 0; i < peers_count(call->core->peers); i++)
        call_row(call, peer_row_of(call->core, "peer", peers_at(call->core->peers, i)));
    call_done(call, NULL);
}

static void verb_down(struct call *call, const struct row *request)
{
    (void)request;
    struct core *core = call->core;
    call_done(call, NULL);
    core->port->stop(core->port->self);
}

/* ---- ping and doctor PEER: both reach a pipe first */

struct probe {
    struct call *call;
    struct peer *peer;
    struct link *link;
    struct timer timer;
    int64_t count, sent;
    uint64_t asked_at;
    bool doctor;
};

static void probe_free(struct probe *p)
{
    struct core *core = p->call->core;
    core_cancel(core, &p->timer);
    reach_cancel(core, p);
    ask_cancel(core, p);
    p->peer->busy--;
    free(p);
}

static void probe_cancel(struct call *call, int code)
{
    (void)code;
    probe_free(call->work);
}

static void probe_end(struct probe *p, const struct fault *fault)
{
    struct call *call = p->call;
    bool doctor = p->doctor;
    probe_free(p);
    if (fault && doctor)
        doctor_not_reached(call, fault);
    if (fault && !doctor)
        call_fail(call, fault);
    else
        call_done(call, NULL);
}

static void send_ping(void *arg);

static void show_pong(const struct probe *p, int64_t rtt)
{
    struct row *row = row_new("pong");
    if (row) {
        row_int(row, "seq", p->sent);
        row_int(row, "rtt_us", rtt);
        if (p->link->inbound)
            row_text(row, "transport", "inbound");
        link_fields(row, p->link);
    }
    call_row(p->call, row);
}

static void ponged(void *arg, const struct msg *m, const struct fault *fault)
{
    struct probe *p = arg;
    struct core *core = p->call->core;
    if (!m) {
        probe_end(p, fault);
        return;
    }
    int64_t rtt = (int64_t)((core_now(core) - p->asked_at) / 1000);
    if (p->doctor)
        doctor_reached(p->call, p->link, (uint64_t)rtt);
    else
        show_pong(p, rtt);
    if (p->sent >= p->count)
        probe_end(p, NULL);
    else
        core_timer(core, &p->timer, SECOND);
}

static void send_ping(void *arg)
{
    struct probe *p = arg;
    struct core *core = p->call->core;
    struct msg m = {.type = MSG_PING};
    struct fault fault;
    p->asked_at = core_now(core);
    m.ping.nonce = (uint64_t)++p->sent;
    p->link = link_to(core, p->peer);
    int err = p->link ? ask(p->link, &m, MSG_PONG, 5 * SECOND, ponged, p) : ERR_UNREACHABLE;
    if (err) {
        char label[NAME_MAX_BYTES + 1];
        peer_label(p->peer, label);
        fault_set(&fault, err, "the link to %s is gone; is it still up?", label);
        probe_end(p, &fault);
    }
}

static void probe_reached(void *arg, const struct reached *r)
{
    struct probe *p = arg;
    if (!r->link)
        probe_end(p, &r->fault);
    else
        send_ping(p);
}

/* Takes a filled probe by value; the call goes on until the peer's pipe is reached. */
static void probe_start(struct call *call, const char *peer_name, const struct probe *template)
{
    struct fault fault;
    struct peer *peer;
    if (core_peer(call->core, peer_name, &peer, &fault) != 0) {
        call_fail(call, &fault);
        return;
    }
    struct probe *p = malloc(sizeof *p);
    if (!p || reach(call->core, peer, "files", TRANSPORT_ANY, probe_reached, p) != 0) {
        free(p);
        fault_set(&fault, ERR_NOMEM, "out of memory");
        call_fail(call, &fault);
        return;
    }
    *p = *template;
    p->call = call;
    p->peer = peer;
    peer->busy++;
    timer_init(&p->timer, send_ping, p);
    call->work = p;
    call->cancel = probe_cancel;
}

void verb_ping(struct call *call, const struct row *request)
{
    struct probe p = {.count = row_get_int(request, "count", 1)};
    if (p.count < 1)
        p.count = 1;
    probe_start(call, row_get_text(request, "peer", ""), &p);
}

static void verb_doctor(struct call *call, const struct row *request)
{
    const char *peer = row_get_text(request, "peer", NULL);
    struct probe p = {.doctor = true, .count = 1};
    call->core->port->check(call->core->port->self, call->client);
    doctor_peers(call);
    doctor_relays(call);
    if (peer)
        probe_start(call, peer, &p);
    else
        call_done(call, NULL);
}

/* ---- requests */

static const struct {
    const char *name;
    verb_start *start;
} verbs[] = {
    {"status", verb_status},
    {"peers", verb_peers},
    {"down", verb_down},
    {"doctor", verb_doctor},
    {"ping", verb_ping},
    {"invite", verb_invite},
    {"join", verb_join},
    {"trust", verb_trust},
    {"share", verb_share},
    {"untrust", verb_untrust},
    {"ls", verb_ls},
    {"get", verb_get},
    {"put", verb_put},
    {"forget", verb_forget},
    {"unshare", verb_unshare},
    {"pipe-resolve", verb_pipe_resolve},
    {"pipe-connect", verb_pipe_connect},
    {"pipe-listen", verb_pipe_listen},
    {"pipe-send", verb_pipe_send},
    {"pipe-ls", verb_pipe_ls},
};

static void begin(struct core *core, uint64_t client, const struct row *row, verb_start *start)
{
    struct call *call = calloc(1, sizeof *call);
    if (!call)
        return;
    call->core = core;
    call->client = client;
    call->next = core->calls;
    core->calls = call;
    struct fault fault;
    bool late = core->stopping && start != verb_down && start != verb_status;
    if (start && !late) {
        start(call, row);
        return;
    }
    if (late)
        fault_set(&fault, ERR_STATE, "the node is stopping");
    else
        fault_set(&fault, ERR_UNSUPPORTED,
                  "this node does not know the request '%s'; are program and node of different versions?", row_kind(row));
    call_fail(call, &fault);
}

void core_request(struct core *core, uint64_t client, const struct row *row)
{
    struct call *running = call_of(core, client);
    struct fault fault;
    if (strcmp(row_kind(row), "cancel") == 0) {
        fault_set(&fault, ERR_CANCELLED, "stopped; the same command goes on where this one ended");
        if (running)
            call_abort(running, &fault);
        return;
    }
    if (running && running->feed)
        running->feed(running, row);
    if (running)
        return; /* one at a time: the client broke the rule, and waits for what it asked first */
    verb_start *start = NULL;
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(verbs[i].name, row_kind(row)) == 0)
            start = verbs[i].start;
    begin(core, client, row, start);
}
