/* The node's SQLite database: opening, checking, migrating.
 *
 * One connection owns the file (EXCLUSIVE locking, then WAL) and one thread, the store actor, owns the connection. Schema
 * versions are steps in user_version; the file carries an application_id, so that a foreign database is refused and not
 * "migrated". After an unclean stop quick_check runs before first use. */
#ifndef WEFT_STORE_DB_H
#define WEFT_STORE_DB_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>

struct db;
struct sqlite3;
struct sqlite3_stmt;

/* Opens or makes `path` (0600). Gives *db. ERR_LOCKED when another process has it, ERR_DAMAGED when it is damaged, foreign or
 * of a newer weft (the fault says which and what to do; the file is left untouched), ERR_REFUSED when it is not a file of ours
 * alone, ERR_NOSPACE, ERR_DENIED, ERR_IO. */
int db_open(const char *path, struct db **db, struct fault *fault);
/* Checkpoints, marks the stop as clean, closes. NULL is fine. */
void db_close(struct db *db);
struct sqlite3 *db_handle(struct db *db);

/* Transactions do not nest. After a failed begin nothing was begun; after a failed commit all was rolled back. */
int db_begin(struct db *db, struct fault *fault);
int db_commit(struct db *db, struct fault *fault);
void db_rollback(struct db *db);

/* The prepared statement for `sql`, a text that outlives the database and is always the same pointer: statements are kept and
 * found by it. Borrowed until db_done, which resets and clears it (NULL is fine). */
int db_prepare(struct db *db, const char *sql, struct sqlite3_stmt **stmt, struct fault *fault);
void db_done(struct sqlite3_stmt *stmt);
/* Runs a statement that gives no rows, then db_done. */
int db_run(struct db *db, struct sqlite3_stmt *stmt, struct fault *fault);

/* The code that fits SQLite's last error (SQLITE_FULL is ERR_NOSPACE, ...), its sentence into fault. */
int db_fault(struct db *db, struct fault *fault, const char *doing);

#endif
