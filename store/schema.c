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

    /* What is remembered of files of peers. Sums are kept by the rows themselves, so that they are never counted. */
    "CREATE TABLE base_all ("
    "  one   INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),"
    "  seed  INTEGER NOT NULL,"
    "  clock INTEGER NOT NULL CHECK (clock >= 0),"
    "  count INTEGER NOT NULL CHECK (count >= 0),"
    "  cost  INTEGER NOT NULL CHECK (cost >= 0)"
    ") STRICT;"

    "CREATE TABLE base ("
    "  number   INTEGER NOT NULL PRIMARY KEY CHECK (number <> 0),"
    "  peer     BLOB NOT NULL CHECK (length(peer) = 32),"
    "  share    TEXT NOT NULL CHECK (length(CAST(share AS BLOB)) BETWEEN 1 AND 63),"
    "  path     BLOB NOT NULL CHECK (length(path) <= 4095),"
    "  token    INTEGER NOT NULL,"
    "  size     INTEGER NOT NULL CHECK (size >= 0),"
    "  mtime_s  INTEGER NOT NULL,"
    "  mtime_ns INTEGER NOT NULL CHECK (mtime_ns BETWEEN 0 AND 999999999),"
    "  mode     INTEGER NOT NULL CHECK (mode BETWEEN 0 AND 4095),"
    "  bytes    INTEGER NOT NULL CHECK (bytes BETWEEN 0 AND 1),"
    "  cost     INTEGER NOT NULL CHECK (cost >= 0),"
    "  used     INTEGER NOT NULL UNIQUE,"
    "  UNIQUE (peer, share, path)"
    ") STRICT;"

    "CREATE TABLE base_sketch ("
    "  number INTEGER NOT NULL REFERENCES base (number) ON DELETE CASCADE,"
    "  hash   INTEGER NOT NULL,"
    "  PRIMARY KEY (number, hash)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX base_sketch_hash ON base_sketch (hash);"

    "CREATE TRIGGER base_comes AFTER INSERT ON base BEGIN"
    "  UPDATE base_all SET count = count + 1, cost = cost + new.cost;"
    "END;"
    "CREATE TRIGGER base_goes AFTER DELETE ON base BEGIN"
    "  UPDATE base_all SET count = count - 1, cost = cost - old.cost;"
    "END;"

    "INSERT INTO base_all VALUES (1, random(), 0, 0, 0);"
    "PRAGMA user_version = 3;",
};

const char *schema_step(int version)
{
    return steps[version];
}
