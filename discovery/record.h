/* Node records: who a node says it is and where it can be reached, signed by its key.
 *
 * A record is numbered by (incarnation, seq): a node's incarnation grows at every start, seq at every change within one, so
 * that of two records the newer is known without a clock. It carries a lifetime, counted from when it was heard. On the wire
 * it is [body, signature] with body = [1, id, name, incarnation, seq, roles, life_s, [endpoint...]]. */
#ifndef WEFT_DISCOVERY_RECORD_H
#define WEFT_DISCOVERY_RECORD_H

#include "identity.h"
#include "mp.h"
#include "msg.h"

struct record {
    struct node_id id;
    char name[NAME_MAX_BYTES + 1];
    uint64_t incarnation, seq;
    uint32_t roles;
    uint32_t life_s;
    uint8_t endpoint_count;
    struct endpoint endpoint[RECORD_ENDPOINTS_MAX];
};

/* Encodes and signs; endpoints that do not fit RECORD_BYTES_MAX are left out from the end. ERR_LIMIT when not even an empty
 * list fits. */
int record_sign(const struct record *record, const struct identity *identity, struct record_bytes *out);
/* Reads all fields, but does not check the signature. ERR_MALFORMED, ERR_LIMIT. */
int record_decode(const struct record_bytes *bytes, struct record *out);
/* ERR_VERIFY unless `record` (as decoded from `bytes`) is signed by its own id. */
int record_verify(const struct record_bytes *bytes, const struct record *record);
/* Below, equal, above 0: a is older than, the same as, newer than b. */
int record_compare(const struct record *a, const struct record *b);

/* Copies at most RECORD_BYTES_MAX bytes in. ERR_LIMIT. */
int record_bytes_set(struct record_bytes *out, const void *bytes, size_t n);

#endif
