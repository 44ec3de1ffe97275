/* Trust: tickets, and the peers that were trusted by them or by their fingerprint.
 *
 * A ticket works once, for a stated time, and only in the life of the node that made it. Wrong ones are counted over all peers
 * together, so that reconnecting under other keys buys no more guesses; a right one is never turned away for the wrong ones. */
#include "core_internal.h"
#include "openings.h"
#include "pipes.h"
#include "relay.h"
#include "ticket.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define JOIN_TIMEOUT (8 * SECOND)

void peer_save(struct core *core, const struct peer *peer)
{
    struct peer_job *j = calloc(1, sizeof *j);
    if (!j)
        return;
    j->job = (struct job){.kind = JOB_PUT_PEER, .done = core_saved, .owner = core};
    j->row.id = peer->id;
    memcpy(j->row.name, peer->name, sizeof j->row.name);
    j->row.trust = peer->trusted ? TRUST_TRUSTED : TRUST_UNKNOWN;
    j->row.incarnation = peer->incarnation;
    j->row.seq = peer->seq;
    if (peer->has_record)
        j->row.record = peer->signed_record;
    core_job(core, &j->job);
}

void trust_set(struct core *core, struct peer *peer, bool trusted)
{
    peer->trusted = trusted;
    peers_pin(core->peers, peer);
    peer_save(core, peer);
    struct row *row = peer_row_of(core, "trust", peer);
    core_event(core, row);
    spread_trust(core, peer);
    relay_trust(core, peer);
    openings_share_changed(core, NULL);
    links_consider(core);
}

/* ---- inviting */

static struct ticket *ticket_slot(struct core *core, uint64_t now)
{
    struct ticket *oldest = &core->tickets[0];
    for (size_t i = 0; i < TICKETS_MAX; i++) {
        struct ticket *t = &core->tickets[i];
        if (!t->open || t->expires <= now)
            return t;
        if (t->expires < oldest->expires)
            oldest = t;
    }
    return oldest;
}

/* Where the other side may find us: addresses that are good from anywhere before loopback. */
static void ticket_addrs(struct core *core, struct ticket_text *out)
{
    for (int loopback = 0; loopback <= 1; loopback++)
        for (size_t i = 0; i < core->record.endpoint_count && out->addr_count < TICKET_ADDRS_MAX; i++) {
            struct addr a;
            if (core->record.endpoint[i].transport != TRANSPORT_TCP || endpoint_addr(core->record.endpoint[i].text, &a) != 0)
                continue;
            a.scope = 0;
            if (addr_is_loopback(&a) == (loopback == 1) && !addr_is_link_local(&a))
                out->addr[out->addr_count++] = a;
        }
}

void verb_invite(struct call *call, const struct row *request)
{
    struct core *core = call->core;
    int64_t life = row_get_int(request, "expire_s", 600);
    struct fault fault;
    if (life < 1 || life > TICKET_LIFE_MAX_S) {
        fault_set(&fault, ERR_USAGE, "a ticket may live from 1 second to %d hours, not %lld s", TICKET_LIFE_MAX_S / 3600,
                  (long long)life);
        call_fail(call, &fault);
        return;
    }
    uint64_t now = core_now(core);
    struct ticket *ticket = ticket_slot(core, now);
    core_random(core, ticket->secret, sizeof ticket->secret);
    ticket->id = ticket_id(ticket->secret);
    ticket->expires = now + (uint64_t)life * SECOND;
    ticket->open = true;

    struct ticket_text text = {.inviter = core->config.identity->id};
    char word[TICKET_TEXT];
    memcpy(text.secret, ticket->secret, sizeof text.secret);
    ticket_addrs(core, &text);
    ticket_write(&text, word);
    struct row *row = row_new("ticket");
    if (row) {
        row_text(row, "ticket", word);
        row_int(row, "expires_s", life);
    }
    sodium_memzero(&text, sizeof text);
    sodium_memzero(word, sizeof word);
    call_row(call, row);
    call_done(call, NULL);
}

static struct ticket *ticket_match(struct core *core, const struct msg_join *join, const struct node_id *from)
{
    uint64_t now = core_now(core);
    for (size_t i = 0; i < TICKETS_MAX; i++) {
        struct ticket *t = &core->tickets[i];
        uint8_t proof[TICKET_PROOF_BYTES];
        if (!t->open || t->expires <= now || sodium_memcmp(t->id.b, join->ticket.b, TAG_BYTES) != 0)
            continue;
        ticket_proof(t->secret, from, &core->config.identity->id, proof);
        if (sodium_memcmp(proof, join->proof, sizeof proof) == 0)
            return t;
    }
    return NULL;
}

void trust_on_join(struct link *link, const struct msg *m)
{
    struct core *core = link->core;
    struct ticket *ticket = ticket_match(core, &m->join, &link->peer->id);
    if (!ticket && !bucket_take(&core->wrong_tickets, core_now(core))) {
        link_close(link, BYE_REFUSED);
        return;
    }
    if (!ticket) {
        link_error(link, m->request, ERR_REFUSED,
                   "this ticket is not valid: it may be used up, expired, or mistyped; ask for a new one");
        return;
    }
    struct msg answer = {.type = MSG_JOIN_OK, .request = m->request, .join = {.ticket = m->join.ticket}};
    ticket_proof(ticket->secret, &core->config.identity->id, &link->peer->id, answer.join.proof);
    sodium_memzero(ticket, sizeof *ticket); /* it works once */
    trust_set(core, link->peer, true);
    link_send(link, &answer);
}

/* ---- joining */

