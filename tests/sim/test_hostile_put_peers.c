/* Puts to peers that answer nonsense, in the simulated world: each put ends in time, nothing of it is left, and where it says
 * that it is done, the right content is there. */
#include "core_internal.h"
#include "put_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SIZE (1u << 20)

/* Changes answers of one type on their way from hugo. */
struct liar {
    enum msg_type type;
    void (*lie)(struct msg *m);
    unsigned times; /* that it lies; then it does not any more */
    unsigned told;
};

static void tell_lies(void *arg, struct world_message *m)
{
    struct liar *l = arg;
    struct msg *msg = calloc(1, sizeof *msg);
    uint8_t *copy = malloc(m->n);
    assert_true(msg && copy);
    memcpy(copy, m->bytes, m->n);
    if (m->from == HUGO && l->told < l->times && msg_decode(copy, m->n, msg) == 0 && msg->type == l->type) {
        l->told++;
        l->lie(msg);
        assert_int_equal(msg_encode(msg, m->bytes, MSG_BYTES_MAX, &m->n), 0);
    }
    free(copy);
    free(msg);
}

/* An update without a base, so that everything is asked for. */
static void update(struct puts *t, struct liar *l)
{
    make_file(t, HUGO, "docs/a.bin", SIZE, 1);
    make_file(t, ANNA, "a.bin", SIZE, 1);
    edit_file(t, ANNA, "a.bin", 500000, 300);
    world_tap(t->w, tell_lies, l);
    start_put(t, put_row(t, "a.bin", NULL, "hugo:docs/a.bin"));
    until_put_over(t, 120 * SECOND);
    world_tap(t->w, NULL, NULL);
    assert_true(l->told > 0);
    run_for(t, 5 * SECOND);
    assert_quiet(t);
}

static void comes_right(struct puts *t, enum msg_type type, void (*lie)(struct msg *m), unsigned times)
{
    struct liar l = {type, lie, times, 0};
    update(t, &l);
    assert_went_well(t);
    assert_same(t, "a.bin", "docs/a.bin");
}

/* ---- lies */

static void no_limits(struct msg *m)
{
    m->file_ok.limits = (struct gather_limits){0};
}

static void small_limits(struct msg *m)
{
    m->file_ok.limits = (struct gather_limits){.regions = 1, .bytes = 100000, .size = SIZE, .budget = 1};
}

static void nothing_at_once(struct msg *m)
{
    m->file_ok.limits = (struct gather_limits){.size = INT64_MAX};
}

static void other_token(struct msg *m)
{
    m->file_ok.state.token++;
}

static void huge_index(struct msg *m)
{
    m->index_ok.bytes = INDEX_BYTES_MAX;
}

static void other_index(struct msg *m)
{
    m->index_ok.token ^= 1;
}

static void no_such_parcel(struct msg *m)
{
    memset(&m->index_ok.parcel, 7, sizeof m->index_ok.parcel);
}

static void fewer_literals(struct msg *m)
{
    m->literals.bytes--;
}

static void refuses(struct msg *m)
{
    m->gather_ok.taken = false;
    m->gather_ok.limits.wait_ms = 0;
}

static void refuses_for_now(struct msg *m)
{
    m->gather_ok.taken = false;
    m->gather_ok.limits.wait_ms = UINT32_MAX;
}

static void refuses_until_nothing_is_left(struct msg *m)
{
    m->gather_ok.taken = false;
    m->gather_ok.limits = (struct gather_limits){0};
}

static void elsewhere(struct msg *m)
{
    m->gather_ok.end += 1;
}

static void any_state(struct msg *m)
{
    uint64_t size = m->commit_ok.state.size;
    memset(&m->commit_ok.state, 0x7f, sizeof m->commit_ok.state);
    m->commit_ok.state.size = size;
    m->commit_ok.state.mtime_ns = 0;
    m->commit_ok.state.mode = 0777;
}

static void other_size(struct msg *m)
{
    m->commit_ok.state.size++;
}

static void s53_limits_are_kept_to_whatever_they_are(void **state)
{
    struct puts *t = *state;
    comes_right(t, MSG_FILE_OK, no_limits, 100);
    comes_right(t, MSG_FILE_OK, small_limits, 100);
    comes_right(t, MSG_FILE_OK, nothing_at_once, 100);
}

