/* Bases: their rows. See bases.h.
 *
 * A find counts as a use, so that even it changes a row; and thousands of files may be remembered or looked for in one go. So
 * these changes, and only these, are not waited for to be durable: in WAL mode a power cut takes the last of them back, in
 * order.
 *
 * Hashes of sketches are kept mixed with the peer's id: those of different peers do not meet. */
#include "bases.h"

#include "names.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define SAME_HASH_MAX 256 /* rows with one hash that are looked at: what so many files have says little of any */
#define TRIM_AT_ONCE 256  /* rows that go in one transaction */

/* ---- transactions that may be lost, but never in part */

static int begin(struct db *db, struct fault *fault)
{
    sqlite3_exec(db_handle(db), "PRAGMA synchronous = NORMAL", NULL, NULL, NULL);
    int err = db_begin(db, fault);
    if (err)
        sqlite3_exec(db_handle(db), "PRAGMA synchronous = FULL", NULL, NULL, NULL);
    return err;
}

static int end(struct db *db, int err, struct fault *fault)
{
    if (err)
        db_rollback(db);
    else
        err = db_commit(db, fault);
    sqlite3_exec(db_handle(db), "PRAGMA synchronous = FULL", NULL, NULL, NULL);
    return err;
}

/* ---- binding and reading */

static void bind_number(sqlite3_stmt *stmt, int i, uint64_t number)
{
    sqlite3_bind_int64(stmt, i, (int64_t)number);
}

static void bind_key(sqlite3_stmt *stmt, const struct base_key *key) /* as ?1 to ?3 */
{
    sqlite3_bind_blob(stmt, 1, key->peer.b, NODE_ID_BYTES, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 2, key->at.share, -1, SQLITE_STATIC);
    sqlite3_bind_blob(stmt, 3, key->at.path, key->at.len, SQLITE_STATIC); /* never NULL, so a path of no bytes is one too */
}

static uint64_t mixed(const struct node_id *peer, uint64_t hash)
{
    uint64_t mask;
    memcpy(&mask, peer->b, sizeof mask);
    return hash ^ mask;
}

static int damaged(struct fault *fault)
{
    return fault_set(fault, ERR_DAMAGED, "the database has a base that breaks its rules; 'weft status --forget' clears them");
}

/* Copies the bytes of a column and ends them with a NUL. */
static bool read_bytes(sqlite3_stmt *stmt, int column, char *out, size_t max, size_t *len)
{
    const void *bytes = sqlite3_column_blob(stmt, column);
    size_t n = (size_t)sqlite3_column_bytes(stmt, column);
    if (n > max || (n > 0 && (!bytes || memchr(bytes, 0, n))))
        return false;
    if (n > 0)
        memcpy(out, bytes, n);
    out[n] = '\0';
    *len = n;
    return true;
}

static bool read_key(sqlite3_stmt *stmt, struct base_key *key) /* columns 1 to 3 */
{
    size_t share, path;
    const void *peer = sqlite3_column_blob(stmt, 1);
    if (!peer || sqlite3_column_bytes(stmt, 1) != NODE_ID_BYTES ||
        !read_bytes(stmt, 2, key->at.share, NAME_MAX_BYTES, &share) ||
        !read_bytes(stmt, 3, key->at.path, PATH_BYTES_MAX, &path))
        return false;
    memcpy(key->peer.b, peer, NODE_ID_BYTES);
    key->at.len = (uint16_t)path;
    return name_valid(key->at.share) && share_path_valid(key->at.path, path);
}

static bool read_range(sqlite3_stmt *stmt, int column, int64_t max, uint64_t *out)
{
    int64_t v = sqlite3_column_int64(stmt, column);
    *out = (uint64_t)v;
    return v >= 0 && v <= max;
}

#define COLUMNS "number, peer, share, path, token, size, mtime_s, mtime_ns, mode, bytes, cost"

static bool read_row(sqlite3_stmt *stmt, struct base_row *row)
{
    uint64_t ns, mode, bytes;
    row->number = (uint64_t)sqlite3_column_int64(stmt, 0);
    row->state.token = (uint64_t)sqlite3_column_int64(stmt, 4);
    row->state.mtime_s = sqlite3_column_int64(stmt, 6);
    bool ok = row->number != 0 && read_key(stmt, &row->key) && read_range(stmt, 5, INT64_MAX, &row->state.size) &&
              read_range(stmt, 7, 999999999, &ns) && read_range(stmt, 8, 07777, &mode) && read_range(stmt, 9, 1, &bytes) &&
              read_range(stmt, 10, INT64_MAX, &row->cost);
    if (ok) {
        row->state.mtime_ns = (uint32_t)ns;
        row->state.mode = (uint32_t)mode;
        row->bytes = bytes != 0;
    }
    return ok;
}

