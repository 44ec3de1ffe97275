/* Remembering, as the core has it in line: over a real database and folder, one job at a time as the test says, and with no
 * clock. */
#include "remember.h"
#include "scratch.h"
#include "work.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SIZE BASE_MIN_BYTES
#define OUT_MAX 16

struct told {
    int times;
    uint64_t number, token, seed;
    bool none;
};

struct world {
    struct scratch scratch;
    struct scratch_path bases;
    struct db *db;
    struct core *core;
    struct port port;
    struct log log;
    struct job *out[OUT_MAX]; /* jobs that the core has handed over, oldest first */
    size_t count;
    struct timer *timer; /* that is set */
    uint64_t random;
    struct row *reply;
    int made, cloned; /* JOB_REMEMBERs done */
    struct fault fault;
};

/* ---- the port */

static uint64_t now(void *self)
{
    (void)self;
    return 1;
}

static void pick(void *self, void *buf, size_t n)
{
    struct world *w = self;
    assert_int_equal(n, sizeof w->random);
    w->random++;
    memcpy(buf, &w->random, n);
}

static void set_timer(void *self, struct timer *t, uint64_t at)
{
    struct world *w = self;
    assert_int_equal(at, 1);
    w->timer = t;
}

static void cancel_timer(void *self, struct timer *t)
{
    struct world *w = self;
    if (w->timer == t)
        w->timer = NULL;
}

static void take_job(void *self, struct job *job)
{
    struct world *w = self;
    assert_in_range(w->count, 0, OUT_MAX - 1);
    job->fault = (struct fault){0};
    w->out[w->count++] = job;
}

static void reply(void *self, uint64_t client, const struct row *row)
{
    struct world *w = self;
    assert_int_equal(client, 5);
    row_free(w->reply);
    w->reply = row_new(row_kind(row));
    row_int(w->reply, "bases", row_get_int(row, "bases", -1));
    row_int(w->reply, "bytes", row_get_int(row, "bytes", -1));
}

static void fire(struct world *w)
{
    struct timer *t = w->timer;
    w->timer = NULL;
    t->fire(t->arg);
}

/* Does a job that is out, and brings it back. */
static void do_job(struct world *w, size_t i)
{
    struct job *job = w->out[i];
    assert_in_range(i, 0, w->count - 1);
    memmove(w->out + i, w->out + i + 1, (--w->count - i) * sizeof(struct job *));
    if (job_is_store(job)) {
        job_store(w->db, job);
    } else {
        w->made += !((struct remember_job *)job)->clone_only;
        w->cloned += ((struct remember_job *)job)->clone_only;
        job_work(job);
    }
    job->done(job);
}

static void do_all(struct world *w)
{
    while (w->count > 0)
        do_job(w, 0);
    assert_int_equal(w->core->jobs, 0);
}

/* The first job out of this kind. */
static size_t out(struct world *w, enum job_kind kind)
{
    size_t i = 0;
    while (i < w->count && w->out[i]->kind != kind)
        i++;
    assert_in_range(i, 0, w->count - 1);
    return i;
}

static struct remember_job *work_out(struct world *w)
{
    return (struct remember_job *)w->out[out(w, JOB_REMEMBER)];
}

/* ---- the world */

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    scratch_make(&w->scratch);
    scratch_dir(&w->scratch, "bases");
    w->bases = scratch_at(&w->scratch, "bases");
    assert_int_equal(db_open(scratch_at(&w->scratch, "state.db").s, &w->db, &w->fault), 0);
    w->port = (struct port){.self = w,
                            .log = &w->log,
                            .now = now,
                            .random = pick,
                            .timer_set = set_timer,
                            .timer_cancel = cancel_timer,
                            .job = take_job,
                            .reply = reply};
    w->core = calloc(1, sizeof *w->core);
    w->core->port = &w->port;
    w->core->log = &w->log;
    w->core->config.bases = w->bases.s;
    w->core->config.base_limit = 1 << 20;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    remember_free(w->core);
    while (w->count > 0)
        free(w->out[--w->count]);
    free(w->core);
    row_free(w->reply);
    db_close(w->db);
    scratch_remove(&w->scratch);
    free(w);
    return 0;
}

