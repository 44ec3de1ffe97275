/* Clients of a relay: their lines, their reservations, and what each of them may have. See relay_internal.h.
 *
 * Who uses a handle needs no reservation; who offers any does. A reservation is a peer's, not a link's: it outlives the loss of
 * the link, and ends when it is not renewed in time, when the client says so, or when the peer is not trusted any more.
 *
 * Invariants: (1) relay->client is in order of id; (2) a client without reservation has no offers and serves no sessions;
 * (3) a client that holds nothing is gone. */
#include "relay_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the table */

size_t relay_client_place(const struct relay *relay, const struct node_id *id)
{
    size_t low = 0, high = relay->client_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (id_compare(&relay->client[middle]->peer->id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct relay_client *relay_client_find(struct relay *relay, const struct node_id *id)
{
    size_t i = relay_client_place(relay, id);
    return i < relay->client_count && id_equal(&relay->client[i]->peer->id, id) ? relay->client[i] : NULL;
}

static void insert(struct relay *relay, struct relay_client *c)
{
    size_t i = relay_client_place(relay, &c->peer->id);
    memmove(&relay->client[i + 1], &relay->client[i], (relay->client_count - i) * sizeof(struct relay_client *));
    relay->client_count++;
    relay->client[i] = c;
}

/* ---- clients */

static void reservation_end(struct relay_client *c, const char *why);

static void lapsed(void *arg)
{
    reservation_end(arg, "was not renewed");
}

static struct relay_client *client_new(struct relay *relay, struct peer *peer)
{
    uint64_t now = core_now(relay->core);
    struct relay_client *c = relay->client_count < RELAY_RECORDS_MAX ? calloc(1, sizeof *c) : NULL;
    if (!c)
        return NULL;
    c->relay = relay;
    c->peer = peer;
    peer->busy++;
    c->number = ++relay->next_client;
    bucket_init(&c->uses, RELAY_USES_PER_S, RELAY_USES_BURST, now);
    bucket_init(&c->strange_uses, RELAY_USES_PER_S, RELAY_USES_BURST, now);
    timer_init(&c->lapse, lapsed, c);
    insert(relay, c);
    return c;
}

void relay_client_settle(struct relay_client *c)
{
    struct relay *relay = c->relay;
    if (c->lines || c->until || c->bridges + c->charged > 0)
        return;
    size_t i = relay_client_place(relay, &c->peer->id);
    relay->client_count--;
    memmove(&relay->client[i], &relay->client[i + 1], (relay->client_count - i) * sizeof(struct relay_client *));
    core_cancel(relay->core, &c->lapse);
    c->peer->busy--;
    free(c);
}

struct relay_label relay_label(const struct relay_client *c)
{
    struct relay_label label;
    peer_label(c->peer, label.s);
    return label;
}

/* ---- lines */

static struct relay_line **bucket_of(struct relay *relay, const struct link *link)
{
    return &relay->by_link[link->no % RELAY_BUCKETS];
}

struct relay_line *relay_line_of(const struct relay *relay, const struct link *link)
{
    struct relay_line *line = relay->by_link[link->no % RELAY_BUCKETS];
    while (line && line->link != link)
        line = line->same_bucket;
    return line;
}

static struct relay_line *line_new(struct relay_client *c, struct link *link)
{
    struct relay_line *line = calloc(1, sizeof *line);
    if (!line)
        return NULL;
    line->client = c;
    line->link = link;
    line->next = c->lines;
    c->lines = line;
    line->same_bucket = *bucket_of(c->relay, link);
    *bucket_of(c->relay, link) = line;
    relay_line_init(line);
    return line;
}

struct relay_line *relay_line_for(struct link *link)
{
    struct relay *relay = link->core->relay;
    struct relay_line *line = relay_line_of(relay, link);
    if (line)
        return line;
    struct relay_client *c = relay_client_find(relay, &link->peer->id);
    if (!c)
        c = client_new(relay, link->peer);
    line = c ? line_new(c, link) : NULL;
    if (c && !line)
        relay_client_settle(c);
    return line;
}

static void line_unlink(struct relay_line *line)
{
    struct relay_line **at = &line->client->lines;
    while (*at != line)
        at = &(*at)->next;
    *at = line->next;
}

void relay_line_first(struct relay_line *line)
{
    if (line->client->lines == line)
        return;
    line_unlink(line);
    line->next = line->client->lines;
    line->client->lines = line;
}

void relay_line_free(struct relay_line *line)
{
    struct relay_client *c = line->client;
    struct relay_line **at = bucket_of(c->relay, line->link);
    core_cancel(c->relay->core, &line->timer);
    line_unlink(line);
    while (*at != line)
        at = &(*at)->same_bucket;
    *at = line->same_bucket;
    free(line);
    relay_client_settle(c);
}

/* ---- reservations */

unsigned relay_sessions_allowed(const struct relay *relay)
{
    unsigned wanted = relay->core->config.quota.sessions;
    return wanted == 0 ? RELAY_SESSIONS_PER_CLIENT : wanted < RELAY_SESSIONS_MAX ? wanted : RELAY_SESSIONS_MAX;
}

bool relay_client_serves(const struct relay_client *c)
{
    return c->until != 0 && c->peer->trusted;
}

uint64_t relay_bytes_left(struct relay_client *c)
{
    uint64_t quota = c->relay->core->config.quota.bytes, now = core_now(c->relay->core);
    if (now - c->counted_from >= RELAY_LIFE_MAX_S * SECOND) {
        c->bytes = 0;
        c->counted_from = now;
    }
    if (quota == 0 || quota > INT64_MAX)
        return INT64_MAX;
    return c->bytes < quota ? quota - c->bytes : 0;
}

/* May free the client. */
static void reservation_end(struct relay_client *c, const char *why)
{
    log_write(c->relay->core->log, LOG_INFO, "relay", "the reservation of %s ended: it %s", relay_label(c).s, why);
    core_cancel(c->relay->core, &c->lapse);
    relay_offers_drop(c);
    relay_sessions_withdraw(c, NULL, ERR_STATE, "its holder has no reservation at this relay any more");
    c->until = 0;
    c->relay->reservations--;
    relay_client_settle(c);
}

void relay_trust(struct core *core, const struct peer *peer)
{
    struct relay_client *c = core->relay ? relay_client_find(core->relay, &peer->id) : NULL;
    if (c && c->until && !peer->trusted)
        reservation_end(c, "was for a peer that is trusted no more");
}

static int may_reserve(const struct relay_client *c, struct fault *fault)
{
    const struct relay *relay = c->relay;
    if (relay->draining)
        return fault_set(fault, ERR_STATE, "this relay is stopping; take another one");
    if (!c->peer->trusted)
        return fault_set(
            fault, ERR_REFUSED,
            "this relay carries sessions only to peers that it trusts: run 'weft invite' there and 'weft join' with "
            "its ticket here, or 'weft trust %s' there",
            relay_label(c).s);
    if (c->until == 0 && relay->reservations >= RELAY_CLIENTS_MAX)
        return fault_set(fault, ERR_FULL, "this relay has as many clients as it can; take another one");
    return 0;
}

static void reserve(struct relay_client *c, const struct msg_reserve *wanted, struct msg_reserve_ok *ok)
{
    struct core *core = c->relay->core;
    unsigned allowed = relay_sessions_allowed(c->relay);
    if (c->until == 0) {
        c->relay->reservations++;
        log_write(core->log, LOG_INFO, "relay", "%s has a reservation", relay_label(c).s);
    }
    ok->life_s = wanted->life_s < RELAY_LIFE_MAX_S ? wanted->life_s : RELAY_LIFE_MAX_S;
    ok->sessions = wanted->sessions > 0 && wanted->sessions < allowed ? wanted->sessions : allowed;
    ok->bytes = relay_bytes_left(c);
    ok->rate = core->config.quota.rate < INT64_MAX ? core->config.quota.rate : 0;
    ok->nexts = RELAY_NEXTS_MAX;
    c->granted = ok->sessions;
    c->until = core_now(core) + ok->life_s * SECOND;
    core_timer(core, &c->lapse, ok->life_s * SECOND);
}

void relay_on_reserve(struct relay_line *line, const struct msg *m)
{
    struct relay_client *c = line->client;
    struct msg *out = &c->relay->out;
    struct fault fault;
    if (m->reserve.life_s > 0 && may_reserve(c, &fault) != 0) {
        log_write(c->relay->core->log, LOG_DEBUG, "relay", "no reservation for %s: %s", relay_label(c).s,
                  err_text((int)fault.code));
        core_send_error(line->link, m->request, &fault);
        return;
    }
    out->type = MSG_RESERVE_OK;
    out->request = m->request;
    out->reserve_ok = (struct msg_reserve_ok){.nexts = RELAY_NEXTS_MAX};
    if (m->reserve.life_s > 0)
        reserve(c, &m->reserve, &out->reserve_ok);
    else if (c->until)
        reservation_end(c, "is not wanted any more"); /* the client stays: it has a line */
    relay_line_first(line);
    link_send(line->link, out);
}
