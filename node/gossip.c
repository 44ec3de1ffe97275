/* How a node and its peers stay in each other's knowledge: beacons, seeds, and records passed on over links.
 *
 * Discovery is a hint: what is heard here only says whom to dial, and CURVE then proves who answers. Work that a datagram can
 * cause is bounded: signature checks, replies and dials each have a budget. */
#include "beacon.h"
#include "core_internal.h"
#include "pipes.h"
#include "session.h"

#include <stdlib.h>
#include <string.h>

#define RECORD_LIFE_S RECORD_LIFE_MAX_S
#define RECORD_RENEWAL (RECORD_LIFE_S / 3 * SECOND)
#define SEED_WAIT_FIRST (SECOND / 2)
#define SEED_WAIT_MAX (30 * SECOND)

/* ---- our own record and beacon */

#define BEFORE_RELAYS 4 /* endpoints of ours that are named before them: when not all fit, the last ones are left out */

static void set_endpoints(struct core *core, struct record *r)
{
    struct endpoint own[RECORD_ENDPOINTS_MAX], relay[RELAYS_PER_NODE_MAX];
    size_t relays = reservations_endpoints(core, relay, RELAYS_PER_NODE_MAX), n = 0;
    size_t owned = core->port->endpoints(core->port->self, own, RECORD_ENDPOINTS_MAX);
    for (size_t i = 0; i < owned && i < BEFORE_RELAYS; i++)
        r->endpoint[n++] = own[i];
    for (size_t i = 0; i < relays; i++)
        r->endpoint[n++] = relay[i];
    for (size_t i = BEFORE_RELAYS; i < owned && n < RECORD_ENDPOINTS_MAX; i++)
        r->endpoint[n++] = own[i];
    r->endpoint_count = (uint8_t)n;
}

void gossip_renew_record(struct core *core)
{
    struct record *r = &core->record;
    memset(r, 0, sizeof *r);
    r->id = core->config.identity->id;
    memcpy(r->name, core->config.name, sizeof r->name);
    r->incarnation = core->config.incarnation;
    r->seq = ++core->beat; /* grows with the beat, so that record and beacon numbers never run against each other */
    r->roles = core->config.roles;
    r->life_s = RECORD_LIFE_S;
    core->renewed_at = core_now(core);
    set_endpoints(core, r);
    if (record_sign(r, core->config.identity, &core->signed_record) != 0)
        log_write(core->log, LOG_ERROR, "gossip", "our own record does not fit into %d bytes", RECORD_BYTES_MAX);
}

static void send_beacon(struct core *core, enum beacon_kind kind, const struct tag *nonce, const struct addr *to)
{
    uint8_t buf[BEACON_BYTES_MAX];
    size_t n;
    struct beacon b = {.kind = kind, .beat = ++core->beat, .record = core->signed_record};
    if (nonce)
        b.nonce = *nonce;
    if (beacon_sign(&b, core->config.identity, buf, sizeof buf, &n) == 0)
        core->port->datagram(core->port->self, to, buf, n);
}

void gossip_beacon_now(struct core *core)
{
    if (!core->config.no_beacon)
        send_beacon(core, BEACON_ALIVE, NULL, NULL);
}

/* The more nodes there are, the rarer are the beacons of each, so that all together send BEACONS_PER_S at the most; and the
 * longer a silent one counts as alive. All hear about the same others, so all come to about the same interval. */
static uint64_t beacon_interval(struct core *core, uint64_t now)
{
    uint64_t heard = 0;
    for (size_t i = 0; i < peers_count(core->peers); i++) {
        const struct peer *peer = peers_at(core->peers, i);
        heard += peer_alive(peer, now) && !peer->told;
    }
    uint64_t interval = heard * (SECOND / BEACONS_PER_S);
    if (interval < BEACON_INTERVAL)
        interval = BEACON_INTERVAL;
    peers_silence(core->peers, interval * (BEACON_SILENCE / SECOND) / (BEACON_INTERVAL / SECOND));
    return interval;
}

/* Nobody keeps a record for longer than it says, so ours must be made anew in time, and what others let lapse is forgotten. */
static void renew(struct core *core, uint64_t now)
{
    if (now - core->renewed_at < RECORD_RENEWAL)
        return;
    peers_forget(core->peers, now);
    core_endpoints_changed(core);
}

static void beacon_due(void *arg)
{
    struct core *core = arg;
    uint64_t now = core_now(core), interval = beacon_interval(core, now);
    uint64_t jitter;
    core_random(core, &jitter, sizeof jitter);
    renew(core, now);
    gossip_beacon_now(core);
    core_timer(core, &core->beacon_timer, interval - interval / 8 + jitter % (interval / 4));
}

