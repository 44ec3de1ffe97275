/* What a node remembers: every row comes back, replaced and dropped rows do not, and rows that break a rule are damage. */
#include "limits.h"
#include "schema.h"
#include "scratch.h"
#include "state_db.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define ROWS 8

struct world {
    struct scratch scratch;
    struct scratch_path path;
    struct db *db;
    struct fault fault;
    struct peer_row peer[ROWS];
    struct share_row share[ROWS];
    int peers, shares;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    scratch_make(&w->scratch);
    w->path = scratch_at(&w->scratch, "state.db");
    assert_int_equal(db_open(w->path.s, &w->db, &w->fault), 0);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    db_close(w->db);
    scratch_remove(&w->scratch);
    free(w);
    return 0;
}

static void restart(struct world *w)
{
    db_close(w->db);
    assert_int_equal(db_open(w->path.s, &w->db, &w->fault), 0);
}

static struct peer_row make_peer(int number, const char *name)
{
    struct peer_row row = {.trust = TRUST_TRUSTED, .incarnation = 3, .seq = UINT64_MAX};
    memset(row.id.b, number, sizeof row.id.b);
    snprintf(row.name, sizeof row.name, "%s", name);
    row.record.len = (uint16_t)(number * 100);
    memset(row.record.b, number, row.record.len);
    return row;
}

static struct share_row make_share(const char *name, const char *path)
{
    struct share_row row = {.kind = RESOURCE_DIR, .is_public = true};
    snprintf(row.name, sizeof row.name, "%s", name);
    snprintf(row.path, sizeof row.path, "%s", path);
    return row;
}

static int keep_peer(void *arg, const struct peer_row *row)
{
    struct world *w = arg;
    assert_in_range(w->peers, 0, ROWS - 1);
    w->peer[w->peers++] = *row;
    return 0;
}

static int keep_share(void *arg, const struct share_row *row)
{
    struct world *w = arg;
    assert_in_range(w->shares, 0, ROWS - 1);
    w->share[w->shares++] = *row;
    return 0;
}

static int read_peers(struct world *w)
{
    w->peers = 0;
    return state_db_peers(w->db, keep_peer, w, &w->fault);
}

static int read_shares(struct world *w)
{
    w->shares = 0;
    return state_db_shares(w->db, keep_share, w, &w->fault);
}

static int put_peer(struct world *w, struct peer_row row)
{
    return state_db_put_peer(w->db, &row, &w->fault);
}

static int put_share(struct world *w, struct share_row row)
{
    return state_db_put_share(w->db, &row, &w->fault);
}