static void p40_states_that_do_not_fit(void **state)
{
    struct puts *t = *state;
    comes_right(t, MSG_FILE_OK, other_token, 1);
    comes_right(t, MSG_FILE_OK, other_token, 2);
    comes_right(t, MSG_INDEX_OK, other_index, 1);
}

static void indexes_that_cannot_be_had(void **state)
{
    struct puts *t = *state;
    comes_right(t, MSG_INDEX_OK, huge_index, 1);
    comes_right(t, MSG_INDEX_OK, no_such_parcel, 1);
}

static void literals_that_did_not_come(void **state)
{
    comes_right(*state, MSG_LITERALS_OK, fewer_literals, 100);
}

static void gathers_that_are_not_taken(void **state)
{
    struct puts *t = *state;
    comes_right(t, MSG_GATHER_OK, refuses, 100);
    comes_right(t, MSG_GATHER_OK, refuses_for_now, 1);
    comes_right(t, MSG_GATHER_OK, refuses_until_nothing_is_left, 100);
    comes_right(t, MSG_GATHER_OK, elsewhere, 100);
}

static void a_state_that_is_none(void **state)
{
    struct puts *t = *state;
    comes_right(t, MSG_COMMIT_OK, any_state, 1);
    edit_file(t, ANNA, "a.bin", 1, 1); /* the base fits nothing */
    put(t, "a.bin", "hugo:docs/a.bin");
    assert_same(t, "a.bin", "docs/a.bin");
}

static void a_file_of_another_size_is_not_what_was_put(void **state)
{
    struct puts *t = *state;
    struct liar l = {MSG_COMMIT_OK, other_size, 1, 0};
    update(t, &l);
    assert_string_equal(t->code, "verify");
    put(t, "a.bin", "hugo:docs/a.bin");
    assert_same(t, "a.bin", "docs/a.bin");
}

static void is_folder(struct msg *m)
{
    m->file_ok.kind = FILE_DIR;
}

static void everything_is_a_folder(void **state)
{
    struct liar l = {MSG_FILE_OK, is_folder, 100, 0};
    update(*state, &l);
    assert_string_not_equal(((struct puts *)*state)->code, "");
}

/* ---- any lies */

struct noise {
    struct puts *t;
    uint64_t one_in;
};

static void make_noise(void *arg, struct world_message *m)
{
    struct noise *n = arg;
    if (m->from == HUGO && world_random(n->t->w) % n->one_in == 0)
        m->bytes[world_random(n->t->w) % m->n] ^= (uint8_t)(1u << world_random(n->t->w) % 8);
}

/* Whatever came of it, the next one makes it right. */
static void answers_of_any_bytes(void **state)
{
    struct puts *t = *state;
    make_file(t, ANNA, "a.bin", SIZE, 3);
    for (unsigned i = 0; i < 30; i++) {
        struct noise n = {t, 2 + i % 5};
        edit_file(t, ANNA, "a.bin", i * 1000, 500);
        world_tap(t->w, make_noise, &n);
        start_put(t, put_row(t, "a.bin", NULL, "hugo:docs/a.bin"));
        until_put_over(t, 300 * SECOND);
        world_tap(t->w, NULL, NULL);
        run_for(t, 130 * SECOND); /* handles whose answers were garbled are closed when nobody uses them */
        assert_quiet(t);
        start_put(t, put_row(t, "a.bin", NULL, "hugo:docs/a.bin"));
        until_put_over(t, 60 * SECOND);
        assert_went_well(t);
        assert_same(t, "a.bin", "docs/a.bin");
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, puts_setup, puts_teardown)
    const struct CMUnitTest tests[] = {
        TEST(s53_limits_are_kept_to_whatever_they_are),
        TEST(p40_states_that_do_not_fit),
        TEST(indexes_that_cannot_be_had),
        TEST(literals_that_did_not_come),
        TEST(gathers_that_are_not_taken),
        TEST(a_state_that_is_none),
        TEST(a_file_of_another_size_is_not_what_was_put),
        TEST(everything_is_a_folder),
        TEST(answers_of_any_bytes),
    };
    return cmocka_run_group_tests_name("sim_hostile_put_peers", tests, NULL, NULL);
}
