/* Links: who is at the far end? Making them is for dial.c and company.c, choosing one for ways.c, watching them for pulse.c.
 *
 * A link is dialled (we know whom we want: CURVE proves the key that its id yields) or accepted (CURVE proved a key; HELLO
 * brings a record whose id must yield that key). Both ends then know each other's record. A session through a relay
 * (session.h) carries a link as a connection does; there noise proves the keys. Invariants: (1) link->peer of a link that is up
 * is the node whose key was proved; (2) peer->busy counts its links and races; (3) every link that is not up has a
 * deadline; (4) link->session is NULL from when its session has ended. */
#include "connect.h"
#include "core_internal.h"
#include "openings.h"
#include "pipes.h"
#include "relay.h"
#include "session.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const char *const link_names[] = {"dialling", "accepted", "up"};
static const uint32_t link_moves[] = {STATE_BIT(LINK_UP), STATE_BIT(LINK_UP), 0};
static const struct state_table link_table = {.what = "link", .names = link_names, .allowed = link_moves, .count = LINK_STATES};

/* ---- finding */

static struct link **bucket_of(struct core *core, link_no no)
{
    return &core->by_number[(no ^ (no & LINK_INBOUND ? LINK_BUCKETS / 2 : 0)) % LINK_BUCKETS];
}

struct link *link_find(struct core *core, link_no no)
{
    struct link *l = *bucket_of(core, no);
    while (l && l->no != no)
        l = l->same_bucket;
    return l;
}

/* ---- sending */

int link_send(struct link *link, const struct msg *m)
{
    struct core *core = link->core;
    size_t n;
    int err = msg_encode(m, core->outgoing, sizeof core->outgoing, &n);
    if (err)
        return err;
    err = link_carry(link, core->outgoing, n);
    if (!err)
        link->bytes_out += n + LINK_OVERHEAD;
    return err;
}

bool link_may_flow(struct link *link)
{
    return bucket_take(&link->pace, core_now(link->core));
}

void link_error(struct link *link, uint64_t request, int code, const char *text)
{
    struct msg *m = request ? calloc(1, sizeof *m) : NULL;
    if (!m)
        return;
    m->type = MSG_ERROR;
    m->request = request;
    m->error.code = (enum err)code;
    strncpy(m->error.text, text, sizeof m->error.text - 1);
    while (m->error.text[0] && !utf8_valid(m->error.text, strlen(m->error.text)))
        m->error.text[strlen(m->error.text) - 1] = '\0'; /* cut in the middle of a character */
    link_send(link, m);
    free(m);
}

void core_send_error(struct link *link, uint64_t request, const struct fault *fault)
{
    link_error(link, request, (int)fault->code, fault->text);
}

int link_hello(struct link *link, enum msg_type type, uint64_t request)
{
    struct msg *m = calloc(1, sizeof *m);
    if (!m)
        return ERR_NOMEM;
    m->type = type;
    m->request = request;
    m->hello.version = PROTOCOL_VERSION;
    m->hello.features = FEATURES_KNOWN;
    m->hello.record = link->core->signed_record;
    int err = link_send(link, m);
    free(m);
    return err;
}

static void send_bye(struct link *link, enum bye_reason reason)
{
    struct msg m = {.type = MSG_BYE, .bye = {.reason = reason}};
    link_send(link, &m);
}

/* ---- opening and closing */

/* Is there room for one more? The last LINKS_RESERVED are for peers that are trusted, however many keys others have. */
static bool has_room(const struct core *core, bool trusted)
{
    unsigned strangers = 0;
    if (trusted || core->link_count < LINKS_MAX - LINKS_RESERVED)
        return core->link_count < LINKS_MAX;
    for (const struct link *l = core->links; l; l = l->next)
        strangers += !l->peer || !l->peer->trusted;
    return core->link_count < LINKS_MAX && strangers < LINKS_MAX - LINKS_RESERVED;
}

static void link_belongs(struct link *link, struct peer *peer)
{
    link->peer = peer;
    link->same_peer = peer->links;
    peer->links = link;
    peer->busy++;
}

struct link *link_new(struct core *core, link_no no, struct peer *peer, bool trusted)
{
    struct link *link = has_room(core, trusted) ? calloc(1, sizeof *link) : NULL;
    if (!link)
        return NULL;
    link->core = core;
    link->no = no;
    link->opened_at = link->heard_at = link->used_at = core_now(core);
    state_init(&link->state, &link_table, LINK_DIALLING);
    bucket_init(&link->messages, LINK_MESSAGES_PER_S, 2 * LINK_MESSAGES_PER_S, link->opened_at);
    bucket_init(&link->pace, LINK_DATA_PER_S * 3.0 / 4, LINK_DATA_PER_S, link->opened_at);
    bucket_init(&link->data, LINK_DATA_PER_S, 2 * LINK_DATA_PER_S, link->opened_at);
    bucket_init(&link->spread, SPREAD_CHECKS_PER_S, 2 * SPREAD_CHECKS_PER_S, link->opened_at);
    bucket_init(&link->records, LINK_RECORDS_PER_S, 4 * GOSSIP_RECORDS_MAX, link->opened_at);
    bucket_init(&link->queries, LINK_QUERIES_PER_S, 2 * LINK_QUERIES_PER_S, link->opened_at);
    if (peer)
        link_belongs(link, peer);
    link->next = core->links;
    core->links = link;
    link->same_bucket = *bucket_of(core, no);
    *bucket_of(core, no) = link;
    core->link_count++;
    links_watch(core);
    return link;
}

