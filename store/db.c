/* The node's SQLite database: opening, checking, migrating.
 *
 * Invariants:
 *  1. SQLite runs nothing before the first 100 bytes of the file were looked at and found empty or ours: so a foreign file is
 *     not locked, recovered, checkpointed or otherwise touched.
 *  2. A new database is made in one transaction with rollback journal, so application_id and schema appear together; WAL comes
 *     after that. Hence the main file of every weft database says that it is one, whatever is still in its WAL.
 *  3. A WAL or journal with bytes in it means that the last stop was not clean: closing removes both. */
#include "db.h"

#include "io.h"
#include "schema.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATEMENTS 32
#define HEADER_BYTES 100

struct db {
    sqlite3 *handle;
    struct {
        const char *sql;
        sqlite3_stmt *stmt;
    } kept[STATEMENTS];
    int kept_count;
    char path[];
};

/* ---- errors */

static int code_of(sqlite3 *handle)
{
    switch (sqlite3_errcode(handle) & 0xff) {
    case SQLITE_FULL: return ERR_NOSPACE;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return ERR_LOCKED;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return ERR_DAMAGED;
    case SQLITE_NOMEM: return ERR_NOMEM;
    case SQLITE_CONSTRAINT: return ERR_EXISTS;
    case SQLITE_TOOBIG: return ERR_LIMIT;
    default: {
        int errnum = sqlite3_system_errno(handle);
        return errnum ? err_from_errno(errnum) : ERR_IO;
    }
    }
}

int db_fault(struct db *db, struct fault *fault, const char *doing)
{
    int code = code_of(db->handle);
    struct path_text path = path_text(db->path);
    switch (code) {
    case ERR_LOCKED: return fault_set(fault, code, "cannot %s: another process uses '%s'", doing, path.s);
    case ERR_DAMAGED:
        return fault_set(fault, code, "cannot %s: the database '%s' is damaged (%s); move it away or restore a copy", doing,
                         path.s, sqlite3_errmsg(db->handle));
    default: return fault_set(fault, code, "cannot %s in '%s': %s", doing, path.s, sqlite3_errmsg(db->handle));
    }
}

static int exec(struct db *db, const char *sql, const char *doing, struct fault *fault)
{
    return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_fault(db, fault, doing);
}

static int read_number(struct db *db, const char *sql, int64_t *number, struct fault *fault)
{
    sqlite3_stmt *stmt = NULL;
    bool found = sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW;
    int rc = found ? 0 : db_fault(db, fault, "read the state");
    *number = found ? sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_finalize(stmt);
    return rc;
}

/* ---- what kind of file is it? */

/* Makes the file when there is none, and checks that what is there is ours. Nothing that exists is opened here: closing it
 * again would take the locks that another connection of this process holds on it. */
static int check_file(const char *path, struct fault *fault)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno != EEXIST) {
        return fault_errno(fault, errno, "cannot make the database '%s'", path_text(path).s);
    }
    io_close(fd);
    struct stat st;
    if (lstat(path, &st)) {
        return fault_errno(fault, errno, "cannot look at the database '%s'", path_text(path).s);
    }
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_nlink != 1 || (st.st_mode & 077) != 0) {
        return fault_set(fault, ERR_REFUSED, "the database '%s' is not a file of this user alone (mode 0600, no other name)",
                         path_text(path).s);
    }
    return 0;
}

static bool has_bytes(const char *path, const char *suffix)
{
    char other[4200];
    struct stat st;
    int n = snprintf(other, sizeof other, "%s%s", path, suffix);
    return n > 0 && (size_t)n < sizeof other && stat(other, &st) == 0 && st.st_size > 0;
}

static uint32_t big32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int newer(const struct db *db, int64_t version, struct fault *fault)
{
    return fault_set(fault, ERR_DAMAGED, "the database '%s' is of a newer weft (version %lld, this one knows %d): upgrade weft",
                     path_text(db->path).s, (long long)version, SCHEMA_VERSION);
}

/* Tells a weft database from everything else by its first bytes (https://sqlite.org/fileformat.html), read past SQLite: without
 * lock, recovery, or anything else that leaves a trace. */
static int check_header(struct db *db, struct fault *fault)
{
    if (!has_bytes(db->path, "")) {
        return 0; /* new, or made and left by a start that was cut off */
    }
    sqlite3_file *file = NULL;
    uint8_t header[HEADER_BYTES] = {0};
    if (sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || !file->pMethods) {
        return fault_set(fault, ERR_IO, "cannot read the database '%s'", path_text(db->path).s);
    }
    if (file->pMethods->xRead(file, header, sizeof header, 0) != SQLITE_OK || memcmp(header, "SQLite format 3", 16) != 0) {
        return fault_set(fault, ERR_DAMAGED, "'%s' is no database, or its beginning is damaged: move it away or restore a copy",
                         path_text(db->path).s);
    }
    if (big32(header + 68) != SCHEMA_APPLICATION_ID) {
        return fault_set(fault, ERR_DAMAGED, "'%s' is a database of another program: move it away", path_text(db->path).s);
    }
    return big32(header + 60) > SCHEMA_VERSION ? newer(db, big32(header + 60), fault) : 0;
}

/* ---- opening */

static int configure(struct db *db, struct fault *fault)
{
    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    return exec(db,
                "PRAGMA locking_mode = EXCLUSIVE;"
                "PRAGMA synchronous = FULL;"
                "PRAGMA foreign_keys = ON;"
                "PRAGMA cell_size_check = ON;"
                "PRAGMA temp_store = MEMORY;"
                "PRAGMA cache_size = -1024;",
                "open the state", fault);
}

