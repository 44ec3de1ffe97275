/* Rows of bases: they come back, go by use and by cost, are found by likeness, and are dropped when they or their files are
 * damaged. */
#include "schema.h"
#include "scratch.h"
#include "work.h"

#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define NO_LIMIT UINT64_MAX
#define DROPS 512

struct world {
    struct scratch scratch;
    struct scratch_path path, bases;
    struct db *db;
    struct fault fault;
    struct base_row found;
    struct base_job job;
    uint64_t dropped[DROPS];
    size_t drops;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    scratch_make(&w->scratch);
    w->path = scratch_at(&w->scratch, "state.db");
    w->bases = scratch_at(&w->scratch, "bases");
    scratch_dir(&w->scratch, "bases");
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
    w->db = NULL;
    assert_int_equal(db_open(w->path.s, &w->db, &w->fault), 0);
}

static struct base_row make_row(int peer, const char *path, uint64_t number)
{
    struct base_row row = {.number = number, .cost = 100, .bytes = true};
    row.state = (struct file_state){
        .token = UINT64_MAX - number, .size = 4096 * number, .mtime_s = -5, .mtime_ns = 999999999, .mode = 0644};
    memset(row.key.peer.b, peer, NODE_ID_BYTES);
    strcpy(row.key.at.share, "photos");
    strcpy(row.key.at.path, path);
    row.key.at.len = (uint16_t)strlen(path);
    return row;
}

static void keep_dropped(void *arg, uint64_t number)
{
    struct world *w = arg;
    assert_in_range(w->drops, 0, DROPS - 1);
    w->dropped[w->drops++] = number;
}

static int put_within(struct world *w, const struct base_row *row, uint64_t limit)
{
    w->drops = 0;
    return bases_put(w->db, row, limit, keep_dropped, w, &w->fault);
}

static void put(struct world *w, const struct base_row *row)
{
    assert_int_equal(put_within(w, row, NO_LIMIT), 0);
}

static int find(struct world *w, const struct base_row *row)
{
    return bases_find(w->db, &row->key, &w->found, &w->fault);
}

static void assert_there(struct world *w, const struct base_row *row)
{
    assert_int_equal(find(w, row), 0);
    const struct base_row *f = &w->found;
    assert_true(f->number == row->number && f->bytes == row->bytes && f->cost == row->cost);
    assert_memory_equal(&f->state, &row->state, sizeof f->state);
    assert_true(id_equal(&f->key.peer, &row->key.peer));
    assert_string_equal(f->key.at.share, row->key.at.share);
    assert_string_equal(f->key.at.path, row->key.at.path);
    assert_int_equal(f->key.at.len, row->key.at.len);
}

static void assert_sums(struct world *w, uint64_t count, uint64_t cost)
{
    struct bases_sums sums;
    assert_int_equal(bases_sums(w->db, &sums, &w->fault), 0);
    assert_int_equal(sums.count, count);
    assert_int_equal(sums.cost, cost);
}

static int exec(struct world *w, const char *sql)
{
    return sqlite3_exec(db_handle(w->db), sql, NULL, NULL, NULL);
}