/* ---- seeds: addresses given by a person, asked until somebody answers */

static void seed_probe(struct core *core, struct seed_state *s, uint64_t now)
{
    struct addr addr;
    s->wait = s->wait ? s->wait * 2 : SEED_WAIT_FIRST;
    if (s->wait > SEED_WAIT_MAX)
        s->wait = SEED_WAIT_MAX;
    s->next_at = now + s->wait;
    if (s->seed.id_known) {
        struct peer *peer;
        struct endpoint e = {.scope = 0};
        memcpy(e.text, s->seed.endpoint, sizeof e.text);
        if (endpoint_transport(e.text, &e.transport) == 0 && peers_add(core->peers, &s->seed.id, &peer) == 0 &&
            !peer->dialling && peer->connected == 0)
            race_start(core, peer, &e, 1, true, NULL, NULL);
    } else if (endpoint_addr(s->seed.endpoint, &addr) == 0) {
        core_random(core, s->nonce.b, TAG_BYTES);
        send_beacon(core, BEACON_PROBE, &s->nonce, &addr);
    }
}

static bool seed_satisfied(struct core *core, const struct seed_state *s)
{
    struct peer *peer = s->seed.id_known ? peers_find(core->peers, &s->seed.id) : NULL;
    return s->seed.id_known && peer && peer->connected > 0;
}

static void seeds_due(void *arg)
{
    struct core *core = arg;
    uint64_t now = core_now(core), next = TIMER_NEVER;
    for (size_t i = 0; i < core->seed_count; i++) {
        struct seed_state *s = &core->seeds[i];
        if (seed_satisfied(core, s)) {
            s->wait = 0;
            s->next_at = now + SEED_WAIT_MAX;
        } else if (s->next_at <= now) {
            seed_probe(core, s, now);
        }
        if (s->next_at < next)
            next = s->next_at;
    }
    if (next != TIMER_NEVER)
        core_timer(core, &core->seed_timer, next - now);
}

int core_add_seed(struct core *core, const struct seed *seed)
{
    if (core->seed_count >= SEEDS_MAX)
        return ERR_FULL;
    core->seeds[core->seed_count++] = (struct seed_state){.seed = *seed};
    if (core->started)
        core_timer(core, &core->seed_timer, 0);
    return 0;
}

/* A probe of ours was answered: the seed has an id now, and the address it answered from is one that works. */
static void seed_answered(struct core *core, const struct tag *nonce, struct peer *peer)
{
    for (size_t i = 0; i < core->seed_count; i++) {
        struct seed_state *s = &core->seeds[i];
        if (s->seed.id_known || !tag_equal(&s->nonce, nonce))
            continue;
        s->seed.id = peer->id;
        s->seed.id_known = true;
        s->next_at = core_now(core);
        core_timer(core, &core->seed_timer, 0);
    }
}

/* ---- datagrams */

static bool check_budget(void *arg)
{
    struct core *core = arg;
    return bucket_take(&core->checks, core_now(core));
}

void core_datagram(struct core *core, const struct addr *from, const void *bytes, size_t n)
{
    struct beacon beacon;
    struct peer *peer;
    enum peer_news news;
    uint64_t now = core_now(core);
    if (!core->started || core->stopping || receipts_datagram(core, bytes, n))
        return;
    int err = peers_take_beacon(core->peers, bytes, n, now, check_budget, core, &beacon, &peer, &news);
    if (err || !peer || news == PEER_NEWS_NONE) {
        core->refused_messages += err != 0;
        return;
    }
    if (beacon.kind == BEACON_PROBE && bucket_take(&core->replies, now))
        send_beacon(core, BEACON_REPLY, &beacon.nonce, from);
    if (beacon.kind == BEACON_REPLY)
        seed_answered(core, &beacon.nonce, peer);
    if (news == PEER_NEWS_RECORD) {
        links_renewed(core, peer);
        if (peer->trusted)
            peer_save(core, peer);
        struct row *row = peer_row_of(core, "peer", peer);
        row_text(row, "change", "seen");
        core_event(core, row);
    }
    if (news != PEER_NEWS_BYE && peer->connected == 0)
        links_consider(core);
}

/* ---- records over links */

static void send_records(struct link *link, struct peer *const *peers, size_t count)
{
    struct msg *m = calloc(1, sizeof *m);
    if (!m)
        return;
    m->type = MSG_RECORDS;
    for (size_t i = 0; i < count; i++) {
        m->records.record[m->records.count++] = peers[i]->signed_record;
        if (m->records.count == GOSSIP_RECORDS_MAX || i + 1 == count) {
            link_send(link, m);
            m->records.count = 0;
        }
    }
    free(m);
}

