/* What a node remembers over restarts: itself, its peers, its shares. One function a statement.
 *
 * Every row that is read is checked as if a stranger had written it: what breaks a rule is ERR_DAMAGED, never cut to fit. */
#include "state_db.h"

#include "locator.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

/* ---- binding and reading */

static void bind_text(sqlite3_stmt *stmt, int i, const char *text)
{
    sqlite3_bind_text(stmt, i, text, -1, SQLITE_STATIC);
}

static void bind_id(sqlite3_stmt *stmt, int i, const struct node_id *id)
{
    sqlite3_bind_blob(stmt, i, id->b, sizeof id->b, SQLITE_STATIC);
}

/* Copies a TEXT or BLOB of `min` to `max` bytes without NULs and ends it with one. */
static bool read_bytes(sqlite3_stmt *stmt, int column, char *out, int min, int max)
{
    const void *bytes = sqlite3_column_blob(stmt, column);
    int n = sqlite3_column_bytes(stmt, column);
    if (n < min || n > max || (n > 0 && (!bytes || memchr(bytes, 0, (size_t)n)))) {
        return false;
    }
    if (n > 0) {
        memcpy(out, bytes, (size_t)n);
    }
    out[n] = '\0';
    return true;
}

static bool read_id(sqlite3_stmt *stmt, int column, struct node_id *id)
{
    const void *bytes = sqlite3_column_blob(stmt, column);
    if (!bytes || sqlite3_column_bytes(stmt, column) != NODE_ID_BYTES) {
        return false;
    }
    memcpy(id->b, bytes, NODE_ID_BYTES);
    return true;
}

static bool read_range(sqlite3_stmt *stmt, int column, int end, int *out)
{
    int64_t v = sqlite3_column_int64(stmt, column);
    *out = v >= 0 && v < end ? (int)v : 0;
    return v >= 0 && v < end;
}

static int damaged(struct fault *fault, const char *what)
{
    return fault_set(fault, ERR_DAMAGED, "the database has a %s that breaks its rules: restore a copy", what);
}

/* ---- the node */

int state_db_incarnation(struct db *db, uint64_t *incarnation, struct fault *fault)
{
    static const char sql[] = "UPDATE node SET incarnation = incarnation + 1 WHERE one = 1 RETURNING incarnation";
    sqlite3_stmt *stmt;
    int rc = db_prepare(db, sql, &stmt, fault);
    if (rc) {
        return rc;
    }
    int64_t now = 0;
    int step = sqlite3_step(stmt);
    if (step == SQLITE_ROW) {
        now = sqlite3_column_int64(stmt, 0);
        step = sqlite3_step(stmt); /* only when it is done has it been committed */
    }
    if (step != SQLITE_DONE) {
        rc = db_fault(db, fault, "count this start");
    } else if (now <= 0) {
        rc = damaged(fault, "count of starts");
    }
    db_done(stmt);
    *incarnation = (uint64_t)now;
    return rc;
}

/* ---- peers */

static bool read_peer(sqlite3_stmt *stmt, struct peer_row *row)
{
    int trust = 0;
    const void *record = sqlite3_column_blob(stmt, 5);
    int n = sqlite3_column_bytes(stmt, 5);
    bool ok = read_id(stmt, 0, &row->id) && read_bytes(stmt, 1, row->name, 0, NAME_MAX_BYTES) &&
              (row->name[0] == '\0' || name_valid(row->name)) && read_range(stmt, 2, TRUST_COUNT, &trust) &&
              n <= RECORD_BYTES_MAX;
    if (ok) {
        row->trust = (enum trust)trust;
        row->incarnation = (uint64_t)sqlite3_column_int64(stmt, 3);
        row->seq = (uint64_t)sqlite3_column_int64(stmt, 4);
        row->record.len = (uint16_t)n;
        if (n > 0) {
            memcpy(row->record.b, record, (size_t)n);
        }
    }
    return ok;
}

int state_db_peers(struct db *db, int (*each)(void *arg, const struct peer_row *row), void *arg, struct fault *fault)
{
    static const char sql[] = "SELECT id, name, trust, incarnation, seq, record FROM peer ORDER BY id";
    sqlite3_stmt *stmt;
    struct peer_row row;
    int step = SQLITE_ROW;
    int rc = db_prepare(db, sql, &stmt, fault);
    while (rc == 0 && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
        memset(&row, 0, sizeof row);
        rc = read_peer(stmt, &row) ? each(arg, &row) : damaged(fault, "peer");
    }
    if (rc == 0 && step != SQLITE_DONE) {
        rc = db_fault(db, fault, "read the peers");
    }
    db_done(stmt);
    return rc;
}