static int64_t number(struct world *w, const char *sql)
{
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_prepare_v2(db_handle(w->db), sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return n;
}

/* ---- rows */

static void gather_1_a_base_comes_back_as_it_was(void **state)
{
    struct world *w = *state;
    struct base_row row = make_row(1, "2024/summer.tar", 7), whole = make_row(1, "", UINT64_MAX);
    whole.state.size = INT64_MAX;
    row.key.at.path[1] = (char)0xff; /* any bytes */
    put(w, &row);
    put(w, &whole);
    restart(w);
    assert_there(w, &row);
    assert_there(w, &whole);
    assert_sums(w, 2, 200);
}

static void keys_are_peer_share_and_path(void **state)
{
    struct world *w = *state;
    struct base_row row = make_row(1, "a", 1), other = make_row(2, "a", 2);
    put(w, &row);
    assert_int_equal(find(w, &other), ERR_NOT_FOUND);
    assert_int_equal(w->found.number, 0);
    put(w, &other);
    strcpy(other.key.at.share, "Photos");
    assert_int_equal(find(w, &other), ERR_NOT_FOUND);
    other = make_row(1, "A", 3);
    assert_int_equal(find(w, &other), ERR_NOT_FOUND);
    assert_there(w, &row);
    assert_int_equal(w->drops, 0);
}

static void a_newer_base_takes_the_place_of_an_older_one(void **state)
{
    struct world *w = *state;
    struct base_row old = make_row(1, "a", 1), new = make_row(1, "a", 2);
    old.sketch_count = 1;
    put(w, &old);
    new.cost = 70;
    put(w, &new);
    assert_int_equal(w->drops, 1);
    assert_int_equal(w->dropped[0], 1);
    assert_there(w, &new);
    assert_sums(w, 1, 70);
    assert_int_equal(number(w, "SELECT count(*) FROM base_sketch"), 0);
    new.state.token = 5;
    put(w, &new); /* the same files once more */
    assert_int_equal(w->drops, 0);
    assert_there(w, &new);
}

static void a_number_that_is_taken_changes_nothing(void **state)
{
    struct world *w = *state;
    struct base_row row = make_row(1, "a", 1), other = make_row(1, "b", 1);
    put(w, &row);
    assert_int_equal(put_within(w, &other, NO_LIMIT), ERR_EXISTS);
    assert_int_equal(w->drops, 0);
    assert_there(w, &row);
    assert_sums(w, 1, 100);
}

static void the_least_recently_used_go_first(void **state)
{
    struct world *w = *state;
    struct base_row row[5];
    char path[2] = "a";
    for (int i = 0; i < 5; i++, path[0]++)
        row[i] = make_row(1, path, (uint64_t)i + 1);
    for (int i = 0; i < 4; i++)
        put(w, &row[i]);
    assert_there(w, &row[0]); /* so it is b's turn */
    restart(w);
    assert_int_equal(put_within(w, &row[4], 400), 0);
    assert_int_equal(w->drops, 1);
    assert_int_equal(w->dropped[0], 2);
    row[1].cost = 250;
    assert_int_equal(put_within(w, &row[1], 400), 0);
    assert_int_equal(w->drops, 3);
    assert_true(w->dropped[0] == 3 && w->dropped[1] == 4 && w->dropped[2] == 1);
    assert_there(w, &row[4]);
    assert_sums(w, 2, 350);
}

static void what_alone_is_over_the_limit_is_not_kept(void **state)
{
    struct world *w = *state;
    struct base_row small = make_row(1, "a", 1), large = make_row(1, "b", 2), older = make_row(1, "b", 3);
    put(w, &small);
    put(w, &older);
    large.cost = 1001;
    assert_int_equal(put_within(w, &large, 1000), 0);
    assert_int_equal(w->drops, 2); /* what was remembered of it is not true any more */
    assert_true(w->dropped[0] == 3 && w->dropped[1] == 2);
    assert_int_equal(find(w, &large), ERR_NOT_FOUND);
    assert_there(w, &small);
    assert_sums(w, 1, 100);
}

static void fill(struct world *w, int count)
{
    char sql[400];
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO base SELECT "
             "i + 1000, zeroblob(32), 's', CAST(i AS BLOB), 0, 0, 0, 0, 0, 0, 1, -1000000 + i FROM n",
             count);
    assert_int_equal(exec(w, sql), SQLITE_OK);
}

static void no_more_than_bases_max_are_kept(void **state)
{
    struct world *w = *state;
    struct base_row row = make_row(1, "a", 1);
    fill(w, BASES_MAX);
    assert_sums(w, BASES_MAX, BASES_MAX);
    put(w, &row);
    assert_int_equal(w->drops, 1);
    assert_int_equal(w->dropped[0], 1001);
    assert_sums(w, BASES_MAX, BASES_MAX + 99);
}

static void a_lower_limit_is_met_in_one_go(void **state)
{
    struct world *w = *state;
    fill(w, 300);
    w->drops = 0;
    assert_int_equal(bases_trim(w->db, 10, keep_dropped, w, &w->fault), 0);
    assert_int_equal(w->drops, 290);
    assert_true(w->dropped[0] == 1001 && w->dropped[289] == 1290);
    assert_sums(w, 10, 10);
}

static void one_base_is_forgotten_or_all(void **state)
{
    struct world *w = *state;
    struct base_row a = make_row(1, "a", 1), b = make_row(1, "b", 2);
    a.sketch_count = b.sketch_count = 3;
    b.sketch[0] = b.sketch[1] = 4;
    put(w, &a);
    put(w, &b);
    assert_true(bases_known(w->db, 1) && bases_known(w->db, 2) && !bases_known(w->db, 3));
    assert_int_equal(bases_forget(w->db, &a.key, keep_dropped, w, &w->fault), 0);
    assert_int_equal(bases_forget(w->db, &a.key, keep_dropped, w, &w->fault), 0); /* none is no error */
    assert_int_equal(w->drops, 1);
    assert_false(bases_known(w->db, 1));
    assert_there(w, &b);
    assert_int_equal(bases_clear(w->db, &w->fault), 0);
    assert_int_equal(find(w, &b), ERR_NOT_FOUND);
    assert_sums(w, 0, 0);
    assert_int_equal(number(w, "SELECT count(*) FROM base_sketch"), 0);
}