/* Steps a statement that gives one row at most. ERR_NOT_FOUND. */
static int one_row(struct db *db, sqlite3_stmt *stmt, struct base_row *row, struct fault *fault)
{
    int step = sqlite3_step(stmt), err = 0;
    memset(row, 0, sizeof *row);
    if (step == SQLITE_DONE)
        err = fault_set(fault, ERR_NOT_FOUND, "nothing is remembered of it");
    else if (step != SQLITE_ROW)
        err = db_fault(db, fault, "look for a base");
    else if (!read_row(stmt, row))
        err = damaged(fault);
    db_done(stmt);
    if (err)
        row->number = 0;
    return err;
}

/* Runs a statement that gives one number or none, to its end: only then has it done all. */
static int one_number(struct db *db, sqlite3_stmt *stmt, uint64_t *number, struct fault *fault)
{
    int step = sqlite3_step(stmt);
    *number = 0;
    if (step == SQLITE_ROW) {
        *number = (uint64_t)sqlite3_column_int64(stmt, 0);
        step = sqlite3_step(stmt);
    }
    int err = step == SQLITE_DONE ? 0 : db_fault(db, fault, "change what is remembered");
    db_done(stmt);
    return err;
}

/* ---- all of them */

static int read_all(struct db *db, uint64_t *seed, struct bases_sums *sums, struct fault *fault)
{
    static const char sql[] = "SELECT seed, count, cost FROM base_all WHERE one = 1";
    sqlite3_stmt *stmt;
    int err = db_prepare(db, sql, &stmt, fault);
    if (err)
        return err;
    if (sqlite3_step(stmt) == SQLITE_ROW) {
        *seed = (uint64_t)sqlite3_column_int64(stmt, 0);
        err = read_range(stmt, 1, INT64_MAX, &sums->count) && read_range(stmt, 2, INT64_MAX, &sums->cost) ? 0 : damaged(fault);
    } else {
        err = damaged(fault);
    }
    db_done(stmt);
    return err;
}

int bases_seed(struct db *db, uint64_t *seed, struct fault *fault)
{
    struct bases_sums sums;
    return read_all(db, seed, &sums, fault);
}

int bases_sums(struct db *db, struct bases_sums *sums, struct fault *fault)
{
    uint64_t seed;
    return read_all(db, &seed, sums, fault);
}

static int next_use(struct db *db, uint64_t *use, struct fault *fault)
{
    static const char sql[] = "UPDATE base_all SET clock = clock + 1 WHERE one = 1 RETURNING clock";
    sqlite3_stmt *stmt;
    int err = db_prepare(db, sql, &stmt, fault);
    return err ? err : one_number(db, stmt, use, fault);
}

int bases_clear(struct db *db, struct fault *fault)
{
    static const char sketches[] = "DELETE FROM base_sketch", rows[] = "DELETE FROM base";
    sqlite3_stmt *stmt;
    int err = begin(db, fault);
    if (err)
        return err;
    err = db_prepare(db, sketches, &stmt, fault);
    err = err ? err : db_run(db, stmt, fault);
    err = err ? err : db_prepare(db, rows, &stmt, fault);
    err = err ? err : db_run(db, stmt, fault);
    return end(db, err, fault);
}

/* ---- finding */

static int find_by_key(struct db *db, const struct base_key *key, struct base_row *row, struct fault *fault)
{
    static const char sql[] = "SELECT " COLUMNS " FROM base WHERE peer = ?1 AND share = ?2 AND path = ?3";
    sqlite3_stmt *stmt;
    int err = db_prepare(db, sql, &stmt, fault);
    if (err)
        return err;
    bind_key(stmt, key);
    return one_row(db, stmt, row, fault);
}

static int find_by_number(struct db *db, uint64_t number, struct base_row *row, struct fault *fault)
{
    static const char sql[] = "SELECT " COLUMNS " FROM base WHERE number = ?1";
    sqlite3_stmt *stmt;
    int err = db_prepare(db, sql, &stmt, fault);
    if (err)
        return err;
    bind_number(stmt, 1, number);
    return one_row(db, stmt, row, fault);
}

bool bases_known(struct db *db, uint64_t number)
{
    static const char sql[] = "SELECT number FROM base WHERE number = ?1";
    sqlite3_stmt *stmt;
    uint64_t found;
    if (db_prepare(db, sql, &stmt, NULL) != 0)
        return true; /* who cannot look throws nothing away */
    bind_number(stmt, 1, number);
    return one_number(db, stmt, &found, NULL) != 0 || found == number;
}