static void start(struct world *w)
{
    remember_start(w->core);
    do_all(w);
}

static struct base_key key_of(const char *path)
{
    struct base_key key = {.at.len = (uint16_t)strlen(path)};
    memset(key.peer.b, 3, NODE_ID_BYTES);
    strcpy(key.at.share, "s");
    strcpy(key.at.path, path);
    return key;
}

/* Writes file `name`, and remembers it as the remote one of that name. */
static void remember(struct world *w, const char *name, uint64_t token)
{
    static uint8_t content[SIZE];
    struct base_key key = key_of(name);
    struct scratch_path path = scratch_at(&w->scratch, name);
    struct stat st;
    memset(content, (int)token, sizeof content);
    scratch_write(&w->scratch, name, content, sizeof content);
    assert_int_equal(stat(path.s, &st), 0);
    struct file_state state = {
        .token = token, .size = SIZE, .mtime_s = st.st_mtim.tv_sec, .mtime_ns = (uint32_t)st.st_mtim.tv_nsec, .mode = 0644};
    remember_file(w->core, &key, path.s, &state);
}

static void tell(void *arg, const struct base_row *row, uint64_t seed)
{
    struct told *told = arg;
    told->times++;
    told->none = row == NULL;
    told->number = row ? row->number : 0;
    told->token = row ? row->state.token : 0;
    told->seed = seed;
}

static void find(struct world *w, const char *path, struct told *told)
{
    struct base_key key = key_of(path);
    *told = (struct told){0};
    assert_int_equal(remember_find(w->core, &key, tell, told), 0);
    assert_int_equal(told->times, 0); /* never from inside the call */
}

static uint64_t waiting(struct world *w)
{
    struct row *row = row_new("status");
    remember_describe(w->core, row);
    uint64_t n = (uint64_t)row_get_int(row, "base_waiting", -1);
    row_free(row);
    return n;
}

/* ---- */

static void gather_1_what_was_fetched_is_remembered(void **state)
{
    struct world *w = *state;
    struct told told;
    uint64_t seed;
    start(w);
    remember(w, "a", 7);
    assert_int_equal(waiting(w), 1);
    do_all(w);
    assert_int_equal(waiting(w), 0);
    find(w, "a", &told);
    do_all(w);
    assert_int_equal(bases_seed(w->db, &seed, &w->fault), 0);
    assert_true(told.times == 1 && told.token == 7 && told.seed == seed);
    assert_int_equal(scratch_count(&w->scratch, "bases"), 2);
    struct row *status = row_new("status");
    remember_describe(w->core, status);
    assert_int_equal(row_get_int(status, "base_count", -1), 1);
    assert_in_range(row_get_int(status, "base_bytes", -1), SIZE, 2 * SIZE);
    assert_int_equal(row_get_int(status, "base_limit", -1), 1 << 20);
    row_free(status);
}

static void what_is_known_already_is_not_made_again(void **state)
{
    struct world *w = *state;
    struct told told;
    struct base_key key = key_of("a");
    start(w);
    remember(w, "a", 7);
    do_all(w);
    find(w, "a", &told);
    do_all(w);
    struct base_row row;
    assert_int_equal(bases_find(w->db, &key, &row, &w->fault), 0);
    remember_file(w->core, &key, scratch_at(&w->scratch, "a").s, &row.state);
    do_all(w);
    row.state.token = 0; /* the peer did not say it this time */
    remember_file(w->core, &key, scratch_at(&w->scratch, "a").s, &row.state);
    do_all(w);
    assert_int_equal(w->made, 1);
    remember(w, "a", 8);
    do_all(w);
    assert_int_equal(w->made, 2);
    assert_int_equal(scratch_count(&w->scratch, "bases"), 2); /* of the newer one */
}