static void the_seed_is_of_this_home_and_stays(void **state)
{
    struct world *w = *state;
    uint64_t seed, again;
    assert_int_equal(bases_seed(w->db, &seed, &w->fault), 0);
    restart(w);
    assert_int_equal(bases_seed(w->db, &again, &w->fault), 0);
    assert_int_equal(seed, again);
    db_close(w->db);
    assert_int_equal(unlink(w->path.s), 0);
    assert_int_equal(db_open(w->path.s, &w->db, &w->fault), 0);
    assert_int_equal(bases_seed(w->db, &again, &w->fault), 0);
    assert_int_not_equal(seed, again);
}

/* ---- likeness */

static struct base_row sketched(int peer, const char *path, uint64_t no, uint64_t first, size_t count)
{
    struct base_row row = make_row(peer, path, no);
    row.sketch_count = count;
    for (size_t i = 0; i < count; i++)
        row.sketch[i] = first + i;
    return row;
}

static int similar(struct world *w, const struct base_row *row)
{
    return bases_similar(w->db, &row->key, row->sketch, row->sketch_count, &w->found, &w->fault);
}

static void gather_7_the_file_that_shares_most_is_found(void **state)
{
    struct world *w = *state;
    struct base_row few = sketched(1, "few", 1, 8, 16), many = sketched(1, "many", 2, 4, 16),
                    one = sketched(1, "one", 3, 15, 16);
    struct base_row own = sketched(1, "own", 4, 0, 16), others = sketched(2, "own", 5, 0, 16);
    put(w, &few);
    put(w, &many);
    put(w, &one);
    put(w, &own);
    put(w, &others);
    assert_int_equal(similar(w, &own), 0); /* neither itself nor another peer's */
    assert_int_equal(w->found.number, 2);
    assert_int_equal(w->found.state.token, many.state.token);
    bases_forget(w->db, &many.key, keep_dropped, w, &w->fault);
    assert_int_equal(similar(w, &own), 0);
    assert_int_equal(w->found.number, 1);
    bases_forget(w->db, &few.key, keep_dropped, w, &w->fault);
    assert_int_equal(similar(w, &own), ERR_NOT_FOUND); /* one hash says nothing */
    assert_int_equal(w->found.number, 0);
    own.sketch_count = 0;
    assert_int_equal(similar(w, &own), ERR_NOT_FOUND);
}

static void what_is_found_by_likeness_counts_as_used(void **state)
{
    struct world *w = *state;
    struct base_row a = sketched(1, "a", 1, 0, 4), b = sketched(1, "b", 2, 100, 4), c = sketched(1, "c", 3, 0, 4);
    put(w, &a);
    put(w, &b);
    assert_int_equal(similar(w, &c), 0);
    assert_int_equal(put_within(w, &c, 200), 0);
    assert_int_equal(w->dropped[0], 2);
}

/* Files that all begin with the same zeros have the same smallest hashes. */
static void a_hash_that_all_files_have_costs_little(void **state)
{
    struct world *w = *state;
    struct base_row own = sketched(0, "own", 1, 0, 16), like = sketched(0, "like", 5, 0, 16);
    fill(w, 5000);
    assert_int_equal(exec(w, "INSERT INTO base_sketch SELECT number, 3 FROM base UNION SELECT number, 4 FROM base"), SQLITE_OK);
    put(w, &like);
    assert_int_equal(similar(w, &own), 0);
    assert_int_equal(w->found.number, 5);
}

/* ---- damage */

