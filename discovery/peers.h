/* The peers a node knows of: records, names, signs of life, and how willing it is to dial them.
 *
 * Pure state. Invariants: (1) peers are kept in order of id; (2) at most one peer holds a name; (3) the node itself is never
 * among them; (4) a peer's record is signed by its id, and never replaced by an older one; (5) there are at most PEERS_MAX,
 * and making room never drops a trusted or busy one. */
#ifndef WEFT_DISCOVERY_PEERS_H
#define WEFT_DISCOVERY_PEERS_H

#include "beacon.h"
#include "record.h"

struct peers;
struct link;

struct peer {
    struct peers *of;       /* the table that it is in */
    struct peer *same_name; /* next in its bucket of names */
    struct node_id id;
    bool curve_known;
    uint8_t curve[CURVE_KEY_BYTES]; /* that its id yields: see peer_has_key */
    char name[NAME_MAX_BYTES + 1];  /* pinned to this id, or "" when another id holds the name it claims */
    bool trusted;
    bool has_record;
    bool passed; /* its record was told to others as news */
    struct record record;
    struct record_bytes signed_record;
    uint64_t incarnation, seq; /* newest ever seen, also from before a restart: older records are replays */
    uint64_t beat;             /* of the newest beacon in this incarnation */
    bool heard;                /* ever, in this life of ours */
    uint64_t heard_at;         /* last proven sign of life */
    bool told;                 /* it counts as alive because others say so: we have not heard it ourselves */
    bool gone;                 /* it said goodbye, and has not been heard since */
    struct link *links;        /* to it, newest first (node/links.c) */
    unsigned up;               /* of these, those that are up */
    unsigned connected;        /* of these, connections: the others go through relays */
    unsigned busy;             /* links and sessions that hold it: never dropped while > 0 */
    double penalty;            /* for links lost, as of penalty_at; halves every DAMP_HALF_LIFE */
    uint64_t penalty_at;
    uint64_t damped_until; /* not dialled before, however alive it seems */
    uint64_t dial_after;   /* the next attempt; 0: at once */
    uint64_t dial_wait;    /* doubles with every failed attempt, until a sign of life */
    bool dialling;         /* a race for it is on */
    uint64_t shut_until;   /* its own endpoints did not answer lately: until then no other way waits for them */
    bool warned;           /* the person was told that its name is another key's */
};

/* What taking a record or a beacon changed. */
enum peer_news {
    PEER_NEWS_NONE,   /* nothing new: a copy, or older */
    PEER_NEWS_ALIVE,  /* a fresh sign of life, same record */
    PEER_NEWS_RECORD, /* a newer record */
    PEER_NEWS_BYE,    /* it stopped */
};

int peers_new(const struct node_id *self, struct peers **peers);
void peers_free(struct peers *peers);

size_t peers_count(const struct peers *peers);
struct peer *peers_at(struct peers *peers, size_t i); /* in order of id */
struct peer *peers_find(struct peers *peers, const struct node_id *id);
/* Are these the very bytes of its record, which were verified when it was taken? */
bool peer_has_record(const struct peer *peer, const struct record_bytes *bytes);
/* Is this its CURVE key? */
bool peer_has_key(struct peer *peer, const uint8_t curve[CURVE_KEY_BYTES]);
/* Finds or adds. ERR_FULL when no one can make room, ERR_USAGE for our own id. */
int peers_add(struct peers *peers, const struct node_id *id, struct peer **out);
void peers_drop(struct peers *peers, struct peer *peer);

/* Takes a signed record from anywhere. `from_link`: its own node sent it over a link just now, which proves it alive.
 * ERR_VERIFY, ERR_MALFORMED, ERR_FULL. Gives the peer (NULL when it is about ourselves) and what changed. */
int peers_take_record(struct peers *peers, const struct record_bytes *bytes, bool from_link, uint64_t now, struct peer **out,
                      enum peer_news *news);
/* Takes a datagram that claims to be a beacon. `budget` is called before signatures are checked; when it says no, the
 * datagram is dropped (ERR_LIMIT). A beacon whose incarnation and beat are not newer than what was seen changes nothing and
 * costs no check. Gives also the decoded beacon, for probes. */
int peers_take_beacon(struct peers *peers, const void *bytes, size_t n, uint64_t now, bool (*budget)(void *arg), void *arg,
                      struct beacon *beacon, struct peer **out, enum peer_news *news);

/* A peer by what a person typed: its pinned name, its whole id, or at least 6 leading characters of the id that fit only
 * one. ERR_NOT_FOUND; ERR_REFUSED when the name is claimed only by nodes whose key is not the pinned one. */
int peers_lookup(struct peers *peers, const char *text, struct peer **out);
/* The name to show: the pinned name, else the first characters of the id. */
void peer_label(const struct peer *peer, char out[NAME_MAX_BYTES + 1]);
/* Has it a name that belongs to another key? Such a peer is not linked to, unless it is trusted by id. */
bool peer_impostor(const struct peer *peer);
/* Pins this name, "" for none. */
void peers_name(struct peers *peers, struct peer *peer, const char *name);
/* Pins the name of its record to this peer, taking it from an untrusted holder. */
void peers_pin(struct peers *peers, struct peer *peer);

/* For how long a peer that is silent counts as alive: BEACON_SILENCE at first, longer where beacons are rarer. */
void peers_silence(struct peers *peers, uint64_t silence);
/* Alive: heard within that time, and no goodbye since. */
bool peer_alive(const struct peer *peer, uint64_t now);
/* Forgets those whose record has not been renewed within its life, but for trusted and busy ones. */
void peers_forget(struct peers *peers, uint64_t now);
/* A sign of life: attempts to dial it need wait no longer than its damping says. */
void peer_heard(struct peer *peer, uint64_t now);
/* The same by hearsay: its newer record came from another node. */
void peer_told(struct peer *peer, uint64_t now);
/* A link to it was lost: the more often, the longer it is left alone. */
void peer_lost(struct peer *peer, uint64_t now);
/* It is being dialled now: sets when to try again. */
void peer_dialled(struct peer *peer, uint64_t now);

#endif
