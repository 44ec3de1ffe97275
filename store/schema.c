/* The schema of the node's database, as the steps that lead to it.
 *
 * A step that has been released is never changed: a new one is added. Numbers from outside are 64 bits without a sign and are
 * kept as SQLite's signed ones with the same bits; no statement compares them. */
#include "schema.h"

static const char *const steps[SCHEMA_VERSION] = {
    "CREATE TABLE node ("
    "  one         INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),"
    "  incarnation INTEGER NOT NULL CHECK (incarnation >= 0)"
    ") STRICT;"

    "CREATE TABLE peer ("
    "  id          BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 32),"
    "  name        TEXT CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 63),"
    "  trust       INTEGER NOT NULL CHECK (trust BETWEEN 0 AND 1),"
    "  incarnation INTEGER NOT NULL,"
    "  seq         INTEGER NOT NULL,"
    "  record      BLOB NOT NULL CHECK (length(record) <= 1100)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE UNIQUE INDEX peer_name ON peer (name);"

    "CREATE TABLE share ("
    "  name     TEXT NOT NULL PRIMARY KEY CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 63),"
    "  path     BLOB NOT NULL CHECK (length(path) BETWEEN 1 AND 4095),"
    "  kind     INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 1),"
    "  public   INTEGER NOT NULL CHECK (public BETWEEN 0 AND 1),"
    "  writable INTEGER NOT NULL CHECK (writable BETWEEN 0 AND 1)"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE audience ("
    "  share TEXT NOT NULL REFERENCES share (name) ON DELETE CASCADE,"
    "  peer  BLOB NOT NULL CHECK (length(peer) = 32),"
    "  PRIMARY KEY (share, peer)"
    ") STRICT, WITHOUT ROWID;"

    "INSERT INTO node VALUES (1, 0);"
    "PRAGMA application_id = 0x77656674;"
    "PRAGMA user_version = 1;",

    /* Shares that are no files, and relays. A CHECK cannot be changed in place, and dropping a table takes along the rows that
     * refer to it: so what refers is moved first. */
    "ALTER TABLE share RENAME TO share_1;" /* its audience refers to share_1 now */
    "ALTER TABLE audience RENAME TO audience_1;"

    "CREATE TABLE share ("
    "  name     TEXT NOT NULL PRIMARY KEY CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 63),"
    "  path     BLOB NOT NULL CHECK (length(path) BETWEEN 1 AND 4095),"
    "  kind     INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 5),"
    "  public   INTEGER NOT NULL CHECK (public BETWEEN 0 AND 1),"
    "  writable INTEGER NOT NULL CHECK (writable BETWEEN 0 AND 1 AND (writable = 0 OR kind <= 1))"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE audience ("
    "  share TEXT NOT NULL REFERENCES share (name) ON DELETE CASCADE,"
    "  peer  BLOB NOT NULL CHECK (length(peer) = 32),"
    "  PRIMARY KEY (share, peer)"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE via ("
    "  share TEXT NOT NULL REFERENCES share (name) ON DELETE CASCADE,"
    "  relay BLOB NOT NULL CHECK (length(relay) = 32),"
    "  PRIMARY KEY (share, relay)"
    ") STRICT, WITHOUT ROWID;"

    "INSERT INTO share SELECT name, path, kind, public, writable FROM share_1;"
    "INSERT INTO audience SELECT share, peer FROM audience_1;"
    "DROP TABLE audience_1;"
    "DROP TABLE share_1;"
    "PRAGMA user_version = 2;",
};

const char *schema_step(int version)
{
    return steps[version];
}