static int number(struct world *w, const char *sql)
{
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_prepare_v2(db_handle(w->db), sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int n = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    return n;
}

static void incarnations_only_grow(void **state)
{
    struct world *w = *state;
    for (uint64_t expected = 1; expected <= 5; expected++) {
        uint64_t incarnation = 0;
        assert_int_equal(state_db_incarnation(w->db, &incarnation, &w->fault), 0);
        assert_int_equal(incarnation, expected);
        restart(w);
    }
}

static void peers_come_back_in_order_of_id(void **state)
{
    struct world *w = *state;
    struct peer_row a = make_peer(0, ""), b = make_peer(7, "bee"), c = make_peer(11, "c\xc3\xa9");
    assert_int_equal(put_peer(w, c), 0);
    assert_int_equal(put_peer(w, a), 0);
    assert_int_equal(put_peer(w, b), 0);
    restart(w);
    assert_int_equal(read_peers(w), 0);
    assert_int_equal(w->peers, 3);
    const struct peer_row *const expected[] = {&a, &b, &c};
    for (int i = 0; i < 3; i++) {
        assert_true(id_equal(&w->peer[i].id, &expected[i]->id));
        assert_string_equal(w->peer[i].name, expected[i]->name);
        assert_int_equal(w->peer[i].trust, TRUST_TRUSTED);
        assert_int_equal(w->peer[i].incarnation, 3);
        assert_true(w->peer[i].seq == UINT64_MAX);
        assert_int_equal(w->peer[i].record.len, expected[i]->record.len);
        assert_memory_equal(w->peer[i].record.b, expected[i]->record.b, expected[i]->record.len);
    }
}

static void peers_are_replaced_and_dropped(void **state)
{
    struct world *w = *state;
    struct peer_row a = make_peer(1, "old");
    assert_int_equal(put_peer(w, a), 0);
    a = make_peer(1, "new");
    a.trust = TRUST_UNKNOWN;
    assert_int_equal(put_peer(w, a), 0);
    assert_int_equal(put_peer(w, make_peer(2, "")), 0);
    assert_int_equal(put_peer(w, make_peer(3, "")), 0);
    assert_int_equal(read_peers(w), 0);
    assert_int_equal(w->peers, 3);
    assert_string_equal(w->peer[0].name, "new");
    assert_int_equal(w->peer[0].trust, TRUST_UNKNOWN);
    assert_int_equal(state_db_drop_peer(w->db, &a.id, &w->fault), 0);
    assert_int_equal(state_db_drop_peer(w->db, &a.id, &w->fault), 0);
    assert_int_equal(read_peers(w), 0);
    assert_int_equal(w->peers, 2);
}

static void a_name_stays_with_its_peer(void **state)
{
    struct world *w = *state;
    assert_int_equal(put_peer(w, make_peer(1, "anna")), 0);
    assert_int_equal(put_peer(w, make_peer(2, "anna")), ERR_EXISTS);
    assert_non_null(strstr(w->fault.text, "anna"));
    assert_int_equal(read_peers(w), 0);
    assert_int_equal(w->peers, 1);
    assert_int_equal(put_peer(w, make_peer(1, "")), 0);
    assert_int_equal(put_peer(w, make_peer(2, "anna")), 0);
}

static void shares_come_back_in_order_of_name(void **state)
{
    struct world *w = *state;
    struct share_row z = make_share("zoo", "/home/\xff\n/z"), a = make_share("apple", "/a");
    z.is_public = false;
    z.writable = true;
    z.kind = RESOURCE_FILE;
    z.audience_count = 3;
    memset(z.audience[0].b, 9, NODE_ID_BYTES);
    memset(z.audience[1].b, 4, NODE_ID_BYTES);
    memset(z.audience[2].b, 9, NODE_ID_BYTES);
    assert_int_equal(put_share(w, z), 0);
    assert_int_equal(put_share(w, a), 0);
    restart(w);
    assert_int_equal(read_shares(w), 0);
    assert_int_equal(w->shares, 2);
    assert_string_equal(w->share[0].name, "apple");
    assert_int_equal(w->share[0].audience_count, 0);
    assert_true(w->share[0].is_public && !w->share[0].writable && w->share[0].kind == RESOURCE_DIR);
    assert_string_equal(w->share[1].path, z.path);
    assert_true(!w->share[1].is_public && w->share[1].writable && w->share[1].kind == RESOURCE_FILE);
    assert_int_equal(w->share[1].audience_count, 2);
    assert_int_equal(w->share[1].audience[0].b[0], 4);
    assert_int_equal(w->share[1].audience[1].b[31], 9);
}

static void shares_are_replaced_and_dropped_with_their_audience(void **state)
{
    struct world *w = *state;
    struct share_row s = make_share("s", "/s");
    s.audience_count = AUDIENCE_MAX;
    for (int i = 0; i < AUDIENCE_MAX; i++) {
        memset(s.audience[i].b, i, NODE_ID_BYTES);
    }
    assert_int_equal(put_share(w, s), 0);
    assert_int_equal(read_shares(w), 0);
    assert_int_equal(w->share[0].audience_count, AUDIENCE_MAX);
    s.audience_count = 1;
    snprintf(s.path, sizeof s.path, "/elsewhere");
    assert_int_equal(put_share(w, s), 0);
    assert_int_equal(read_shares(w), 0);
    assert_int_equal(w->shares, 1);
    assert_int_equal(w->share[0].audience_count, 1);
    assert_string_equal(w->share[0].path, "/elsewhere");
    assert_int_equal(state_db_drop_share(w->db, "s", &w->fault), 0);
    assert_int_equal(state_db_drop_share(w->db, "s", &w->fault), 0);
    assert_int_equal(read_shares(w), 0);
    assert_int_equal(w->shares, 0);
    s.audience_count = 0;
    assert_int_equal(put_share(w, s), 0);
    assert_int_equal(read_shares(w), 0);
    assert_int_equal(w->share[0].audience_count, 0); /* none came back from the first life */
}

static void shares_that_make_no_sense_are_refused(void **state)
{
    struct world *w = *state;
    assert_int_equal(put_share(w, make_share("", "/s")), ERR_USAGE);
    assert_int_equal(put_share(w, make_share("a/b", "/s")), ERR_USAGE);
    assert_int_equal(put_share(w, make_share("s", "relative")), ERR_USAGE);
    struct share_row s = make_share("s", "/s");
    s.kind = RESOURCE_KIND_COUNT;
    assert_int_equal(put_share(w, s), ERR_USAGE);
    s.kind = RESOURCE_DIR;
    s.via_count = RELAYS_PER_NODE_MAX + 1;
    assert_int_equal(put_share(w, s), ERR_USAGE);
    s.via_count = 0;
    s.audience_count = AUDIENCE_MAX + 1;
    assert_int_equal(put_share(w, s), ERR_USAGE);
    assert_int_equal(read_shares(w), 0);
    assert_int_equal(w->shares, 0);
}

/* What is kept of each kind, and what does not fit it. */
static const struct {
    enum resource_kind kind;
    const char *good, *bad;
} kinds[] = {
    {RESOURCE_FILE, "/a", "tcp:localhost:80"},
    {RESOURCE_DIR, "/", "cmd:/bin/ls"},
    {RESOURCE_TCP, "tcp:[::1]:22", "tcp:localhost"},
    {RESOURCE_HTTP, "https://example.org/a?b=c", "http://user@example.org/"},
    {RESOURCE_COMMAND, "cmd:/bin/echo 'a b' c", "cmd:echo a"}, /* whose program was not looked up */
    {RESOURCE_FIFO, "/run/fifo", "fifo"},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

static void relay_2_shares_of_every_kind_come_back(void **state)
{
    struct world *w = *state;
    for (size_t i = 0; i < KINDS; i++) {
        const char name[] = {(char)('a' + i), '\0'};
        bool files = kinds[i].kind == RESOURCE_FILE || kinds[i].kind == RESOURCE_DIR;
        struct share_row good = make_share(name, kinds[i].good), bad = make_share(name, kinds[i].bad);
        good.kind = bad.kind = kinds[i].kind;
        good.via_count = 2;
        memset(good.via[0].b, 9, NODE_ID_BYTES);
        memset(good.via[1].b, 4, NODE_ID_BYTES);
        assert_int_equal(put_share(w, bad), ERR_USAGE);
        assert_int_equal(put_share(w, good), 0);
        good.writable = true;
        assert_int_equal(put_share(w, good), files ? 0 : ERR_USAGE);
    }
    restart(w);
    assert_int_equal(read_shares(w), 0);
    assert_int_equal(w->shares, KINDS);
    for (size_t i = 0; i < KINDS; i++) {
        assert_int_equal(w->share[i].kind, kinds[i].kind);
        assert_string_equal(w->share[i].path, kinds[i].good);
        assert_int_equal(w->share[i].via_count, 2);
        assert_int_equal(w->share[i].via[0].b[0], 4);
        assert_int_equal(w->share[i].via[1].b[31], 9);
    }
}

static void relays_of_a_share_are_replaced_and_dropped_with_it(void **state)
{
    struct world *w = *state;
    struct share_row s = make_share("s", "/s");
    s.via_count = RELAYS_PER_NODE_MAX;
    for (int i = 0; i < RELAYS_PER_NODE_MAX; i++) {
        memset(s.via[i].b, i, NODE_ID_BYTES);
    }
    assert_int_equal(put_share(w, s), 0);
    assert_int_equal(read_shares(w), 0);
    assert_int_equal(w->share[0].via_count, RELAYS_PER_NODE_MAX);
    s.via_count = 1;
    assert_int_equal(put_share(w, s), 0);
    assert_int_equal(read_shares(w), 0);
    assert_int_equal(w->share[0].via_count, 1);
    assert_int_equal(state_db_drop_share(w->db, "s", &w->fault), 0);
    s.via_count = 0;
    assert_int_equal(put_share(w, s), 0);
    assert_int_equal(read_shares(w), 0);
    assert_int_equal(w->share[0].via_count, 0);
}

static void make_version_1(struct world *w)
{
    sqlite3 *old;
    db_close(w->db);
    w->db = NULL;
    assert_int_equal(unlink(w->path.s), 0);
    assert_int_equal(sqlite3_open(w->path.s, &old), SQLITE_OK);
    assert_int_equal(sqlite3_exec(old, schema_step(0), NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(old,
                                  "UPDATE node SET incarnation = 41;"
                                  "INSERT INTO peer VALUES (zeroblob(32), 'anna', 1, 2, 3, x'');"
                                  "INSERT INTO share VALUES ('dir', x'2f64', 1, 0, 1), ('file', x'2f66', 0, 1, 0);"
                                  "INSERT INTO audience VALUES ('dir', zeroblob(32)), ('dir', randomblob(32))",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(old);
    assert_int_equal(chmod(w->path.s, 0600), 0);
}

/* What a version 1 node left is all there in version 2, and its tables hang together as new ones do. */
static void a_version_1_database_is_brought_up(void **state)
{
    struct world *w = *state;
    uint64_t incarnation;
    make_version_1(w);
    restart(w);
    assert_int_equal(state_db_incarnation(w->db, &incarnation, &w->fault), 0);
    assert_int_equal(incarnation, 42);
    assert_int_equal(read_peers(w), 0);
    assert_int_equal(w->peers, 1);
    assert_int_equal(read_shares(w), 0);
    assert_int_equal(w->shares, 2);
    assert_true(w->share[0].kind == RESOURCE_DIR && w->share[0].writable && w->share[0].audience_count == 2);
    assert_true(w->share[1].kind == RESOURCE_FILE && w->share[1].is_public && w->share[1].audience_count == 0);
    struct share_row tcp = make_share("tcp", "tcp:localhost:22");
    tcp.kind = RESOURCE_TCP;
    tcp.via_count = 1;
    assert_int_equal(put_share(w, tcp), 0);
    assert_int_equal(state_db_drop_share(w->db, "dir", &w->fault), 0);
    assert_int_equal(state_db_drop_share(w->db, "tcp", &w->fault), 0);
    assert_int_equal(number(w, "SELECT count(*) FROM audience"), 0); /* they went with their shares */
    assert_int_equal(number(w, "SELECT count(*) FROM via"), 0);
    assert_int_equal(number(w, "SELECT count(*) FROM sqlite_schema WHERE name IN ('share_1', 'audience_1')"), 0);
    restart(w);
    assert_int_equal(read_shares(w), 0);
    assert_int_equal(w->shares, 1);
}

static int stop(void *arg, const struct peer_row *row)
{
    (void)row;
    ++*(int *)arg;
    return ERR_CANCELLED;
}

static void a_reader_may_stop(void **state)
{
    struct world *w = *state;
    int calls = 0;
    assert_int_equal(put_peer(w, make_peer(1, "a")), 0);
    assert_int_equal(put_peer(w, make_peer(2, "b")), 0);
    assert_int_equal(state_db_peers(w->db, stop, &calls, &w->fault), ERR_CANCELLED);
    assert_int_equal(calls, 1);
    assert_int_equal(put_peer(w, make_peer(3, "c")), 0); /* nothing is left open */
}

/* Writes a row past all rules, as damage would. */
static void damage(struct world *w, const char *sql)
{
    sqlite3 *h = db_handle(w->db);
    assert_int_equal(sqlite3_exec(h, "PRAGMA ignore_check_constraints = ON", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(h, sql, NULL, NULL, NULL), SQLITE_OK);
}

static void rows_that_break_the_rules_are_damage(void **state)
{
    struct world *w = *state;
    static const char *const peers[] = {
        "INSERT INTO peer VALUES (zeroblob(31), NULL, 0, 0, 0, x'')",
        "INSERT INTO peer VALUES (zeroblob(32), 'a/b', 0, 0, 0, x'')",
        "INSERT INTO peer VALUES (zeroblob(32), hex(zeroblob(32)), 0, 0, 0, x'')",
        "INSERT INTO peer VALUES (zeroblob(32), 'a' || char(0) || 'b', 0, 0, 0, x'')",
        "INSERT INTO peer VALUES (zeroblob(32), NULL, 2, 0, 0, x'')",
        "INSERT INTO peer VALUES (zeroblob(32), NULL, -1, 0, 0, x'')",
        "INSERT INTO peer VALUES (zeroblob(32), NULL, 0, 0, 0, zeroblob(1101))",
    };
    static const char *const shares[] = {
        "INSERT INTO share VALUES ('', x'2f', 1, 0, 0)",
        "INSERT INTO share VALUES ('a/b', x'2f', 1, 0, 0)",
        "INSERT INTO share VALUES ('s', x'', 1, 0, 0)",
        "INSERT INTO share VALUES ('s', x'61', 1, 0, 0)",
        "INSERT INTO share VALUES ('s', x'2f0061', 1, 0, 0)",
        "INSERT INTO share VALUES ('s', zeroblob(5000), 1, 0, 0)",
        "INSERT INTO share VALUES ('s', x'2f', 2, 0, 0)",
        "INSERT INTO share VALUES ('s', x'2f', 6, 0, 0)",
        "INSERT INTO share VALUES ('s', x'2f', -1, 0, 0)",
        "INSERT INTO share VALUES ('s', x'2f', 5, 0, 1)",
        "INSERT INTO share VALUES ('s', CAST('tcp:h:0' AS BLOB), 2, 0, 0)",
        "INSERT INTO share VALUES ('s', CAST('tcp:h:1' AS BLOB), 3, 0, 0)",
        "INSERT INTO share VALUES ('s', CAST('http://u:p@h/' AS BLOB), 3, 0, 0)",
        "INSERT INTO share VALUES ('s', CAST('cmd:sh' AS BLOB), 4, 0, 0)",
        "INSERT INTO share VALUES ('s', CAST('cmd:/bin/sh \"' AS BLOB), 4, 0, 0)",
        "INSERT INTO share VALUES ('s', x'2f', 1, 0, 0); INSERT INTO via VALUES ('s', zeroblob(31))",
        ("INSERT INTO share VALUES ('s', x'2f', 1, 0, 0);"
         "INSERT INTO via SELECT 's', randomblob(32) FROM json_each('[1,2,3,4,5]')"),
    };
    for (size_t i = 0; i < sizeof peers / sizeof peers[0]; i++) {
        damage(w, peers[i]);
        assert_int_equal(read_peers(w), ERR_DAMAGED);
        damage(w, "DELETE FROM peer");
    }
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        damage(w, shares[i]);
        assert_int_equal(read_shares(w), ERR_DAMAGED);
        damage(w, "DELETE FROM share");
    }
    damage(w, "UPDATE node SET incarnation = -5");
    uint64_t incarnation;
    assert_int_equal(state_db_incarnation(w->db, &incarnation, &w->fault), ERR_DAMAGED);
    damage(w, "DELETE FROM node");
    assert_int_equal(state_db_incarnation(w->db, &incarnation, &w->fault), ERR_DAMAGED);
}

static void the_schema_refuses_them_at_the_door(void **state)
{
    struct world *w = *state;
    static const char *const bad[] = {
        "INSERT INTO peer VALUES (zeroblob(31), NULL, 0, 0, 0, x'')",
        "INSERT INTO peer VALUES (zeroblob(32), NULL, 2, 0, 0, x'')",
        "INSERT INTO peer VALUES (zeroblob(32), NULL, 0, 0, 0, zeroblob(1101))",
        "INSERT INTO peer VALUES (zeroblob(32), NULL, 'no number', 0, 0, x'')",
        "INSERT INTO share VALUES ('s', x'', 1, 0, 0)",
        "INSERT INTO share VALUES ('s', x'2f', 6, 0, 0)",
        "INSERT INTO share VALUES ('s', x'2f', 2, 0, 1)",
        "INSERT INTO audience VALUES ('no such share', zeroblob(32))",
        "INSERT INTO via VALUES ('no such share', zeroblob(32))",
        "INSERT INTO node VALUES (2, 1)",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_not_equal(sqlite3_exec(db_handle(w->db), bad[i], NULL, NULL, NULL), SQLITE_OK);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(incarnations_only_grow),
        TEST(peers_come_back_in_order_of_id),
        TEST(peers_are_replaced_and_dropped),
        TEST(a_name_stays_with_its_peer),
        TEST(shares_come_back_in_order_of_name),
        TEST(shares_are_replaced_and_dropped_with_their_audience),
        TEST(shares_that_make_no_sense_are_refused),
        TEST(relay_2_shares_of_every_kind_come_back),
        TEST(relays_of_a_share_are_replaced_and_dropped_with_it),
        TEST(a_version_1_database_is_brought_up),
        TEST(a_reader_may_stop),
        TEST(rows_that_break_the_rules_are_damage),
        TEST(the_schema_refuses_them_at_the_door),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