struct join {
    struct call *call;
    struct ticket_text ticket;
    struct peer *peer;
};

static void join_free(struct join *j)
{
    struct core *core = j->call->core;
    race_cancel(core, j);
    ask_cancel(core, j);
    j->peer->busy--;
    sodium_memzero(j, sizeof *j);
    free(j);
}

static void join_cancel(struct call *call, int code)
{
    (void)code;
    join_free(call->work);
}

static void join_fail(struct join *j, const struct fault *fault)
{
    struct call *call = j->call;
    join_free(j);
    call_fail(call, fault);
}

static void join_answered(void *arg, const struct msg *m, const struct fault *fault)
{
    struct join *j = arg;
    struct call *call = j->call;
    struct core *core = call->core;
    uint8_t proof[TICKET_PROOF_BYTES];
    struct fault own;
    if (!m) {
        join_fail(j, fault);
        return;
    }
    ticket_proof(j->ticket.secret, &j->ticket.inviter, &core->config.identity->id, proof);
    if (sodium_memcmp(proof, m->join.proof, sizeof proof) != 0) {
        fault_set(&own, ERR_VERIFY, "the node at the ticket's address does not know the ticket's secret; it was not trusted");
        join_fail(j, &own);
        return;
    }
    trust_set(core, j->peer, true);
    struct row *row = peer_row_of(core, "peer", j->peer);
    join_free(j);
    call_row(call, row);
    call_done(call, NULL);
}

static void join_linked(void *arg, struct link *link, const struct fault *why)
{
    struct join *j = arg;
    struct core *core = j->call->core;
    struct fault fault;
    if (!link)
        link = link_to(core, j->peer);
    if (!link && why && why->code) {
        join_fail(j, why);
        return;
    }
    if (!link) {
        fault_set(&fault, ERR_UNREACHABLE,
                  "the node that made this ticket does not answer at its addresses; is it up, and in the same network?");
        join_fail(j, &fault);
        return;
    }
    struct msg m = {.type = MSG_JOIN};
    m.join.ticket = ticket_id(j->ticket.secret);
    ticket_proof(j->ticket.secret, &core->config.identity->id, &j->ticket.inviter, m.join.proof);
    int err = ask(link, &m, MSG_JOIN_OK, JOIN_TIMEOUT, join_answered, j);
    if (err) {
        fault_set(&fault, err, "the ticket could not be sent: %s", err_text(err));
        join_fail(j, &fault);
    }
}

/* The ticket's addresses, and what else we know of the inviter. */
static size_t join_endpoints(struct core *core, const struct join *j, struct endpoint out[PIPE_ENDPOINTS_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < j->ticket.addr_count; i++) {
        char text[ADDR_TEXT];
        out[n] = (struct endpoint){.transport = TRANSPORT_TCP};
        snprintf(out[n++].text, ENDPOINT_TEXT, "tcp://%s", addr_text(&j->ticket.addr[i], text));
    }
    for (size_t i = 0; j->peer->has_record && i < j->peer->record.endpoint_count && n < PIPE_ENDPOINTS_MAX; i++)
        if (endpoint_usable(core, &j->peer->id, &j->peer->record.endpoint[i]))
            out[n++] = j->peer->record.endpoint[i];
    return n;
}

void verb_join(struct call *call, const struct row *request)
{
    struct core *core = call->core;
    struct ticket_text ticket;
    struct fault fault;
    if (ticket_read(row_get_text(request, "ticket", ""), &ticket) != 0) {
        fault_set(&fault, ERR_USAGE, "this is no whole ticket: it is one word that begins with %s; was it cut or mistyped?",
                  TICKET_PREFIX);
        call_fail(call, &fault);
        return;
    }
    struct peer *peer;
    int err = peers_add(core->peers, &ticket.inviter, &peer);
    struct join *j = err ? NULL : calloc(1, sizeof *j);
    if (!j) {
        fault_set(&fault, err ? err : ERR_NOMEM,
                  err == ERR_USAGE ? "this ticket was made by this very node; use it on another one"
                                   : "the ticket cannot be used: %s",
                  err_text(err ? err : ERR_NOMEM));
        call_fail(call, &fault);
        return;
    }
    *j = (struct join){.call = call, .ticket = ticket, .peer = peer};
    peer->busy++;
    call->work = j;
    call->cancel = join_cancel;
    struct endpoint endpoint[PIPE_ENDPOINTS_MAX];
    if (link_to(core, peer))
        join_linked(j, link_to(core, peer), NULL);
    else if (race_start(core, peer, endpoint, join_endpoints(core, j, endpoint), true, join_linked, j) != 0)
        join_linked(j, NULL, NULL);
}

/* ---- trust by fingerprint */

static void change_trust(struct call *call, const struct row *request, bool trusted)
{
    struct core *core = call->core;
    struct peer *peer;
    struct fault fault;
    const char *name = row_get_text(request, "peer", "");
    struct node_id id;
    int err = id_parse(name, &id) == 0 ? peers_add(core->peers, &id, &peer) : core_peer(core, name, &peer, &fault);
    if (err && id_parse(name, &id) == 0)
        fault_set(&fault, err, err == ERR_USAGE ? "that is this node's own id" : "cannot note this peer: %s", err_text(err));
    if (err) {
        call_fail(call, &fault);
        return;
    }
    trust_set(core, peer, trusted);
    call_row(call, peer_row_of(core, "peer", peer));
    call_done(call, NULL);
}

void verb_trust(struct call *call, const struct row *request)
{
    change_trust(call, request, true);
}

void verb_untrust(struct call *call, const struct row *request)
{
    change_trust(call, request, false);
}