static void clones_go_first_one_job_at_a_time_by_the_quiet_worker(void **state)
{
    struct world *w = *state;
    start(w);
    remember(w, "a", 1);
    remember(w, "b", 2);
    remember(w, "c", 3);
    for (int jobs = 0; w->made == 0; jobs++) {
        assert_int_equal(w->count, 1);
        assert_true(job_is_store(w->out[0]) || job_is_quiet(w->out[0]));
        do_job(w, 0);
    }
    assert_int_equal(w->cloned, 3);
    do_all(w);
    assert_int_equal(w->made, 3);
}

static void a_file_that_was_edited_before_it_was_cloned_is_not_remembered(void **state)
{
    struct world *w = *state;
    struct told told;
    start(w);
    remember(w, "a", 7);
    scratch_text(&w->scratch, "a", "edited");
    do_all(w);
    find(w, "a", &told);
    do_all(w);
    assert_true(told.times == 1 && told.none);
    assert_int_equal(scratch_count(&w->scratch, "bases"), 0);
}

static void a_file_that_was_edited_after_that_is(void **state)
{
    struct world *w = *state;
    struct told told;
    start(w);
    remember(w, "a", 7);
    while (w->cloned == 0)
        do_job(w, 0);
    scratch_text(&w->scratch, "a", "edited");
    do_all(w);
    find(w, "a", &told);
    do_all(w);
    assert_true(told.times == 1 && told.token == 7);
}

static void who_needs_a_base_in_line_waits_and_it_is_made_at_once(void **state)
{
    struct world *w = *state;
    struct told told;
    start(w);
    remember(w, "a", 1);
    do_job(w, 0); /* a is not known: its clone is out */
    remember(w, "b", 2);
    find(w, "b", &told);
    do_job(w, out(w, JOB_BASE_FIND)); /* is b known? */
    assert_int_equal(w->count, 2);
    assert_true(job_is_quiet(w->out[0]) && !job_is_quiet(w->out[1]));
    assert_false(((struct remember_job *)w->out[1])->clone_only);
    do_job(w, 1);
    while (told.times == 0)
        do_job(w, 1); /* a's is still out */
    assert_int_equal(told.token, 2);
    do_all(w);
}

static void who_needs_one_that_is_in_work_waits_for_it(void **state)
{
    struct world *w = *state;
    struct told told;
    start(w);
    remember(w, "a", 1);
    do_job(w, 0);
    find(w, "a", &told);
    assert_int_equal(w->count, 1);
    do_job(w, 0); /* cloned */
    assert_int_equal(w->count, 1);
    assert_false(job_is_quiet(w->out[0])); /* and then nothing is between */
    do_all(w);
    assert_true(told.times == 1 && told.token == 1);
}

static void nothing_is_begun_before_the_folder_was_swept(void **state)
{
    struct world *w = *state;
    struct told told;
    remember_start(w->core);
    remember(w, "a", 1);
    find(w, "a", &told);
    assert_int_equal(w->count, 1);
    assert_int_equal(w->out[0]->kind, JOB_BASE_SUMS);
    do_all(w);
    assert_true(told.times == 1 && told.token == 1);
}

static void a_newer_state_takes_the_place_of_one_in_line(void **state)
{
    struct world *w = *state;
    struct told told;
    start(w);
    remember(w, "a", 1);
    do_job(w, 0);
    find(w, "a", &told);
    remember(w, "a", 2); /* while the first one is in work */
    assert_true(atomic_load(&work_out(w)->stop));
    assert_int_equal(waiting(w), 1);
    do_job(w, out(w, JOB_BASE_FIND));
    assert_false(job_is_quiet(w->out[w->count - 1])); /* somebody waits for this one now */
    do_all(w);
    assert_true(told.times == 1 && told.token == 2);
    assert_int_equal(scratch_count(&w->scratch, "bases"), 2);
}

