/* The table of known peers. See peers.h for what holds at all times. */
#include "peers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BUCKETS 1024

struct peers {
    struct node_id self;
    struct peer **peer; /* by id */
    size_t count, cap;
    uint64_t silence;
    struct peer *named[NAME_BUCKETS];
};

int peers_new(const struct node_id *self, struct peers **peers)
{
    *peers = calloc(1, sizeof **peers);
    if (!*peers)
        return ERR_NOMEM;
    (*peers)->self = *self;
    (*peers)->silence = BEACON_SILENCE;
    return 0;
}

void peers_free(struct peers *peers)
{
    if (!peers)
        return;
    for (size_t i = 0; i < peers->count; i++)
        free(peers->peer[i]);
    free(peers->peer);
    free(peers);
}

size_t peers_count(const struct peers *peers)
{
    return peers->count;
}

struct peer *peers_at(struct peers *peers, size_t i)
{
    return peers->peer[i];
}

/* Where `id` stands, or would stand. */
static size_t place_of(const struct peers *peers, const struct node_id *id)
{
    size_t low = 0, high = peers->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (id_compare(&peers->peer[mid]->id, id) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct peer *peers_find(struct peers *peers, const struct node_id *id)
{
    size_t at = place_of(peers, id);
    return at < peers->count && id_equal(&peers->peer[at]->id, id) ? peers->peer[at] : NULL;
}

void peers_drop(struct peers *peers, struct peer *peer)
{
    size_t at = place_of(peers, &peer->id);
    peers_name(peers, peer, "");
    memmove(&peers->peer[at], &peers->peer[at + 1], (peers->count - at - 1) * sizeof *peers->peer);
    peers->count--;
    free(peer);
}

/* Drops the untrusted, idle peer that was heard longest ago. */
static int make_room(struct peers *peers)
{
    struct peer *oldest = NULL;
    for (size_t i = 0; i < peers->count; i++) {
        struct peer *p = peers->peer[i];
        if (!p->trusted && p->busy == 0 && (!oldest || p->heard_at < oldest->heard_at))
            oldest = p;
    }
    if (!oldest)
        return ERR_FULL;
    peers_drop(peers, oldest);
    return 0;
}

static int grow(struct peers *peers)
{
    if (peers->count < peers->cap)
        return 0;
    size_t cap = peers->cap ? peers->cap * 2 : 16;
    struct peer **more = realloc(peers->peer, cap * sizeof *more);
    if (!more)
        return ERR_NOMEM;
    peers->peer = more;
    peers->cap = cap;
    return 0;
}

int peers_add(struct peers *peers, const struct node_id *id, struct peer **out)
{
    if (id_equal(id, &peers->self))
        return ERR_USAGE;
    *out = peers_find(peers, id);
    if (*out)
        return 0;
    int err = peers->count >= PEERS_MAX ? make_room(peers) : 0;
    if (!err)
        err = grow(peers);
    if (err)
        return err;
    struct peer *peer = calloc(1, sizeof *peer);
    if (!peer)
        return ERR_NOMEM;
    peer->of = peers;
    peer->id = *id;
    size_t at = place_of(peers, id);
    memmove(&peers->peer[at + 1], &peers->peer[at], (peers->count - at) * sizeof *peers->peer);
    peers->peer[at] = peer;
    peers->count++;
    *out = peer;
    return 0;
}

/* ---- names */

static struct peer **bucket_of(struct peers *peers, const char *name)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 16777619u;
    return &peers->named[hash % NAME_BUCKETS];
}

static struct peer *holder_of(struct peers *peers, const char *name)
{
    struct peer *peer = *bucket_of(peers, name);
    while (peer && strcmp(peer->name, name) != 0)
        peer = peer->same_name;
    return peer;
}

void peers_name(struct peers *peers, struct peer *peer, const char *name)
{
    struct peer **at = bucket_of(peers, peer->name);
    while (peer->name[0] != '\0' && *at != peer)
        at = &(*at)->same_name;
    if (peer->name[0] != '\0')
        *at = peer->same_name;
    size_t n = strnlen(name, NAME_MAX_BYTES);
    memmove(peer->name, name, n);
    peer->name[n] = '\0';
    if (n == 0)
        return;
    at = bucket_of(peers, peer->name);
    peer->same_name = *at;
    *at = peer;
}

void peers_pin(struct peers *peers, struct peer *peer)
{
    if (!peer->has_record || strcmp(peer->name, peer->record.name) == 0)
        return;
    struct peer *holder = holder_of(peers, peer->record.name);
    if (holder && (holder->trusted || !peer->trusted))
        return; /* the name stays with the key that had it first; a peer that was renamed keeps its old one */
    if (holder)
        peers_name(peers, holder, "");
    peers_name(peers, peer, peer->record.name);
}

bool peer_impostor(const struct peer *peer)
{
    return peer->has_record && peer->name[0] == '\0' && !peer->trusted;
}

void peer_label(const struct peer *peer, char out[NAME_MAX_BYTES + 1])
{
    if (peer->name[0] != '\0')
        memcpy(out, peer->name, sizeof peer->name);
    else
        memcpy(out, id_short(&peer->id).s, NODE_ID_SHORT + 1);
}

static int lookup_id(struct peers *peers, const char *text, struct peer **out)
{
    size_t n = strlen(text), hits = 0;
    if (n < 6 || n > NODE_ID_TEXT)
        return ERR_NOT_FOUND;
    for (size_t i = 0; i < peers->count; i++)
        if (strncmp(id_text(&peers->peer[i]->id).s, text, n) == 0) {
            *out = peers->peer[i];
            hits++;
        }
    return hits == 1 ? 0 : ERR_NOT_FOUND;
}

int peers_lookup(struct peers *peers, const char *text, struct peer **out)
{
    *out = text[0] != '\0' ? holder_of(peers, text) : NULL;
    if (*out)
        return 0;
    if (lookup_id(peers, text, out) == 0)
        return 0;
    for (size_t i = 0; i < peers->count; i++)
        if (peers->peer[i]->has_record && strcmp(peers->peer[i]->record.name, text) == 0)
            return ERR_REFUSED;
    return ERR_NOT_FOUND;
}

/* ---- records and beacons */

/* The record is verified and newer: it becomes the peer's. */
static void accept_record(struct peers *peers, struct peer *peer, const struct record *record, const struct record_bytes *bytes)
{
    if (record->incarnation > peer->incarnation)
        peer->beat = 0;
    peer->record = *record;
    peer->signed_record = *bytes;
    peer->has_record = true;
    peer->passed = false;
    peer->incarnation = record->incarnation;
    peer->seq = record->seq;
    peers_pin(peers, peer);
}

/* Is this record newer than any seen of this peer, or the very first after a restart? */
static bool is_news(const struct peer *peer, const struct record *record)
{
    struct record seen = {.incarnation = peer->incarnation, .seq = peer->seq};
    int order = record_compare(record, &seen);
    return order > 0 || (order == 0 && !peer->has_record);
}

void peer_heard(struct peer *peer, uint64_t now)
{
    if (!peer_alive(peer, now)) {
        peer->dial_wait = 0;
        peer->dial_after = peer->damped_until;
    }
    peer->heard = true;
    peer->heard_at = now;
    peer->told = false;
    peer->gone = false;
}

void peer_told(struct peer *peer, uint64_t now)
{
    bool told = peer->told || !peer_alive(peer, now);
    peer_heard(peer, now);
    peer->told = told;
}

int peers_take_record(struct peers *peers, const struct record_bytes *bytes, bool from_link, uint64_t now, struct peer **out,
                      enum peer_news *news)
{
    struct record record;
    *out = NULL;
    *news = PEER_NEWS_NONE;
    int err = record_decode(bytes, &record);
    if (err || id_equal(&record.id, &peers->self))
        return err;

    struct peer *peer = peers_find(peers, &record.id);
    bool fresh = !peer || is_news(peer, &record);
    if (fresh)
        err = record_verify(bytes, &record);
    if (!err && !peer)
        err = peers_add(peers, &record.id, &peer);
    if (err)
        return err;
    if (fresh) {
        accept_record(peers, peer, &record, bytes);
        *news = PEER_NEWS_RECORD;
    }
    if (from_link) {
        peer_heard(peer, now);
        if (*news == PEER_NEWS_NONE)
            *news = PEER_NEWS_ALIVE;
    }
    *out = peer;
    return 0;
}

/* A beacon counts when it is from a later life, or a later beat of the same one. Of a peer that we are linked to only a new
 * record or a goodbye counts: the link proves it alive better, and a LAN full of beacons then costs no signature checks. */
static bool beacon_is_news(const struct peer *peer, const struct beacon *beacon, const struct record *record)
{
    if (!peer || record->incarnation > peer->incarnation)
        return true;
    if (peer->up > 0 && beacon->kind == BEACON_ALIVE && !is_news(peer, record))
        return false;
    return record->incarnation == peer->incarnation && beacon->beat > peer->beat;
}

static void accept_beacon(struct peer *peer, const struct beacon *beacon, uint64_t now, enum peer_news *news)
{
    peer->beat = beacon->beat;
    if (beacon->kind == BEACON_BYE) {
        peer->gone = true;
        *news = PEER_NEWS_BYE;
        return;
    }
    peer_heard(peer, now);
    if (*news == PEER_NEWS_NONE)
        *news = PEER_NEWS_ALIVE;
}

bool peer_has_record(const struct peer *peer, const struct record_bytes *bytes)
{
    return peer->has_record && peer->signed_record.len == bytes->len &&
           memcmp(peer->signed_record.b, bytes->b, bytes->len) == 0;
}

/* Worked out once: it costs as much as a signature check. */
bool peer_has_key(struct peer *peer, const uint8_t curve[CURVE_KEY_BYTES])
{
    if (!peer->curve_known)
        peer->curve_known = id_curve_key(&peer->id, peer->curve) == 0;
    return peer->curve_known && memcmp(peer->curve, curve, CURVE_KEY_BYTES) == 0;
}

int peers_take_beacon(struct peers *peers, const void *bytes, size_t n, uint64_t now, bool (*budget)(void *arg), void *arg,
                      struct beacon *beacon, struct peer **out, enum peer_news *news)
{
    struct record record;
    *out = NULL;
    *news = PEER_NEWS_NONE;
    int err = beacon_decode(bytes, n, beacon, &record);
    if (err || id_equal(&record.id, &peers->self))
        return err;

    struct peer *peer = peers_find(peers, &record.id);
    if (!beacon_is_news(peer, beacon, &record)) {
        *out = peer;
        return 0;
    }
    if (!budget(arg))
        return ERR_LIMIT;
    err = beacon_verify(bytes, n, &record);
    if (!err && !(peer && peer_has_record(peer, &beacon->record)))
        err = record_verify(&beacon->record, &record);
    if (!err && !peer)
        err = peers_add(peers, &record.id, &peer);
    if (err)
        return err;
    if (is_news(peer, &record)) {
        accept_record(peers, peer, &record, &beacon->record);
        *news = PEER_NEWS_RECORD;
    }
    accept_beacon(peer, beacon, now, news);
    *out = peer;
    return 0;
}

/* ---- life */

bool peer_alive(const struct peer *peer, uint64_t now)
{
    return peer->heard && !peer->gone && now - peer->heard_at < peer->of->silence;
}

void peers_silence(struct peers *peers, uint64_t silence)
{
    peers->silence = silence;
}

void peers_forget(struct peers *peers, uint64_t now)
{
    for (size_t i = peers->count; i-- > 0;) {
        struct peer *p = peers->peer[i];
        uint64_t life = p->has_record ? p->record.life_s * SECOND : 0;
        if (!p->trusted && p->busy == 0 && !peer_alive(p, now) && now - p->heard_at > life)
            peers_drop(peers, p);
    }
}

#define DIAL_WAIT_FIRST (SECOND / 2)
#define DIAL_WAIT_MAX (60 * SECOND)

void peer_lost(struct peer *peer, uint64_t now)
{
    double halves = (double)(now - peer->penalty_at) / (double)DAMP_HALF_LIFE;
    peer->penalty = peer->penalty * exp2(-halves) + 1.0;
    peer->penalty_at = now;
    double wait = exp2(peer->penalty) * (double)DIAL_WAIT_FIRST / 4; /* a quarter second after the first loss */
    peer->damped_until = now + (wait < (double)DIAL_WAIT_MAX ? (uint64_t)wait : DIAL_WAIT_MAX);
    peer->dial_after = peer->damped_until;
    peer->dial_wait = 0;
}

void peer_dialled(struct peer *peer, uint64_t now)
{
    peer->dial_wait = peer->dial_wait ? peer->dial_wait * 2 : DIAL_WAIT_FIRST;
    if (peer->dial_wait > DIAL_WAIT_MAX)
        peer->dial_wait = DIAL_WAIT_MAX;
    peer->dial_after = now + peer->dial_wait;
}