static void rows_that_break_the_rules_are_damage(void **state)
{
    struct world *w = *state;
    struct base_row row = make_row(1, "a", 1);
    static const char *const bad[] = {
        "UPDATE base SET size = -1",           "UPDATE base SET mtime_ns = 1000000000",
        "UPDATE base SET mode = 4096",         "UPDATE base SET bytes = 2",
        "UPDATE base SET cost = -1",           "UPDATE base SET path = x'2e2e', share = 'photos'",
        "UPDATE base SET path = x'610062'",    "UPDATE base SET share = 'a/b'",
        "UPDATE base SET peer = zeroblob(31)",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        put(w, &row);
        assert_int_not_equal(exec(w, "PRAGMA ignore_check_constraints = OFF; INSERT INTO base_all VALUES (2, 0, 0, 0, 0)"),
                             SQLITE_OK);
        assert_int_equal(exec(w, "PRAGMA ignore_check_constraints = ON"), SQLITE_OK);
        assert_int_equal(exec(w, bad[i]), SQLITE_OK);
        struct base_row by_number = sketched(9, "x", 9, 0, 2);
        assert_int_equal(exec(w, "INSERT INTO base_sketch SELECT 1, 0x0909090909090909 UNION SELECT 1, 0x0909090909090908"),
                         SQLITE_OK);
        assert_int_equal(similar(w, &by_number), ERR_DAMAGED);
        assert_int_equal(bases_clear(w->db, &w->fault), 0);
        assert_int_equal(exec(w, "UPDATE base_all SET cost = 0; PRAGMA ignore_check_constraints = OFF"), SQLITE_OK);
    }
}

static void sums_that_cannot_be_are_damage(void **state)
{
    struct world *w = *state;
    struct bases_sums sums;
    struct base_row row = make_row(1, "a", 1);
    assert_int_equal(exec(w, "UPDATE base_all SET count = 1, cost = 500"), SQLITE_OK);
    assert_int_equal(put_within(w, &row, 120), ERR_DAMAGED); /* and it ends */
    assert_int_equal(exec(w, "PRAGMA ignore_check_constraints = ON; UPDATE base_all SET cost = -1"), SQLITE_OK);
    assert_int_equal(bases_sums(w->db, &sums, &w->fault), ERR_DAMAGED);
    assert_int_equal(exec(w, "DELETE FROM base_all"), SQLITE_OK);
    assert_int_equal(bases_sums(w->db, &sums, &w->fault), ERR_DAMAGED);
}