static int set_used(struct db *db, uint64_t number, struct fault *fault)
{
    static const char sql[] = "UPDATE base SET used = ?2 WHERE number = ?1";
    sqlite3_stmt *stmt;
    uint64_t use;
    int err = next_use(db, &use, fault);
    err = err ? err : db_prepare(db, sql, &stmt, fault);
    if (err)
        return err;
    bind_number(stmt, 1, number);
    bind_number(stmt, 2, use);
    return db_run(db, stmt, fault);
}

/* That a use could not be counted, as on a full disk, is no reason not to have the base. */
static void count_use(struct db *db, uint64_t number)
{
    if (begin(db, NULL) == 0)
        end(db, set_used(db, number, NULL), NULL);
}

int bases_find(struct db *db, const struct base_key *key, struct base_row *row, struct fault *fault)
{
    int err = find_by_key(db, key, row, fault);
    if (!err)
        count_use(db, row->number);
    return err;
}

/* ---- files that are like another */

struct tally {
    uint64_t number[SKETCH_HASHES * SAME_HASH_MAX];
    size_t count;
};

static int add_same(struct db *db, uint64_t hash, struct tally *t, struct fault *fault)
{
    static const char sql[] = "SELECT number FROM base_sketch WHERE hash = ?1 LIMIT ?2";
    sqlite3_stmt *stmt;
    int step, err = db_prepare(db, sql, &stmt, fault);
    if (err)
        return err;
    bind_number(stmt, 1, hash);
    sqlite3_bind_int(stmt, 2, SAME_HASH_MAX);
    while ((step = sqlite3_step(stmt)) == SQLITE_ROW && t->count < SKETCH_HASHES * SAME_HASH_MAX)
        t->number[t->count++] = (uint64_t)sqlite3_column_int64(stmt, 0);
    if (step != SQLITE_DONE && step != SQLITE_ROW)
        err = db_fault(db, fault, "look for a base");
    db_done(stmt);
    return err;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The number that is there most often, and at least twice; of several the lowest. 0: none is. */
static uint64_t most_frequent(struct tally *t, uint64_t except)
{
    uint64_t best = 0;
    size_t most = 1, run = 0;
    qsort(t->number, t->count, sizeof t->number[0], by_number);
    for (size_t i = 0; i < t->count; i++) {
        run = i > 0 && t->number[i] == t->number[i - 1] ? run + 1 : 1;
        if (run > most && t->number[i] != except) {
            most = run;
            best = t->number[i];
        }
    }
    return best;
}

int bases_similar(struct db *db, const struct base_key *key, const uint64_t *sketch, size_t count, struct base_row *row,
                  struct fault *fault)
{
    struct tally tally = {.count = 0};
    struct base_row own;
    int err = find_by_key(db, key, &own, fault);
    if (err && err != ERR_NOT_FOUND && err != ERR_DAMAGED)
        return err;
    for (size_t i = 0; i < count && i < SKETCH_HASHES; i++) {
        err = add_same(db, mixed(&key->peer, sketch[i]), &tally, fault);
        if (err)
            return err;
    }
    memset(row, 0, sizeof *row);
    uint64_t number = most_frequent(&tally, own.number);
    if (number == 0)
        return fault_set(fault, ERR_NOT_FOUND, "nothing is remembered that is like it");
    err = find_by_number(db, number, row, fault);
    if (!err && !id_equal(&row->key.peer, &key->peer)) { /* its mixed hashes met those of this one by chance, or by intent */
        row->number = 0;
        err = fault_set(fault, ERR_NOT_FOUND, "nothing is remembered that is like it");
    }
    if (!err)
        count_use(db, number);
    return err;
}

/* ---- changing */

static int drop_by_key(struct db *db, const struct base_key *key, uint64_t *number, struct fault *fault)
{
    static const char sql[] = "DELETE FROM base WHERE peer = ?1 AND share = ?2 AND path = ?3 RETURNING number";
    sqlite3_stmt *stmt;
    int err = db_prepare(db, sql, &stmt, fault);
    if (err)
        return err;
    bind_key(stmt, key);
    return one_number(db, stmt, number, fault);
}

static int drop_oldest(struct db *db, uint64_t *number, struct fault *fault)
{
    static const char sql[] =
        "DELETE FROM base WHERE number = (SELECT number FROM base ORDER BY used LIMIT 1) RETURNING number";
    sqlite3_stmt *stmt;
    int err = db_prepare(db, sql, &stmt, fault);
    return err ? err : one_number(db, stmt, number, fault);
}

static int add_row(struct db *db, const struct base_row *row, struct fault *fault)
{
    static const char sql[] =
        "INSERT INTO base (peer, share, path, number, token, size, mtime_s, mtime_ns, mode, bytes, cost, used) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    sqlite3_stmt *stmt;
    uint64_t use;
    int err = next_use(db, &use, fault);
    err = err ? err : db_prepare(db, sql, &stmt, fault);
    if (err)
        return err;
    bind_key(stmt, &row->key);
    bind_number(stmt, 4, row->number);
    bind_number(stmt, 5, row->state.token);
    bind_number(stmt, 6, row->state.size);
    sqlite3_bind_int64(stmt, 7, row->state.mtime_s);
    bind_number(stmt, 8, row->state.mtime_ns);
    bind_number(stmt, 9, row->state.mode);
    sqlite3_bind_int(stmt, 10, row->bytes);
    bind_number(stmt, 11, row->cost);
    bind_number(stmt, 12, use);
    return db_run(db, stmt, fault);
}

static int add_sketch(struct db *db, const struct base_row *row, struct fault *fault)
{
    static const char sql[] = "INSERT OR IGNORE INTO base_sketch VALUES (?1, ?2)";
    sqlite3_stmt *stmt;
    int err = 0;
    for (size_t i = 0; !err && i < row->sketch_count && i < SKETCH_HASHES; i++) {
        err = db_prepare(db, sql, &stmt, fault);
        if (err)
            break;
        bind_number(stmt, 1, row->number);
        bind_number(stmt, 2, mixed(&row->key.peer, row->sketch[i]));
        err = db_run(db, stmt, fault);
    }
    return err;
}

/* In one transaction: a reader sees the old one, or the new one. */
static int replace(struct db *db, const struct base_row *row, bool keep, uint64_t *old, struct fault *fault)
{
    int err = begin(db, fault);
    if (err)
        return err;
    err = drop_by_key(db, &row->key, old, fault);
    err = err || !keep ? err : add_row(db, row, fault);
    err = err || !keep ? err : add_sketch(db, row, fault);
    return end(db, err, fault);
}

int bases_put(struct db *db, const struct base_row *row, uint64_t limit, base_dropped *dropped, void *arg, struct fault *fault)
{
    uint64_t old = 0;
    bool keep = row->cost <= limit && row->cost <= INT64_MAX;
    int err = replace(db, row, keep, &old, fault);
    if (err)
        return err;
    if (old != 0 && old != row->number)
        dropped(arg, old);
    if (!keep)
        dropped(arg, row->number);
    return bases_trim(db, limit, dropped, arg, fault);
}

static bool fits(const struct bases_sums *sums, uint64_t limit)
{
    return sums->count <= BASES_MAX && sums->cost <= limit;
}

/* Some rows go. Their files go once their rows are gone. */
static int trim_some(struct db *db, uint64_t limit, uint64_t gone[TRIM_AT_ONCE], size_t *count, struct fault *fault)
{
    struct bases_sums sums;
    int err = bases_sums(db, &sums, fault);
    for (*count = 0; !err && *count < TRIM_AT_ONCE && !fits(&sums, limit); ++*count) {
        err = drop_oldest(db, &gone[*count], fault);
        if (!err && gone[*count] == 0)
            err = damaged(fault); /* sums of no rows */
        err = err ? err : bases_sums(db, &sums, fault);
    }
    return err;
}

int bases_trim(struct db *db, uint64_t limit, base_dropped *dropped, void *arg, struct fault *fault)
{
    uint64_t gone[TRIM_AT_ONCE];
    struct bases_sums sums;
    size_t count;
    int err = bases_sums(db, &sums, fault);
    while (!err && !fits(&sums, limit)) {
        err = begin(db, fault);
        if (err)
            break;
        err = end(db, trim_some(db, limit, gone, &count, fault), fault);
        for (size_t i = 0; !err && i < count; i++)
            dropped(arg, gone[i]);
        err = err ? err : bases_sums(db, &sums, fault);
    }
    return err;
}

int bases_forget(struct db *db, const struct base_key *key, base_dropped *dropped, void *arg, struct fault *fault)
{
    uint64_t number = 0;
    int err = begin(db, fault);
    if (err)
        return err;
    err = end(db, drop_by_key(db, key, &number, fault), fault);
    if (!err && number != 0)
        dropped(arg, number);
    return err;
}