static size_t records_of(const struct link *link, const struct node_id *ids, size_t count, bool relays, struct peer **out)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        struct peer *peer = peers_find(link->core->peers, &ids[i]);
        if (peer && peer != link->peer && peer->has_record && ((peer->record.roles & ROLE_RELAY) != 0) == relays)
            out[n++] = peer;
    }
    return n;
}

/* A new link is told of the peers that we are linked to ourselves, those we know to be alive: first of relays, which everybody
 * should know. */
void gossip_link_up(struct link *link)
{
    struct core *core = link->core;
    struct node_id ids[GOSSIP_RECORDS_MAX];
    struct peer *known[GOSSIP_RECORDS_MAX];
    size_t n = records_of(link, ids, links_relays(core, ids, GOSSIP_RECORDS_MAX / 2), true, known);
    n += records_of(link, ids, links_peers(core, ids, GOSSIP_RECORDS_MAX - n), false, known + n);
    if (n > 0)
        send_records(link, known, n);
}

void gossip_fresh(struct core *core, struct peer *peer, const struct link *from)
{
    if (peer->passed)
        return;
    peer->passed = true;
    if (peer->trusted)
        peer_save(core, peer);
    struct node_id ids[LINKS_MAX];
    size_t count = links_peers(core, ids, LINKS_MAX), sent = 0;
    uint32_t start = 0;
    if (count > GOSSIP_FANOUT)
        core_random(core, &start, sizeof start);
    for (size_t i = 0; i < count && sent < GOSSIP_FANOUT; i++) {
        struct peer *to = peers_find(core->peers, &ids[(start + i) % count]);
        struct link *link = to && to != peer && !(from && from->peer == to) ? link_direct(to) : NULL;
        if (link) {
            send_records(link, &peer, 1);
            sent++;
        }
    }
}

/* May it be told of here? Through a relay nodes speak of themselves alone. */
static bool may_tell(const struct link *link, const struct record_bytes *bytes)
{
    struct record record;
    return !link->relayed || (record_decode(bytes, &record) == 0 && id_equal(&record.id, &link->peer->id));
}

void gossip_on_records(struct link *link, const struct msg *m)
{
    struct core *core = link->core;
    uint64_t now = core_now(core);
    for (size_t i = 0; i < m->records.count; i++) {
        struct peer *peer;
        enum peer_news news;
        if (!may_tell(link, &m->records.record[i])) {
            core->refused_messages++;
            continue;
        }
        if (!bucket_take(&link->records, now) || !bucket_take(&core->records, now))
            return; /* a peer that floods us with records is not worth a core; nor does it keep us from hearing beacons */
        if (peers_take_record(core->peers, &m->records.record[i], false, now, &peer, &news) != 0) {
            link->strikes++;
            continue;
        }
        if (peer && news == PEER_NEWS_RECORD) {
            if (peer == link->peer)
                link->incarnation = peer->incarnation; /* this very link proves it to be of that life */
            links_renewed(core, peer);
            peer_told(peer, now); /* a hint: worth one attempt to dial it */
            gossip_fresh(core, peer, link);
        }
    }
    links_consider(core);
}

/* ---- life */

void core_endpoints_changed(struct core *core)
{
    if (!core->started || core->stopping)
        return;
    gossip_renew_record(core);
    gossip_beacon_now(core);
    struct msg *m = calloc(1, sizeof *m);
    if (!m)
        return;
    m->type = MSG_RECORDS;
    m->records.count = 1;
    m->records.record[0] = core->signed_record;
    for (struct link *l = core->links; l; l = l->next)
        if (l->state.now == LINK_UP)
            link_send(l, m);
    free(m);
}

void gossip_init(struct core *core)
{
    timer_init(&core->beacon_timer, beacon_due, core);
    timer_init(&core->seed_timer, seeds_due, core);
}

void gossip_fini(struct core *core)
{
    core_cancel(core, &core->beacon_timer);
    core_cancel(core, &core->seed_timer);
}

void gossip_start(struct core *core)
{
    gossip_renew_record(core);
    core_timer(core, &core->beacon_timer, 0);
    core_timer(core, &core->seed_timer, 0);
}

void gossip_stop(struct core *core)
{
    gossip_fini(core);
    core_cancel(core, &core->dial_timer);
    if (!core->config.no_beacon)
        send_beacon(core, BEACON_BYE, NULL, NULL);
}