void link_free(struct link *link)
{
    struct core *core = link->core;
    struct link **at = &core->links;
    while (*at != link)
        at = &(*at)->next;
    *at = link->next;
    for (at = bucket_of(core, link->no); *at != link;)
        at = &(*at)->same_bucket;
    *at = link->same_bucket;
    core->link_count--;
    if (link->peer) {
        for (at = &link->peer->links; *at != link;)
            at = &(*at)->same_peer;
        *at = link->same_peer;
        link->peer->busy--;
        link->peer->up -= link->state.now == LINK_UP;
        link->peer->connected -= link->state.now == LINK_UP && !link->relayed;
    }
    free(link);
}

static void announce(struct core *core, const struct peer *peer, const char *state)
{
    struct row *row = peer_row_of(core, "peer", peer);
    row_text(row, "change", state);
    core_event(core, row);
}

/* A peer that was up has lost a link. */
static void peer_lost_link(struct core *core, struct peer *peer, bool relayed)
{
    bool parted = !relayed && peer->connected == 0;
    if (parted)
        peer_lost(peer, core_now(core));
    if (peer->up == 0 && !core->stopping)
        announce(core, peer, "down");
    if (parted && !core->stopping) {
        registrar_link_changed(core, peer);
        links_consider(core);
    }
}

/* The link is no more, for whatever reason: requests on it fail, its race loses a runner, its peer may be dialled again. */
static void link_ended(struct link *link)
{
    struct core *core = link->core;
    struct peer *peer = link->peer;
    bool was_up = link->state.now == LINK_UP, relayed = link->relayed;
    struct race *race = link->race;
    ask_link_lost(core, link);
    files_link_lost(core, link);
    openings_link_lost(core, link);
    spread_link_lost(core, link);
    connect_link_lost(core, link);
    relay_link_lost(core, link);
    sessions_link_lost(core, link);
    channel_out_link_lost(core, link);
    channel_in_link_lost(core, link);
    link_free(link);
    if (race)
        race_lost_runner(race, relayed);
    if (was_up)
        peer_lost_link(core, peer, relayed);
}

void link_close(struct link *link, enum bye_reason reason)
{
    if (link->state.now == LINK_UP || link->state.now == LINK_ACCEPTED)
        send_bye(link, reason);
    link_drop(link);
    link_ended(link);
}

/* Those that are carried by sessions first, while there is something to say goodbye through. */
void links_close_all(struct core *core, enum bye_reason reason)
{
    struct link *l = core->links;
    while (l) {
        bool relayed = l->relayed;
        if (relayed)
            link_close(l, reason);
        l = relayed ? core->links : l->next;
    }
    while (core->links)
        link_close(core->links, reason);
}

static struct link *outlived(const struct peer *peer)
{
    for (struct link *l = peer->links; l; l = l->same_peer)
        if (l->state.now == LINK_UP && l->incarnation < peer->incarnation)
            return l;
    return NULL;
}

bool links_close_outlived(struct core *core, const struct peer *peer)
{
    bool any = outlived(peer) != NULL;
    (void)core;
    while (outlived(peer))
        link_close(outlived(peer), BYE_DUPLICATE);
    return any;
}

void core_link_lost(struct core *core, link_no no)
{
    struct link *link = link_find(core, no);
    if (link)
        link_ended(link);
}

/* Inbound links of one key, greeted or not: it must not fill the table. Of sessions it may want one for each share. */
static bool has_too_many(const struct core *core, const uint8_t curve[CURVE_KEY_BYTES], bool relayed)
{
    unsigned count = 0;
    for (const struct link *l = core->links; l; l = l->next)
        count += l->inbound && l->relayed == relayed && memcmp(l->curve, curve, CURVE_KEY_BYTES) == 0;
    return count >= (relayed ? RELAY_SESSIONS_PER_CLIENT : 2 * LINKS_PER_PEER_MAX);
}

/* Is it the key of a peer that is trusted? */
static bool is_trusted(struct core *core, const uint8_t curve[CURVE_KEY_BYTES])
{
    for (size_t i = 0; i < peers_count(core->peers); i++) {
        struct peer *peer = peers_at(core->peers, i);
        if (peer->trusted && peer_has_key(peer, curve))
            return true;
    }
    return false;
}

static struct link *accept_link(struct core *core, link_no no, const uint8_t curve[CURVE_KEY_BYTES], bool relayed)
{
    bool refused = core->stopping || has_too_many(core, curve, relayed);
    bool trusted = !refused && !has_room(core, false) && is_trusted(core, curve);
    struct link *link = refused ? NULL : link_new(core, no, NULL, trusted);
    if (!link)
        return NULL;
    link->inbound = true;
    link->relayed = relayed;
    state_init(&link->state, &link_table, LINK_ACCEPTED);
    memcpy(link->curve, curve, CURVE_KEY_BYTES);
    return link;
}