int state_db_put_peer(struct db *db, const struct peer_row *row, struct fault *fault)
{
    static const char sql[] = "INSERT INTO peer VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (id) DO UPDATE SET name = ?2, "
                              "trust = ?3, incarnation = ?4, seq = ?5, record = ?6";
    sqlite3_stmt *stmt;
    int rc = db_prepare(db, sql, &stmt, fault);
    if (rc) {
        return rc;
    }
    bind_id(stmt, 1, &row->id);
    if (row->name[0] != '\0') { /* NULL otherwise: peers without a name do not share one */
        bind_text(stmt, 2, row->name);
    }
    sqlite3_bind_int(stmt, 3, (int)row->trust);
    sqlite3_bind_int64(stmt, 4, (int64_t)row->incarnation);
    sqlite3_bind_int64(stmt, 5, (int64_t)row->seq);
    sqlite3_bind_blob(stmt, 6, row->record.b, row->record.len, SQLITE_STATIC);
    rc = db_run(db, stmt, fault);
    if (rc == ERR_EXISTS) {
        fault_set(fault, rc, "the name '%s' belongs to another peer", row->name);
    }
    return rc;
}

int state_db_drop_peer(struct db *db, const struct node_id *id, struct fault *fault)
{
    static const char sql[] = "DELETE FROM peer WHERE id = ?1";
    sqlite3_stmt *stmt;
    int rc = db_prepare(db, sql, &stmt, fault);
    if (rc == 0) {
        bind_id(stmt, 1, id);
        rc = db_run(db, stmt, fault);
    }
    return rc;
}

/* ---- shares */

/* Is the path of the form that its kind asks for? */
static bool path_fits(const struct share_row *row)
{
    struct locator locator;
    switch (row->kind) {
    case RESOURCE_FILE:
    case RESOURCE_DIR:
    case RESOURCE_FIFO: return row->path[0] == '/';
    case RESOURCE_TCP:
    case RESOURCE_HTTP: return locator_parse(row->path, &locator, NULL) == 0 && locator.kind == row->kind;
    case RESOURCE_COMMAND:
        return locator_parse(row->path, &locator, NULL) == 0 && locator.kind == row->kind && locator.words[0] == '/';
    default: return false;
    }
}

static bool share_valid(const struct share_row *row)
{
    bool files = row->kind == RESOURCE_FILE || row->kind == RESOURCE_DIR;
    return name_valid(row->name) && path_fits(row) && (files || !row->writable);
}

static bool read_share(sqlite3_stmt *stmt, struct share_row *row)
{
    int kind = 0, is_public = 0, writable = 0;
    bool ok = read_bytes(stmt, 0, row->name, 1, NAME_MAX_BYTES) && read_bytes(stmt, 1, row->path, 1, PATH_BYTES_MAX) &&
              read_range(stmt, 2, RESOURCE_KIND_COUNT, &kind) && read_range(stmt, 3, 2, &is_public) &&
              read_range(stmt, 4, 2, &writable);
    row->kind = (enum resource_kind)kind;
    row->is_public = is_public != 0;
    row->writable = writable != 0;
    return ok && share_valid(row);
}

/* A set of ids that belongs to a share. */
struct id_set {
    const char *read, *clear, *add; /* statements: ?1 is the share, ?2 an id */
    uint8_t max;
};

static const struct id_set audience_set = {"SELECT peer FROM audience WHERE share = ?1 ORDER BY peer",
                                           "DELETE FROM audience WHERE share = ?1",
                                           "INSERT OR IGNORE INTO audience VALUES (?1, ?2)", AUDIENCE_MAX};
static const struct id_set via_set = {"SELECT relay FROM via WHERE share = ?1 ORDER BY relay",
                                      "DELETE FROM via WHERE share = ?1", "INSERT OR IGNORE INTO via VALUES (?1, ?2)",
                                      RELAYS_PER_NODE_MAX};

static int read_ids(struct db *db, const struct id_set *set, const char *share, struct node_id *ids, uint8_t *count,
                    struct fault *fault)
{
    sqlite3_stmt *stmt;
    int rc = db_prepare(db, set->read, &stmt, fault);
    if (rc) {
        return rc;
    }
    bind_text(stmt, 1, share);
    int step;
    while (rc == 0 && (step = sqlite3_step(stmt)) != SQLITE_DONE) {
        if (step != SQLITE_ROW) {
            rc = db_fault(db, fault, "read the shares");
        } else if (*count == set->max || !read_id(stmt, 0, &ids[*count])) {
            rc = damaged(fault, "share");
        } else {
            ++*count;
        }
    }
    db_done(stmt);
    return rc;
}

