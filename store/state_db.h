/* What a node remembers over restarts: itself, its peers, its shares. One function a statement; all on the store actor. */
#ifndef WEFT_STORE_STATE_DB_H
#define WEFT_STORE_STATE_DB_H

#include "addr.h"
#include "db.h"
#include "id.h"
#include "limits.h"
#include "msg.h"

enum trust { TRUST_UNKNOWN, TRUST_TRUSTED, TRUST_COUNT };

struct peer_row {
    struct node_id id;
    char name[NAME_MAX_BYTES + 1]; /* pinned to the id; "" when none is */
    enum trust trust;
    uint64_t incarnation, seq;  /* of the newest record seen: older ones are replays */
    struct record_bytes record; /* the newest record, whose endpoints are tried after a restart; may be empty */
};

struct share_row {
    char name[NAME_MAX_BYTES + 1];
    char path[PATH_BYTES_MAX + 1]; /* absolute, of this machine, any bytes; of a TCP service, URL or command: its text */
    enum resource_kind kind;
    bool is_public, writable;
    uint8_t audience_count; /* 0 and not public: all trusted peers */
    struct node_id audience[AUDIENCE_MAX];
    uint8_t via_count; /* relays at which it is offered too */
    struct node_id via[RELAYS_PER_NODE_MAX];
};

/* Adds 1 to the node's incarnation and gives it: durable before it is used. */
int state_db_incarnation(struct db *db, uint64_t *incarnation, struct fault *fault);

/* Calls `each` per row in order of id (peers) or name (shares); a non-zero return ends the loop and is returned. Rows that
 * break the schema's rules are ERR_DAMAGED. `each` may not use the database. */
int state_db_peers(struct db *db, int (*each)(void *arg, const struct peer_row *row), void *arg, struct fault *fault);
int state_db_shares(struct db *db, int (*each)(void *arg, const struct share_row *row), void *arg, struct fault *fault);

/* Insert or replace by id or name; delete (missing is no error). Each is one durable transaction. A peer's name that is another
 * peer's already is ERR_EXISTS. A share's audience and its relays are sets: they come back in order of id, each once. */
int state_db_put_peer(struct db *db, const struct peer_row *row, struct fault *fault);
int state_db_drop_peer(struct db *db, const struct node_id *id, struct fault *fault);
int state_db_put_share(struct db *db, const struct share_row *row, struct fault *fault);
int state_db_drop_share(struct db *db, const char *name, struct fault *fault);

#endif