void core_accepted(struct core *core, link_no no, const uint8_t curve[CURVE_KEY_BYTES])
{
    if (!accept_link(core, no, curve, false))
        core->port->hangup(core->port->self, no);
}

/* ---- carried by sessions */

struct link *link_of_session(struct core *core, struct session *s, const uint8_t curve[CURVE_KEY_BYTES])
{
    struct link *link = accept_link(core, ++core->next_link, curve, true);
    if (!link)
        return NULL;
    link->session = s;
    link->handle = *session_handle(s);
    return link;
}

void link_session_up(struct link *link)
{
    if (link_hello(link, MSG_HELLO, 0) != 0)
        log_write(link->core->log, LOG_DEBUG, "links", "HELLO could not be queued in a session");
}

void link_session_ended(struct link *link, const struct fault *fault)
{
    link->session = NULL;
    if (link->race)
        race_refused(link->race, fault);
    link_ended(link);
}

/* ---- shaking hands */

/* Is the record of a HELLO or WELCOME that of the node whose key CURVE proved? */
static bool record_is_theirs(const struct link *link, const struct record *record)
{
    uint8_t curve[CURVE_KEY_BYTES];
    if (!link->inbound)
        return id_equal(&record->id, &link->peer->id);
    return id_curve_key(&record->id, curve) == 0 && sodium_memcmp(curve, link->curve, sizeof curve) == 0;
}

/* Takes the record of a HELLO or WELCOME, which counts as a sign of life: so not before it is known to be theirs. The peer,
 * or NULL when the link is not to be. */
static struct peer *greeted(struct link *link, const struct msg_hello *hello)
{
    struct core *core = link->core;
    struct record record;
    struct peer *peer;
    enum peer_news news;
    if (record_decode(&hello->record, &record) != 0 || !record_is_theirs(link, &record))
        return NULL;
    if (peers_take_record(core->peers, &hello->record, true, core_now(core), &peer, &news) != 0 || !peer)
        return NULL;
    link->incarnation = peer->incarnation;
    return peer;
}

static bool impostor_refused(struct link *link, struct peer *peer)
{
    if (!peer_impostor(peer))
        return false;
    struct row *row = peer->warned ? NULL : row_new("warning");
    peer->warned = true;
    if (row) {
        char text[FAULT_TEXT];
        snprintf(text, sizeof text, "a node calls itself %s, but its key is not the one known for that name; it is refused",
                 peer->record.name);
        log_write(link->core->log, LOG_WARN, "links", "%s", text);
        row_text(row, "text", text);
        row_text(row, "name", peer->record.name);
        row_text(row, "id", id_text(&peer->id).s);
    }
    core_event(link->core, row);
    return true;
}

/* What goes over connections alone. */
static void connection_is_up(struct link *link)
{
    gossip_link_up(link);
    spread_link_up(link);
    if (link->peer->connected == 1)
        registrar_link_changed(link->core, link->peer);
    sessions_link_up(link);
}

static void link_is_up(struct link *link)
{
    struct core *core = link->core;
    struct peer *peer = link->peer;
    bool first = peer->up == 0;
    state_move(&link->state, LINK_UP, core->log);
    peer->up++;
    peer->connected += !link->relayed;
    link->heard_at = core_now(core);
    bool later_life = links_close_outlived(core, peer);
    if (first)
        announce(core, peer, "up");
    if (first || later_life)
        gossip_fresh(core, peer, link);
    if (!link->relayed)
        connection_is_up(link);
    reach_link_up(core, peer);
    if (peer->up > peer->connected)
        upgrades_consider(core);
}

void links_on_hello(struct link *link, const struct msg *m)
{
    struct peer *peer = link->state.now == LINK_ACCEPTED ? greeted(link, &m->hello) : NULL;
    if (!peer || m->hello.version != PROTOCOL_VERSION || impostor_refused(link, peer)) {
        link_close(link, BYE_REFUSED);
        return;
    }
    link_belongs(link, peer);
    if (link_hello(link, MSG_WELCOME, m->request) != 0) {
        link_close(link, BYE_FULL);
        return;
    }
    link_is_up(link);
}

/* Of two links between the same peers, each for company only, the one that the lower id dialled stays. */
static bool second_link(const struct link *link)
{
    return link->plain && link->peer->connected > 1 && id_compare(&link->core->config.identity->id, &link->peer->id) > 0;
}

void links_on_welcome(struct link *link, const struct msg *m)
{
    if (link->state.now != LINK_DIALLING)
        return;
    struct peer *peer = greeted(link, &m->hello);
    if (!peer || m->hello.version != PROTOCOL_VERSION || impostor_refused(link, peer)) {
        link_drop(link);
        link_ended(link);
        return;
    }
    struct race *race = link->race;
    link->race = NULL;
    link_is_up(link);
    if (race)
        race_won(race, link);
    if (second_link(link))
        link_close(link, BYE_DUPLICATE);
}