static void a_base_that_was_made_elsewhere_takes_its_place_too(void **state)
{
    struct world *w = *state;
    struct told told;
    struct base_row row = {.key = key_of("a"), .state = {.token = 9, .size = SIZE}, .cost = 10};
    start(w);
    remember(w, "a", 1);
    do_job(w, 0);
    find(w, "a", &told);
    row.number = remember_number(w->core);
    char name[64];
    snprintf(name, sizeof name, "bases/%016llx.index", (unsigned long long)row.number);
    scratch_text(&w->scratch, name, "index");
    remember_row(w->core, &row);
    do_all(w);
    assert_true(told.times == 1 && told.token == 9 && told.number == row.number);
    assert_int_equal(scratch_count(&w->scratch, "bases"), 1);
    remember_not(w->core, row.number);
    do_all(w);
    assert_int_equal(scratch_count(&w->scratch, "bases"), 0);
    find(w, "a", &told);
    do_all(w);
    assert_true(told.none);
}

static void a_find_that_is_cancelled_is_never_answered(void **state)
{
    struct world *w = *state;
    struct told waits, asks, other;
    start(w);
    remember(w, "a", 1);
    find(w, "a", &waits);
    find(w, "b", &asks);
    find(w, "a", &other);
    remember_cancel(w->core, &waits);
    remember_cancel(w->core, &asks);
    do_all(w);
    assert_true(waits.times == 0 && asks.times == 0 && other.times == 1);
}

static void gather_7_content_that_moved_is_found_by_likeness(void **state)
{
    struct world *w = *state;
    struct told told = {0};
    struct base_row like = {.key = key_of("old"), .number = 5, .state = {.token = 9, .size = SIZE}, .sketch_count = 2};
    struct base_key key = key_of("new");
    start(w);
    like.sketch[1] = 1;
    scratch_text(&w->scratch, "bases/0000000000000005.index", "index");
    remember_row(w->core, &like);
    assert_int_equal(remember_similar(w->core, &key, like.sketch, 2, tell, &told), 0);
    do_all(w);
    assert_true(told.times == 1 && told.number == 5);
}

static void the_oldest_are_forgotten_when_too_many_wait(void **state)
{
    struct world *w = *state;
    struct file_state state_of = {.token = 1, .size = SIZE};
    char path[16];
    start(w);
    for (int i = 0; i < REMEMBER_MAX + 100; i++) {
        snprintf(path, sizeof path, "%d", i);
        struct base_key key = key_of(path);
        remember_file(w->core, &key, "/nowhere", &state_of);
        assert_in_range(w->count, 0, 1);
    }
    assert_int_equal(waiting(w), REMEMBER_MAX);
    memset(path, 0, sizeof path);
    char *name = calloc(1, PATH_BYTES_MAX + 1);
    memset(name, 'x', PATH_BYTES_MAX);
    for (int i = 0; i < REMEMBER_TEXT_MAX / PATH_BYTES_MAX + 100; i++) {
        snprintf(path, sizeof path, "long %d", i);
        struct base_key key = key_of(path);
        remember_file(w->core, &key, name, &state_of);
    }
    free(name);
    assert_in_range(waiting(w), 1, REMEMBER_TEXT_MAX / PATH_BYTES_MAX + 1);
    do_all(w); /* none of them is there */
    assert_int_equal(waiting(w), 0);
}

static void small_files_are_not_worth_it(void **state)
{
    struct world *w = *state;
    struct file_state small = {.token = 1, .size = BASE_MIN_BYTES - 1};
    struct base_key key = key_of("a");
    start(w);
    remember_file(w->core, &key, "/nowhere", &small);
    assert_int_equal(waiting(w), 0);
}

static void begin_forget(struct world *w)
{
    struct call *call = calloc(1, sizeof *call);
    call->core = w->core;
    call->client = 5;
    w->core->calls = call;
    verb_forget(call, NULL);
}

