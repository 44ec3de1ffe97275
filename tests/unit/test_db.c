/* The database: made, found again, locked, and refused when it is not ours, with the file left as it was. */
#include "db.h"
#include "schema.h"
#include "scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    struct scratch scratch;
    struct scratch_path path;
    struct db *db;
    struct fault fault;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    scratch_make(&w->scratch);
    w->path = scratch_at(&w->scratch, "state.db");
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

static int open_db(struct world *w)
{
    return db_open(w->path.s, &w->db, &w->fault);
}

static void close_db(struct world *w)
{
    db_close(w->db);
    w->db = NULL;
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

/* A child opens the database, runs `sql` in it and is killed. */
static void killed_after(struct world *w, const char *sql)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (open_db(w) == 0 && exec(w, sql) == SQLITE_OK) {
            raise(SIGKILL);
        }
        _exit(1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}

struct bytes {
    size_t n;
    char *b;
};

static struct bytes slurp(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    struct bytes all = {.n = (size_t)st.st_size, .b = malloc((size_t)st.st_size + 1)};
    assert_int_equal(read(fd, all.b, all.n), all.n);
    close(fd);
    return all;
}

/* Opening says `code` with `word` in its sentence, and changes no byte. */
static void assert_refused(struct world *w, int code, const char *word)
{
    struct bytes before = slurp(w->path.s);
    assert_int_equal(open_db(w), code);
    if (!strstr(w->fault.text, word)) {
        fail_msg("no '%s' in: %s", word, w->fault.text);
    }
    struct bytes after = slurp(w->path.s);
    assert_int_equal(after.n, before.n);
    assert_memory_equal(after.b, before.b, before.n);
    free(before.b);
    free(after.b);
}

static void a_new_database_is_ours_alone_and_stays(void **state)
{
    struct world *w = *state;
    struct stat st;
    mode_t old = umask(0);
    assert_int_equal(open_db(w), 0);
    umask(old);
    assert_int_equal(number(w, "PRAGMA application_id"), SCHEMA_APPLICATION_ID);
    assert_int_equal(number(w, "PRAGMA user_version"), SCHEMA_VERSION);
    assert_int_equal(number(w, "PRAGMA synchronous"), 2);
    assert_int_equal(number(w, "PRAGMA foreign_keys"), 1);
    assert_int_equal(number(w, "PRAGMA trusted_schema"), 0);
    assert_int_equal(exec(w, "UPDATE node SET incarnation = 7"), SQLITE_OK);
    assert_int_equal(stat(w->path.s, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(scratch_at(&w->scratch, "state.db-wal").s, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_false(scratch_exists(&w->scratch, "state.db-shm"));
    close_db(w);
    assert_int_equal(scratch_count(&w->scratch, ""), 1); /* a clean stop leaves the one file */
    assert_int_equal(open_db(w), 0);
    assert_int_equal(number(w, "SELECT incarnation FROM node"), 7);
}

static void a_second_opener_is_locked_out(void **state)
{
    struct world *w = *state;
    struct db *other;
    assert_int_equal(open_db(w), 0);
    assert_int_equal(db_open(w->path.s, &other, &w->fault), ERR_LOCKED); /* of the same process */
    pid_t pid = fork();
    if (pid == 0) {
        int rc = db_open(w->path.s, &other, &w->fault);
        _exit(rc == ERR_LOCKED && strstr(w->fault.text, "another process") ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(exec(w, "UPDATE node SET incarnation = 1"), SQLITE_OK);
}

static void p15_what_was_committed_before_a_kill_is_there(void **state)
{
    struct world *w = *state;
    killed_after(w, "UPDATE node SET incarnation = 5; BEGIN; UPDATE node SET incarnation = 6");
    assert_true(scratch_exists(&w->scratch, "state.db-wal"));
    assert_int_equal(open_db(w), 0);
    assert_int_equal(number(w, "SELECT incarnation FROM node"), 5);
}

static void a_start_that_was_cut_off_is_begun_again(void **state)
{
    struct world *w = *state;
    scratch_text(&w->scratch, "state.db", "");
    assert_int_equal(chmod(w->path.s, 0600), 0);
    assert_int_equal(open_db(w), 0);
    assert_int_equal(number(w, "PRAGMA user_version"), SCHEMA_VERSION);
}

static void a_foreign_database_is_refused_untouched(void **state)
{
    struct world *w = *state;
    sqlite3 *other;
    assert_int_equal(sqlite3_open(w->path.s, &other), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(other, "PRAGMA journal_mode = WAL; CREATE TABLE t (x); INSERT INTO t VALUES (1)", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(other);
    assert_int_equal(chmod(w->path.s, 0600), 0);
    assert_refused(w, ERR_DAMAGED, "another program");
    assert_int_equal(scratch_count(&w->scratch, ""), 1);
}

static void what_is_no_database_is_refused_untouched(void **state)
{
    struct world *w = *state;
    char noise[5000];
    memset(noise, 'n', sizeof noise);
    static const size_t sizes[] = {1, 15, 99, 100, 5000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        scratch_write(&w->scratch, "state.db", noise, sizes[i]);
        assert_int_equal(chmod(w->path.s, 0600), 0);
        assert_refused(w, ERR_DAMAGED, "no database");
    }
    assert_int_equal(scratch_count(&w->scratch, ""), 1);
}

static void a_newer_database_is_refused_untouched(void **state)
{
    struct world *w = *state;
    assert_int_equal(open_db(w), 0);
    assert_int_equal(exec(w, "PRAGMA user_version = 99"), SQLITE_OK);
    close_db(w);
    assert_refused(w, ERR_DAMAGED, "newer weft");
    assert_int_equal(scratch_count(&w->scratch, ""), 1);
}

static void a_newer_version_in_the_wal_is_refused_untouched(void **state)
{
    struct world *w = *state;
    killed_after(w, "PRAGMA user_version = 99");
    struct bytes before = slurp(scratch_at(&w->scratch, "state.db-wal").s);
    assert_refused(w, ERR_DAMAGED, "newer weft");
    struct bytes after = slurp(scratch_at(&w->scratch, "state.db-wal").s);
    assert_int_equal(after.n, before.n);
    free(before.b);
    free(after.b);
}

static void a_database_damaged_by_an_unclean_stop_is_refused(void **state)
{
    struct world *w = *state;
    assert_int_equal(open_db(w), 0);
    close_db(w);
    killed_after(w, "UPDATE node SET incarnation = 5");
    int fd = open(w->path.s, O_RDWR | O_CLOEXEC);
    char noise[4096];
    memset(noise, 0xa5, sizeof noise);
    assert_int_equal(pwrite(fd, noise, sizeof noise, 2 * 4096), sizeof noise); /* the root of some table */
    close(fd);
    assert_refused(w, ERR_DAMAGED, "damaged");
}

static void s15_a_database_others_can_read_is_refused(void **state)
{
    struct world *w = *state;
    assert_int_equal(open_db(w), 0);
    close_db(w);
    assert_int_equal(chmod(w->path.s, 0644), 0);
    assert_refused(w, ERR_REFUSED, "this user alone");
    assert_int_equal(chmod(w->path.s, 0600), 0);
    assert_int_equal(link(w->path.s, scratch_at(&w->scratch, "other").s), 0);
    assert_refused(w, ERR_REFUSED, "this user alone");
    assert_int_equal(unlink(w->path.s), 0);
    scratch_link(&w->scratch, "state.db", "other");
    assert_refused(w, ERR_REFUSED, "this user alone");
}

static void a_folder_that_is_not_there_is_told(void **state)
{
    struct world *w = *state;
    assert_int_equal(db_open(scratch_at(&w->scratch, "no/state.db").s, &w->db, &w->fault), ERR_NOT_FOUND);
}

static void p20_a_full_disk_loses_nothing(void **state)
{
    struct world *w = *state;
    scratch_dir(&w->scratch, "small");
    struct scratch_path small = scratch_at(&w->scratch, "small"), path = scratch_at(&w->scratch, "small/state.db");
    if (mount("weft", small.s, "tmpfs", 0, "size=128k") != 0) {
        skip(); /* needs root */
    }
    assert_int_equal(db_open(path.s, &w->db, &w->fault), 0);
    assert_int_equal(exec(w, "CREATE TABLE big (x BLOB); INSERT INTO big VALUES (zeroblob(100))"), SQLITE_OK);
    assert_int_equal(db_begin(w->db, &w->fault), 0);
    int rc = exec(w, "INSERT INTO big VALUES (randomblob(1000000))");
    rc = rc == SQLITE_OK ? db_commit(w->db, &w->fault) : db_fault(w->db, &w->fault, "write");
    assert_int_equal(rc, ERR_NOSPACE);
    db_rollback(w->db);
    assert_int_equal(number(w, "SELECT count(*) FROM big"), 1);
    close_db(w);
    assert_int_equal(umount(small.s), 0);
}

static void statements_are_kept_and_run(void **state)
{
    struct world *w = *state;
    static const char sql[] = "UPDATE node SET incarnation = ?1", wrong[] = "no sql";
    sqlite3_stmt *a, *b;
    assert_int_equal(open_db(w), 0);
    assert_int_equal(db_prepare(w->db, sql, &a, &w->fault), 0);
    sqlite3_bind_int(a, 1, 5);
    assert_int_equal(db_run(w->db, a, &w->fault), 0);
    assert_int_equal(db_prepare(w->db, sql, &b, &w->fault), 0);
    assert_ptr_equal(a, b);
    assert_int_not_equal(db_run(w->db, b, &w->fault), 0); /* nothing is bound any more: NULL breaks a rule */
    assert_int_equal(db_prepare(w->db, wrong, &b, &w->fault), ERR_IO);
    assert_null(b);
    db_done(b);
    assert_int_equal(number(w, "SELECT incarnation FROM node"), 5);
    assert_int_equal(db_begin(w->db, &w->fault), 0);
    assert_int_equal(exec(w, "UPDATE node SET incarnation = 9"), SQLITE_OK);
    db_rollback(w->db);
    db_rollback(w->db);
    assert_int_equal(number(w, "SELECT incarnation FROM node"), 5);
}

static int open_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;
    while (readdir(d)) {
        n++;
    }
    closedir(d);
    return n;
}

static void opening_takes_no_descriptors_for_good(void **state)
{
    struct world *w = *state;
    int before = open_fds();
    for (int i = 0; i < 20; i++) {
        assert_int_equal(open_db(w), 0);
        assert_in_range(open_fds(), before, before + 4);
        close_db(w);
    }
    assert_int_equal(open_fds(), before);
    scratch_text(&w->scratch, "state.db", "noise");
    assert_int_equal(open_db(w), ERR_DAMAGED);
    assert_int_equal(open_fds(), before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_database_is_ours_alone_and_stays),
        TEST(a_second_opener_is_locked_out),
        TEST(p15_what_was_committed_before_a_kill_is_there),
        TEST(a_start_that_was_cut_off_is_begun_again),
        TEST(a_foreign_database_is_refused_untouched),
        TEST(what_is_no_database_is_refused_untouched),
        TEST(a_newer_database_is_refused_untouched),
        TEST(a_newer_version_in_the_wal_is_refused_untouched),
        TEST(a_database_damaged_by_an_unclean_stop_is_refused),
        TEST(s15_a_database_others_can_read_is_refused),
        TEST(a_folder_that_is_not_there_is_told),
        TEST(p20_a_full_disk_loses_nothing),
        TEST(statements_are_kept_and_run),
        TEST(opening_takes_no_descriptors_for_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