static int quick_check(struct db *db, struct fault *fault)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(db->handle, "PRAGMA quick_check(1)", -1, &stmt, NULL) != SQLITE_OK ||
        sqlite3_step(stmt) != SQLITE_ROW) {
        sqlite3_finalize(stmt);
        return db_fault(db, fault, "check the state");
    }
    const char *answer = (const char *)sqlite3_column_text(stmt, 0);
    int rc = 0;
    if (!answer || strcmp(answer, "ok") != 0) {
        rc = fault_set(fault, ERR_DAMAGED, "the database '%s' is damaged (%s): move it away or restore a copy",
                       path_text(db->path).s, answer ? answer : "no answer");
    }
    sqlite3_finalize(stmt);
    return rc;
}

static int migrate_from(struct db *db, int version, struct fault *fault)
{
    int rc = exec(db, "BEGIN EXCLUSIVE", "upgrade the state", fault);
    for (int step = version; rc == 0 && step < SCHEMA_VERSION; step++) {
        rc = exec(db, schema_step(step), "upgrade the state", fault);
    }
    rc = rc ? rc : exec(db, "COMMIT", "upgrade the state", fault);
    if (rc) {
        db_rollback(db);
    }
    return rc;
}

static int migrate(struct db *db, struct fault *fault)
{
    int64_t version;
    int rc = read_number(db, "PRAGMA user_version", &version, fault);
    if (rc) {
        return rc;
    }
    if (version < 0 || version > SCHEMA_VERSION) {
        return newer(db, version, fault); /* what its WAL added */
    }
    rc = version < SCHEMA_VERSION ? migrate_from(db, (int)version, fault) : 0;
    rc = rc ? rc : exec(db, "PRAGMA journal_mode = WAL", "open the state", fault);
    if (rc == 0 && version > 0 && version < SCHEMA_VERSION) {
        /* So that the main file says its version. Until something was read, SQLite calls itself busy. */
        rc = read_number(db, "PRAGMA user_version", &version, fault);
        rc = rc ? rc : exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", "upgrade the state", fault);
    }
    return rc;
}

static int open_checked(struct db *db, struct fault *fault)
{
    bool unclean = has_bytes(db->path, "-wal") || has_bytes(db->path, "-journal");
    if (sqlite3_open_v2(db->path, &db->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        return db->handle ? db_fault(db, fault, "open the state") : fault_set(fault, ERR_NOMEM, "no memory for the database");
    }
    int rc = check_header(db, fault);
    rc = rc ? rc : configure(db, fault);
    rc = rc || !unclean ? rc : quick_check(db, fault);
    return rc ? rc : migrate(db, fault);
}

int db_open(const char *path, struct db **db, struct fault *fault)
{
    int rc = check_file(path, fault);
    if (rc) {
        return rc;
    }
    size_t n = strlen(path) + 1;
    struct db *new = calloc(1, sizeof *new + n);
    if (!new) {
        return fault_set(fault, ERR_NOMEM, "no memory for the database");
    }
    memcpy(new->path, path, n);
    rc = open_checked(new, fault);
    if (rc) {
        if (new->handle) { /* a refused file is left as it was found, its WAL too */
            sqlite3_db_config(new->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        }
        db_close(new);
        return rc;
    }
    *db = new;
    return 0;
}

void db_close(struct db *db)
{
    if (db) {
        for (int i = 0; i < db->kept_count; i++) {
            sqlite3_finalize(db->kept[i].stmt);
        }
        sqlite3_close(db->handle); /* checkpoints, and removes the WAL */
        free(db);
    }
}

struct sqlite3 *db_handle(struct db *db)
{
    return db->handle;
}

/* ---- transactions and statements */

int db_begin(struct db *db, struct fault *fault)
{
    return exec(db, "BEGIN IMMEDIATE", "begin to change the state", fault);
}

int db_commit(struct db *db, struct fault *fault)
{
    int rc = exec(db, "COMMIT", "change the state", fault);
    if (rc) {
        db_rollback(db);
    }
    return rc;
}

void db_rollback(struct db *db)
{
    if (!sqlite3_get_autocommit(db->handle)) {
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    }
}

int db_prepare(struct db *db, const char *sql, struct sqlite3_stmt **stmt, struct fault *fault)
{
    for (int i = 0; i < db->kept_count; i++) {
        if (db->kept[i].sql == sql) {
            *stmt = db->kept[i].stmt;
            return 0;
        }
    }
    *stmt = NULL;
    if (db->kept_count == STATEMENTS) {
        return fault_set(fault, ERR_LIMIT, "too many kinds of statements");
    }
    if (sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL) != SQLITE_OK) {
        return db_fault(db, fault, "read the state");
    }
    db->kept[db->kept_count].sql = sql;
    db->kept[db->kept_count++].stmt = *stmt;
    return 0;
}

void db_done(struct sqlite3_stmt *stmt)
{
    if (stmt) {
        sqlite3_reset(stmt);
        sqlite3_clear_bindings(stmt);
    }
}

int db_run(struct db *db, struct sqlite3_stmt *stmt, struct fault *fault)
{
    int rc = sqlite3_step(stmt) == SQLITE_DONE ? 0 : db_fault(db, fault, "change the state");
    db_done(stmt);
    return rc;
}