static void forget_clears_rows_files_and_the_line(void **state)
{
    struct world *w = *state;
    struct told told;
    start(w);
    remember(w, "a", 1);
    do_all(w);
    remember(w, "b", 2);
    do_job(w, 0);
    begin_forget(w);
    assert_true(atomic_load(&work_out(w)->stop));
    assert_int_equal(waiting(w), 0);
    do_all(w);
    assert_null(w->core->calls);
    assert_string_equal(row_kind(w->reply), "done");
    assert_int_equal(row_get_int(w->reply, "bases", -1), 1);
    assert_in_range(row_get_int(w->reply, "bytes", -1), SIZE, 2 * SIZE);
    assert_int_equal(scratch_count(&w->scratch, "bases"), 0);
    find(w, "a", &told);
    do_all(w);
    assert_true(told.none);
}

static void forget_goes_on_when_its_client_is_gone(void **state)
{
    struct world *w = *state;
    start(w);
    remember(w, "a", 1);
    do_all(w);
    begin_forget(w);
    core_client_gone(w->core, 5);
    do_all(w);
    assert_null(w->reply);
    assert_int_equal(scratch_count(&w->scratch, "bases"), 0);
}

static void without_a_folder_there_is_nothing(void **state)
{
    struct world *w = *state;
    struct told first, second, never;
    w->core->config.bases = NULL;
    remember_start(w->core);
    remember(w, "a", 1);
    struct base_row row = {.key = key_of("a"), .number = 1};
    remember_row(w->core, &row);
    remember_not(w->core, 1);
    find(w, "a", &first);
    find(w, "a", &never);
    find(w, "a", &second);
    remember_cancel(w->core, &never);
    while (w->timer)
        fire(w);
    assert_true(first.times == 1 && first.none && second.times == 1 && second.none && never.times == 0);
    assert_int_equal(w->count, 0);
    begin_forget(w);
    assert_int_equal(row_get_int(w->reply, "bases", -1), 0);
    struct row *status = row_new("status");
    remember_describe(w->core, status);
    assert_int_equal(row_fields(status), 0);
    row_free(status);
}

static void what_is_in_work_ends_soon_when_the_node_stops(void **state)
{
    struct world *w = *state;
    start(w);
    remember(w, "a", 1);
    remember(w, "b", 2);
    do_job(w, 0);
    remember_stop(w->core);
    assert_true(atomic_load(&work_out(w)->stop));
    remember(w, "c", 3);
    do_all(w);
    assert_int_equal(w->made, 0);
    assert_int_equal(scratch_count(&w->scratch, "bases"), 0);
}

static void what_is_out_may_never_come_back(void **state)
{
    struct world *w = *state;
    static struct told told;
    start(w);
    remember(w, "a", 1);
    do_job(w, 0);
    remember(w, "a", 2);
    remember(w, "b", 3);
    find(w, "b", &told);
    find(w, "c", &told);
    assert_in_range(w->count, 2, OUT_MAX); /* and teardown frees all of it */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(gather_1_what_was_fetched_is_remembered),
        TEST(what_is_known_already_is_not_made_again),
        TEST(clones_go_first_one_job_at_a_time_by_the_quiet_worker),
        TEST(a_file_that_was_edited_before_it_was_cloned_is_not_remembered),
        TEST(a_file_that_was_edited_after_that_is),
        TEST(who_needs_a_base_in_line_waits_and_it_is_made_at_once),
        TEST(who_needs_one_that_is_in_work_waits_for_it),
        TEST(nothing_is_begun_before_the_folder_was_swept),
        TEST(a_newer_state_takes_the_place_of_one_in_line),
        TEST(a_base_that_was_made_elsewhere_takes_its_place_too),
        TEST(a_find_that_is_cancelled_is_never_answered),
        TEST(gather_7_content_that_moved_is_found_by_likeness),
        TEST(the_oldest_are_forgotten_when_too_many_wait),
        TEST(small_files_are_not_worth_it),
        TEST(forget_clears_rows_files_and_the_line),
        TEST(forget_goes_on_when_its_client_is_gone),
        TEST(without_a_folder_there_is_nothing),
        TEST(what_is_in_work_ends_soon_when_the_node_stops),
        TEST(what_is_out_may_never_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
