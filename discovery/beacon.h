/* Beacons: the datagrams by which nodes of a LAN notice each other.
 *
 * A beacon carries its sender's signed record and a beat that grows within an incarnation; the whole is signed again, so that a
 * beat cannot be forged and an old beacon not be passed off as a sign of life. A probe asks one address for its beacon: it
 * carries the asker's record, so the answer is no longer than the question. On the wire: [body, signature] with
 * body = ["weft", 1, kind, beat, nonce, record]. */
#ifndef WEFT_DISCOVERY_BEACON_H
#define WEFT_DISCOVERY_BEACON_H

#include "record.h"

enum beacon_kind {
    BEACON_ALIVE, /* to everyone, every BEACON_INTERVAL */
    BEACON_BYE,   /* to everyone: this node stops now */
    BEACON_PROBE, /* to one address: who is there? */
    BEACON_REPLY, /* the answer, with the probe's nonce */
    BEACON_KIND_COUNT
};

struct beacon {
    enum beacon_kind kind;
    uint64_t beat;
    struct tag nonce; /* zero but in probes and replies */
    struct record_bytes record;
};

/* Encodes and signs into BEACON_BYTES_MAX bytes. ERR_LIMIT. */
int beacon_sign(const struct beacon *beacon, const struct identity *identity, uint8_t *buf, size_t cap, size_t *len);
/* Reads beacon and record without checking either signature. ERR_MALFORMED, ERR_LIMIT, ERR_UNSUPPORTED. */
int beacon_decode(const void *bytes, size_t n, struct beacon *beacon, struct record *record);
/* Checks the beacon's own signature (record_verify checks the record's); to be called only for news, since it costs an Ed25519
 * verification. ERR_VERIFY. */
int beacon_verify(const void *bytes, size_t n, const struct record *record);

#endif