/* The ids that belong to a share that was read. */
static int read_sets(struct db *db, struct share_row *row, struct fault *fault)
{
    int rc = read_ids(db, &audience_set, row->name, row->audience, &row->audience_count, fault);
    return rc ? rc : read_ids(db, &via_set, row->name, row->via, &row->via_count, fault);
}

int state_db_shares(struct db *db, int (*each)(void *arg, const struct share_row *row), void *arg, struct fault *fault)
{
    static const char sql[] = "SELECT name, path, kind, public, writable FROM share ORDER BY name";
    sqlite3_stmt *stmt;
    struct share_row row;
    int step = SQLITE_ROW;
    int rc = db_prepare(db, sql, &stmt, fault);
    while (rc == 0 && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
        memset(&row, 0, sizeof row);
        rc = read_share(stmt, &row) ? read_sets(db, &row, fault) : damaged(fault, "share");
        rc = rc ? rc : each(arg, &row);
    }
    if (rc == 0 && step != SQLITE_DONE) {
        rc = db_fault(db, fault, "read the shares");
    }
    db_done(stmt);
    return rc;
}

static int put_share(struct db *db, const struct share_row *row, struct fault *fault)
{
    static const char sql[] = "INSERT INTO share VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (name) DO UPDATE SET path = ?2, "
                              "kind = ?3, public = ?4, writable = ?5";
    sqlite3_stmt *stmt;
    int rc = db_prepare(db, sql, &stmt, fault);
    if (rc) {
        return rc;
    }
    bind_text(stmt, 1, row->name);
    sqlite3_bind_blob(stmt, 2, row->path, (int)strlen(row->path), SQLITE_STATIC);
    sqlite3_bind_int(stmt, 3, (int)row->kind);
    sqlite3_bind_int(stmt, 4, row->is_public);
    sqlite3_bind_int(stmt, 5, row->writable);
    return db_run(db, stmt, fault);
}

static int clear_ids(struct db *db, const struct id_set *set, const char *share, struct fault *fault)
{
    sqlite3_stmt *stmt;
    int rc = db_prepare(db, set->clear, &stmt, fault);
    if (rc == 0) {
        bind_text(stmt, 1, share);
        rc = db_run(db, stmt, fault);
    }
    return rc;
}

static int add_id(struct db *db, const struct id_set *set, const char *share, const struct node_id *id, struct fault *fault)
{
    sqlite3_stmt *stmt;
    int rc = db_prepare(db, set->add, &stmt, fault);
    if (rc == 0) {
        bind_text(stmt, 1, share);
        bind_id(stmt, 2, id);
        rc = db_run(db, stmt, fault);
    }
    return rc;
}

static int put_sets(struct db *db, const struct share_row *row, struct fault *fault)
{
    int rc = clear_ids(db, &audience_set, row->name, fault);
    rc = rc ? rc : clear_ids(db, &via_set, row->name, fault);
    for (int i = 0; rc == 0 && i < row->audience_count; i++) {
        rc = add_id(db, &audience_set, row->name, &row->audience[i], fault);
    }
    for (int i = 0; rc == 0 && i < row->via_count; i++) {
        rc = add_id(db, &via_set, row->name, &row->via[i], fault);
    }
    return rc;
}

int state_db_put_share(struct db *db, const struct share_row *row, struct fault *fault)
{
    if (!share_valid(row) || row->audience_count > AUDIENCE_MAX || row->via_count > RELAYS_PER_NODE_MAX) {
        return fault_set(fault, ERR_USAGE, "'%s' cannot be kept as a share", row->name);
    }
    int rc = db_begin(db, fault);
    if (rc) {
        return rc;
    }
    rc = put_share(db, row, fault);
    rc = rc ? rc : put_sets(db, row, fault);
    if (rc) {
        db_rollback(db);
        return rc;
    }
    return db_commit(db, fault);
}

int state_db_drop_share(struct db *db, const char *name, struct fault *fault)
{
    static const char sql[] = "DELETE FROM share WHERE name = ?1";
    sqlite3_stmt *stmt;
    int rc = db_prepare(db, sql, &stmt, fault);
    if (rc == 0) {
        bind_text(stmt, 1, name);
        rc = db_run(db, stmt, fault);
    }
    return rc;
}