static void a_version_2_database_is_brought_up(void **state)
{
    struct world *w = *state;
    struct base_row row = make_row(1, "a", 1);
    sqlite3 *old;
    db_close(w->db);
    w->db = NULL;
    assert_int_equal(unlink(w->path.s), 0);
    assert_int_equal(sqlite3_open(w->path.s, &old), SQLITE_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(sqlite3_exec(old, schema_step(i), NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(old, "INSERT INTO share VALUES ('tcp', CAST('tcp:localhost:22' AS BLOB), 2, 0, 0)", NULL, NULL, NULL), 0);
    sqlite3_close(old);
    assert_int_equal(chmod(w->path.s, 0600), 0);
    restart(w);
    assert_int_equal(number(w, "PRAGMA user_version"), 3);
    assert_int_equal(number(w, "SELECT kind FROM share WHERE name = 'tcp'"), 2);
    assert_sums(w, 0, 0);
    put(w, &row);
    restart(w);
    assert_there(w, &row);
}

/* Everything else in the database is waited for. */
static void p16_only_bases_may_be_lost_in_a_power_cut(void **state)
{
    struct world *w = *state;
    struct base_row row = make_row(1, "a", 1);
    put(w, &row);
    assert_int_equal(number(w, "PRAGMA synchronous"), 2);
    assert_int_equal(find(w, &row), 0);
    assert_int_equal(number(w, "PRAGMA synchronous"), 2);
    assert_int_equal(exec(w, "UPDATE base_all SET count = 5, cost = 500"), SQLITE_OK);
    assert_int_equal(put_within(w, &row, 50), ERR_DAMAGED);
    assert_int_equal(number(w, "PRAGMA synchronous"), 2);
}

/* ---- rows and files together, as the store actor has them */

static int do_job(struct world *w, enum job_kind kind, const struct base_row *row)
{
    w->job = (struct base_job){.job.kind = kind, .dir = w->bases.s, .limit = NO_LIMIT};
    if (row)
        w->job.row = *row;
    assert_true(job_is_store(&w->job.job));
    job_store(w->db, &w->job.job);
    return (int)w->job.job.fault.code;
}

static struct scratch_path file_of(uint64_t no, const char *kind)
{
    struct scratch_path name;
    snprintf(name.s, sizeof name.s, "bases/%016llx.%s", (unsigned long long)no, kind);
    return name;
}

static void make_files(struct world *w, const struct base_row *row)
{
    char *bytes = calloc(1, (size_t)row->state.size);
    scratch_write(&w->scratch, file_of(row->number, "index").s, "index", 5);
    scratch_write(&w->scratch, file_of(row->number, "bytes").s, bytes, (size_t)row->state.size);
    free(bytes);
}

static void remember(struct world *w, const struct base_row *row)
{
    make_files(w, row);
    assert_int_equal(do_job(w, JOB_BASE_PUT, row), 0);
}

static void files_go_with_their_rows(void **state)
{
    struct world *w = *state;
    struct base_row old = make_row(1, "a", 1), new = make_row(1, "a", 2);
    remember(w, &old);
    assert_int_equal(w->job.sums.count, 1);
    remember(w, &new);
    assert_int_equal(scratch_count(&w->scratch, "bases"), 2);
    assert_true(scratch_exists(&w->scratch, file_of(2, "index").s));
    assert_int_equal(do_job(w, JOB_BASE_FIND, &old), 0);
    assert_int_equal(w->job.row.number, 2);
    assert_true(w->job.row.bytes);
    new.number = 0;
    assert_int_equal(do_job(w, JOB_BASE_FORGET, &new), 0);
    assert_int_equal(scratch_count(&w->scratch, "bases"), 0);
    assert_int_equal(do_job(w, JOB_BASE_FIND, &old), ERR_NOT_FOUND);
}

static void files_that_came_to_nothing_are_dropped_by_number(void **state)
{
    struct world *w = *state;
    struct base_row kept = make_row(1, "a", 1), not = make_row(1, "a", 2);
    remember(w, &kept);
    make_files(w, &not );
    assert_int_equal(do_job(w, JOB_BASE_FORGET, &not ), 0);
    assert_int_equal(scratch_count(&w->scratch, "bases"), 2);
    assert_int_equal(do_job(w, JOB_BASE_FIND, &kept), 0);
}

static void p15_a_row_without_its_files_is_no_base(void **state)
{
    struct world *w = *state;
    struct base_row a = sketched(1, "a", 1, 0, 4), b = sketched(1, "b", 2, 0, 4), c = sketched(1, "c", 3, 0, 4);
    remember(w, &a);
    remember(w, &b);
    assert_int_equal(unlink(scratch_at(&w->scratch, file_of(1, "index").s).s), 0);
    assert_int_equal(do_job(w, JOB_BASE_SIMILAR, &c), 0); /* a was found, and dropped */
    assert_int_equal(w->job.row.number, 2);
    assert_int_equal(w->job.sums.count, 1);
    assert_int_equal(unlink(scratch_at(&w->scratch, file_of(2, "bytes").s).s), 0);
    assert_int_equal(do_job(w, JOB_BASE_FIND, &b), 0);
    assert_false(w->job.row.bytes); /* the index is something, too */
    scratch_write(&w->scratch, file_of(2, "index").s, "", 0);
    assert_int_equal(do_job(w, JOB_BASE_FIND, &b), ERR_NOT_FOUND);
    assert_int_equal(w->job.sums.count, 0);
    assert_int_equal(scratch_count(&w->scratch, "bases"), 0);
}

static void a_damaged_row_is_dropped_when_it_is_asked_for(void **state)
{
    struct world *w = *state;
    struct base_row row = make_row(1, "a", 1);
    remember(w, &row);
    assert_int_equal(exec(w, "PRAGMA ignore_check_constraints = ON; UPDATE base SET mtime_ns = -1"), SQLITE_OK);
    assert_int_equal(do_job(w, JOB_BASE_FIND, &row), ERR_NOT_FOUND);
    assert_int_equal(w->job.sums.count, 0);
    assert_int_equal(scratch_count(&w->scratch, "bases"), 0);
}

/* A child makes the files and is killed before it can say so in the database. */
static void p18_files_without_a_row_are_swept_away_at_start(void **state)
{
    struct world *w = *state;
    struct base_row kept = make_row(1, "a", 1), orphan = make_row(1, "b", 2);
    int status;
    remember(w, &kept);
    pid_t pid = fork();
    if (pid == 0) {
        make_files(w, &orphan);
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    scratch_dir(&w->scratch, "bases/.weft-stage-a");
    scratch_dir(&w->scratch, "bases/.weft-stage-a/b0");
    scratch_text(&w->scratch, "bases/.weft-stage-a/b0/x", "left of a transfer");
    scratch_text(&w->scratch, "bases/0000000000000001.other", "not ours");
    scratch_link(&w->scratch, "bases/0000000000000003.index", "../state.db");
    restart(w);
    assert_int_equal(do_job(w, JOB_BASE_SUMS, NULL), 0);
    assert_int_equal(w->job.sums.count, 1);
    assert_int_equal(scratch_count(&w->scratch, "bases"), 2);
    assert_true(scratch_exists(&w->scratch, "state.db"));
    assert_int_equal(do_job(w, JOB_BASE_FIND, &kept), 0);
}

static void clearing_leaves_nothing_and_says_what_there_was(void **state)
{
    struct world *w = *state;
    struct base_row a = make_row(1, "a", 1), b = make_row(1, "b", 2), orphan = make_row(1, "c", 3);
    remember(w, &a);
    remember(w, &b);
    make_files(w, &orphan);
    assert_int_equal(do_job(w, JOB_BASE_CLEAR, NULL), 0);
    assert_int_equal(w->job.sums.count, 2);
    assert_int_equal(w->job.sums.cost, 200);
    assert_int_equal(scratch_count(&w->scratch, "bases"), 0);
    assert_sums(w, 0, 0);
}

/* The database fills its disk: no base, no files of one, and all else as it was. */
static void p20_a_full_disk_loses_nothing_but_the_base(void **state)
{
    struct world *w = *state;
    struct base_row row = make_row(1, "a", 1);
    char *path = row.key.at.path;
    struct scratch_path small = scratch_at(&w->scratch, "small");
    uint64_t incarnation;
    int err = 0;
    scratch_dir(&w->scratch, "small");
    if (mount("weft", small.s, "tmpfs", 0, "size=400k") != 0)
        skip();
    db_close(w->db);
    w->path = scratch_at(&w->scratch, "small/state.db");
    assert_int_equal(db_open(w->path.s, &w->db, &w->fault), 0);
    assert_int_equal(state_db_incarnation(w->db, &incarnation, &w->fault), 0);
    for (int i = 0; i < 2000; i++)
        path[i] = i % 100 == 9 ? '/' : 'x';
    for (row.key.at.len = 2000; !err && row.number < 1000; row.number++) {
        snprintf(path, 10, "%09u", (unsigned)row.number);
        path[9] = '/';
        make_files(w, &row);
        err = do_job(w, JOB_BASE_PUT, &row);
        row.state.size = 4096;
    }
    assert_int_equal(err, ERR_NOSPACE);
    assert_false(scratch_exists(&w->scratch, file_of(row.number - 1, "index").s));
    assert_true(scratch_exists(&w->scratch, file_of(1, "index").s));
    assert_int_equal(number(w, "PRAGMA synchronous"), 2);
    assert_int_equal(number(w, "SELECT incarnation FROM node"), (int64_t)incarnation);
    snprintf(path, 10, "%09u", 1u);
    path[9] = '/';
    assert_int_equal(do_job(w, JOB_BASE_FIND, &row), 0); /* though its use could not be counted */
    assert_int_equal(w->job.row.number, 1);
    db_close(w->db);
    w->db = NULL;
    assert_int_equal(umount(small.s), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(gather_1_a_base_comes_back_as_it_was),
        TEST(keys_are_peer_share_and_path),
        TEST(a_newer_base_takes_the_place_of_an_older_one),
        TEST(a_number_that_is_taken_changes_nothing),
        TEST(the_least_recently_used_go_first),
        TEST(what_alone_is_over_the_limit_is_not_kept),
        TEST(no_more_than_bases_max_are_kept),
        TEST(a_lower_limit_is_met_in_one_go),
        TEST(one_base_is_forgotten_or_all),
        TEST(the_seed_is_of_this_home_and_stays),
        TEST(gather_7_the_file_that_shares_most_is_found),
        TEST(what_is_found_by_likeness_counts_as_used),
        TEST(a_hash_that_all_files_have_costs_little),
        TEST(rows_that_break_the_rules_are_damage),
        TEST(sums_that_cannot_be_are_damage),
        TEST(a_version_2_database_is_brought_up),
        TEST(p16_only_bases_may_be_lost_in_a_power_cut),
        TEST(files_go_with_their_rows),
        TEST(files_that_came_to_nothing_are_dropped_by_number),
        TEST(p15_a_row_without_its_files_is_no_base),
        TEST(a_damaged_row_is_dropped_when_it_is_asked_for),
        TEST(p18_files_without_a_row_are_swept_away_at_start),
        TEST(clearing_leaves_nothing_and_says_what_there_was),
        TEST(p20_a_full_disk_loses_nothing_but_the_base),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
