/* Named pipes in the simulated world: programs that listen and send, what they are told, and what they are refused. */
#include "pipe_programs.h"

#include "core_internal.h"
#include "pipes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { ANNA, BOB, CAROL };

static struct row *request(const char *verb, const char *key, const char *value)
{
    struct row *row = row_new(verb);
    if (key)
        row_text(row, key, value);
    return row;
}

static void join(struct world *w, size_t a, size_t b)
{
    char ticket[300];
    const struct answer *invited = world_call(w, a, row_new("invite"));
    assert_true(invited->done);
    snprintf(ticket, sizeof ticket, "%s", row_get_text(answer_row(invited, "ticket", 0), "ticket", ""));
    assert_true(world_call(w, b, request("join", "ticket", ticket))->done);
}

/* Nodes that all trust each other, or (anna, bob and carol, when `friends` is 2) but for carol. */
static struct world *world_of(uint64_t seed, size_t nodes, size_t friends)
{
    static const char *const names[] = {"anna", "bob", "carol", "dave"};
    struct world *w = world_new(seed);
    for (size_t i = 0; i < nodes; i++)
        world_start(w, world_add(w, names[i]));
    world_run(w, world_now(w) + SECOND);
    for (size_t i = 0; i < friends; i++)
        for (size_t j = 0; j < i; j++)
            join(w, i, j);
    return w;
}

static void run(struct world *w, uint64_t time)
{
    world_run(w, world_now(w) + time);
}

/* ---- what is expected of a program */

static bool writer_over(struct world *w, void *arg)
{
    const struct writer *s = arg;
    (void)w;
    return s->done || s->code[0];
}

static void await_writer(struct world *w, struct writer *s, uint64_t time)
{
    if (!world_run_until(w, writer_over, s, world_now(w) + time))
        fail_msg("after %llu s: state %s, %llu of %llu pushed, %llu taken", (unsigned long long)(time / SECOND), s->state,
                 (unsigned long long)s->pushed, (unsigned long long)s->total, (unsigned long long)s->taken);
}

static void assert_done(const struct writer *s)
{
    if (!s->done)
        fail_msg("%s: %s", s->code, s->text);
    assert_int_equal(s->messages, s->total);
    assert_int_equal(s->bytes, s->total * s->size);
}

static void assert_refused(const struct writer *s, const char *code, const char *text)
{
    assert_false(s->done);
    if (strcmp(s->code, code) != 0 || !strstr(s->text, text))
        fail_msg("'%s: %s' is not '%s: %s'", s->code, s->text, code, text);
}

static void start_reader(struct world *w, struct reader *r, size_t node, struct row *listen)
{
    *r = (struct reader){.idle = r->idle};
    reader_start(r, w, node, listen);
    run(w, 10 * MILLISECOND);
    if (!r->bound)
        fail_msg("%s: %s", r->code, r->text);
}

static void refuse_reader(struct world *w, size_t node, struct row *listen, const char *code, const char *text)
{
    struct reader r = {0};
    reader_start(&r, w, node, listen);
    run(w, 10 * MILLISECOND);
    assert_false(r.bound);
    assert_string_equal(r.code, code);
    if (!strstr(r.text, text))
        fail_msg("'%s' does not say '%s'", r.text, text);
    reader_leave(&r);
}

static void refuse_writer(struct world *w, size_t node, struct row *send, const char *code, const char *text)
{
    struct writer s = {.total = 1, .size = 8};
    writer_start(&s, w, node, send);
    await_writer(w, &s, 30 * SECOND);
    assert_refused(&s, code, text);
    writer_leave(&s);
}

/* ---- messages in order */

static void send_through(struct world *w, size_t node, const char *pipe, struct reader *r)
{
    struct writer s = {.total = 5000, .size = 256};
    writer_start(&s, w, node, send_to(pipe));
    await_writer(w, &s, 10 * SECOND);
    assert_done(&s);
    run(w, SECOND);
    assert_int_equal(r->messages, s.total);
    assert_int_equal(r->bytes, s.total * s.size);
    assert_int_equal(r->disorder, 0);
    assert_int_equal(r->began, 1);
    assert_int_equal(r->ended, 1);
    writer_leave(&s);
}

static void pipe_4_messages_of_an_owned_pipe_arrive_in_order(void **state)
{
    (void)state;
    struct world *w = world_of(1, 2, 2);
    struct reader r = {0};
    start_reader(w, &r, BOB, listen_on("log"));
    assert_string_equal(r.pipe, "bob:log");
    send_through(w, ANNA, "bob:log", &r);
    assert_string_equal(r.from, "anna");
    world_free(w);
}

static void pipe_4_messages_of_a_shared_pipe_arrive_in_order(void **state)
{
    (void)state;
    struct world *w = world_of(2, 2, 2);
    struct reader r = {0};
    struct row *listen = listen_on("log");
    row_bool(listen, "shared", true);
    start_reader(w, &r, BOB, listen);
    assert_string_equal(r.pipe, "log");
    send_through(w, ANNA, "log", &r);
    world_free(w);
}

static void programs_of_one_node_reach_each_other(void **state)
{
    (void)state;
    struct world *w = world_of(3, 1, 0);
    struct reader r = {0};
    start_reader(w, &r, ANNA, listen_on("anna:log"));
    send_through(w, ANNA, "anna:log", &r);
    assert_string_equal(r.from, "anna");
    world_free(w);
}

static void messages_of_every_size_pass_through(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {8, 9, 4096, 16384, PIPE_MESSAGE_MAX - 1, PIPE_MESSAGE_MAX};
    struct world *w = world_of(4, 2, 2);
    struct reader r = {0};
    start_reader(w, &r, BOB, listen_on("log"));
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct writer s = {.total = 300, .size = sizes[i]};
        uint64_t before = r.bytes;
        writer_start(&s, w, ANNA, send_to("bob:log"));
        await_writer(w, &s, 30 * SECOND);
        assert_done(&s);
        assert_int_equal(r.bytes - before, 300 * sizes[i]);
        writer_leave(&s);
    }
    assert_int_equal(r.disorder, 0);
    world_free(w);
}

static void many_senders_share_a_pipe(void **state)
{
    (void)state;
    struct world *w = world_of(5, 3, 3);
    struct reader r = {0};
    struct writer s[8];
    start_reader(w, &r, BOB, listen_on("log"));
    for (size_t i = 0; i < 8; i++) {
        s[i] = (struct writer){.total = 2000, .size = 100};
        writer_start(&s[i], w, i % 2 ? ANNA : CAROL, send_to("bob:log"));
    }
    for (size_t i = 0; i < 8; i++) {
        await_writer(w, &s[i], 20 * SECOND);
        assert_done(&s[i]);
    }
    run(w, SECOND);
    assert_int_equal(r.messages, 16000);
    assert_int_equal(r.disorder, 0);
    assert_int_equal(r.ended, 8);
    world_free(w);
}

/* ---- readers that are slow, lie, or go */

static void p44_a_reader_that_takes_nothing_holds_everyone_up_in_bounded_memory(void **state)
{
    (void)state;
    struct world *w = world_of(6, 2, 2);
    struct reader r = {.idle = true};
    struct writer s = {.total = 100000, .size = 256};
    start_reader(w, &r, BOB, listen_on("log"));
    writer_start(&s, w, ANNA, send_to("bob:log"));
    run(w, 60 * SECOND);
    assert_false(writer_over(w, &s));
    assert_string_equal(s.state, "bound");
    assert_int_equal(s.taken, 0);
    assert_true(r.held < (1 << 20) + 2 * BATCH_BYTES_MAX);
    assert_true(s.cost <= r.held + PIPE_CREDIT_BYTES + PIPE_QUEUE_BYTES);
    reader_go(&r);
    await_writer(w, &s, 60 * SECOND);
    assert_done(&s);
    assert_int_equal(r.messages, s.total);
    assert_int_equal(r.disorder, 0);
    world_free(w);
}

static void taken_row(struct reader *r, const char *channel, int64_t seq)
{
    struct row *row = row_new("taken");
    row_text(row, "channel", channel);
    row_int(row, "seq", seq);
    program_send(r->program, row);
}

static void p44_a_reader_cannot_take_what_it_was_not_given(void **state)
{
    (void)state;
    struct world *w = world_of(7, 2, 2);
    static const char *const channels[] = {NULL, "nonsense", ""};
    for (size_t i = 0; i < 3; i++) {
        struct reader r = {.idle = true};
        struct writer s = {.total = 10, .size = 256};
        start_reader(w, &r, BOB, listen_on("log"));
        writer_start(&s, w, ANNA, send_to("bob:log"));
        run(w, SECOND);
        assert_int_equal(r.messages, 10);
        taken_row(&r, channels[i] ? channels[i] : r.channel[0].name, 12);
        run(w, 10 * MILLISECOND);
        assert_string_equal(r.code, "usage");
        reader_leave(&r);
        await_writer(w, &s, 30 * SECOND);
        assert_refused(&s, "not-found", "0 of 10 messages had been taken");
        writer_leave(&s);
    }
    world_free(w);
}

/* Late, early, of channels that never were: nothing comes of it. */
static void rows_about_nothing_are_passed_over(void **state)
{
    (void)state;
    struct world *w = world_of(8, 2, 2);
    struct reader r = {0};
    start_reader(w, &r, BOB, listen_on("log"));
    char channel[BASE32_CHARS(TAG_BYTES) + 1];
    struct tag tag = {{1, 2, 3}};
    base32_encode(tag.b, TAG_BYTES, channel);
    taken_row(&r, channel, 1000);
    program_send(r.program, row_new("accept"));
    program_send(r.program, row_new("refuse"));
    program_send(r.program, row_new("batch"));
    program_send(r.program, row_new("pipe-listen"));
    run(w, SECOND);
    assert_string_equal(r.code, "");
    send_through(w, ANNA, "bob:log", &r);
    world_free(w);
}

static void p44_a_reader_that_dies_is_told_to_the_sender(void **state)
{
    (void)state;
    struct world *w = world_of(9, 2, 2);
    struct reader r = {0};
    struct writer s = {.total = 1000000, .size = 256, .open = true};
    start_reader(w, &r, BOB, listen_on("log"));
    struct row *send = send_to("bob:log");
    row_int(send, "wait_ms", 2000);
    writer_start(&s, w, ANNA, send);
    run(w, 100 * MILLISECOND);
    assert_string_equal(s.state, "bound");
    reader_leave(&r);
    uint64_t taken = r.messages;
    assert_true(taken > 0);
    await_writer(w, &s, 20 * SECOND);
    assert_refused(&s, "not-found", "messages had been taken");
    assert_true(s.summed);
    assert_true(s.messages <= taken);
    world_free(w);
}

static bool has_read_some(struct world *w, void *arg)
{
    const struct reader *r = arg;
    (void)w;
    return r->messages > 20000;
}

static void p44_another_reader_goes_on_where_the_first_one_ended(void **state)
{
    (void)state;
    struct world *w = world_of(10, 2, 2);
    struct reader first = {0}, second = {0};
    struct writer s = {.total = 200000, .size = 256};
    start_reader(w, &first, BOB, listen_on("log"));
    writer_start(&s, w, ANNA, send_to("bob:log"));
    assert_true(world_run_until(w, has_read_some, &first, world_now(w) + SECOND));
    reader_leave(&first);
    assert_true(first.messages < s.total);
    run(w, SECOND);
    start_reader(w, &second, BOB, listen_on("log"));
    await_writer(w, &s, 60 * SECOND);
    assert_done(&s);
    assert_int_equal(first.disorder, 0);
    assert_true(first.messages + second.messages >= s.total);
    assert_true(second.disorder <= 1); /* it begins in the middle */
    assert_int_equal(second.channel[0].next, s.total);
    world_free(w);
}

static void s26_a_sender_that_pushes_more_than_there_is_room_is_refused(void **state)
{
    (void)state;
    struct world *w = world_of(11, 2, 2);
    struct reader r = {.idle = true};
    struct writer s = {.total = 1, .size = 256, .open = true};
    start_reader(w, &r, BOB, listen_on("log"));
    writer_start(&s, w, ANNA, send_to("bob:log"));
    run(w, SECOND);
    s.deaf = true;
    for (int i = 0; i < 400 && !s.code[0]; i++) {
        static const uint8_t batch[BATCH_HEAD + 40000] = {0, 0, 40000 >> 8, 40000 & 0xff};
        struct row *row = row_new("batch");
        row_data(row, "batch", batch, sizeof batch);
        program_send(s.program, row);
        run(w, MILLISECOND);
    }
    assert_refused(&s, "full", "more was pushed than");
    assert_true(s.summed);
    world_free(w);
}

static void a_batch_that_is_none_ends_the_call(void **state)
{
    (void)state;
    struct world *w = world_of(12, 2, 2);
    struct reader r = {0};
    start_reader(w, &r, BOB, listen_on("log"));
    for (int i = 0; i < 2; i++) {
        struct writer s = {.open = true};
        struct row *row = row_new("batch");
        if (i)
            row_data(row, "batch", "\0\0\0\5four", 8);
        writer_start(&s, w, ANNA, send_to("bob:log"));
        program_send(s.program, row);
        await_writer(w, &s, SECOND);
        assert_refused(&s, "malformed", "no batch of messages");
        writer_leave(&s);
    }
    world_free(w);
}

/* ---- names and rights */

static void p26_names_that_are_none_are_refused(void **state)
{
    (void)state;
    struct world *w = world_of(13, 2, 2);
    char longest[NAME_MAX_BYTES + 8] = "bob:", *name = longest + 4;
    memset(name, 'x', NAME_MAX_BYTES + 1);
    static const char *const wrong[] = {"", "a\nb", "\x1b[31m", "a/b", "..", "-x", "a:b:c", "bob:", ":log", "a b "};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        refuse_reader(w, BOB, listen_on(wrong[i]), "usage", "");
        refuse_writer(w, ANNA, send_to(wrong[i]), "usage", "");
    }
    refuse_reader(w, BOB, listen_on(name), "usage", "63 bytes");
    refuse_writer(w, ANNA, send_to(longest), "usage", "63 bytes");
    name[NAME_MAX_BYTES] = '\0';
    struct reader r = {0};
    start_reader(w, &r, BOB, listen_on(name));
    send_through(w, ANNA, longest, &r);
    refuse_reader(w, BOB, listen_on("anna:log"), "usage", "node's own");
    refuse_writer(w, ANNA, send_to("nobody:log"), "not-found", "nobody");
    world_free(w);
}

static void a_pipe_has_one_reader_at_a_node(void **state)
{
    (void)state;
    struct world *w = world_of(14, 2, 2);
    struct reader r = {0};
    start_reader(w, &r, BOB, listen_on("log"));
    refuse_reader(w, BOB, listen_on("log"), "exists", "listens on 'log' already");
    struct row *shared = listen_on("log");
    row_bool(shared, "shared", true);
    struct reader other = {0};
    start_reader(w, &other, BOB, shared); /* another pipe */
    reader_leave(&r);
    start_reader(w, &r, BOB, listen_on("log"));
    world_free(w);
}

static struct row *with_int(struct row *row, const char *name, int64_t value)
{
    row_int(row, name, value);
    return row;
}

static struct row *with_text(struct row *row, const char *name, const char *value)
{
    row_text(row, name, value);
    return row;
}

static struct row *with_flag(struct row *row, const char *name)
{
    row_bool(row, name, true);
    return row;
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    struct world *w = world_of(15, 2, 2);
    refuse_reader(w, BOB, listen_on("files"), "usage", "service");
    refuse_reader(w, BOB, listen_on("bob:pipes"), "usage", "service");
    refuse_reader(w, BOB, with_int(listen_on("x"), "rank", 256), "usage", "0 to 255");
    refuse_reader(w, BOB, with_int(listen_on("x"), "rank", -1), "usage", "0 to 255");
    refuse_reader(w, BOB, with_text(listen_on("x"), "transport", "pigeon"), "usage", "pigeon");
    refuse_reader(w, BOB, with_text(listen_on("x"), "transport", "ws"), "unsupported", "ws");
    refuse_reader(w, BOB, with_text(listen_on("x"), "to", "nobody"), "not-found", "nobody");
    refuse_reader(w, BOB, with_flag(with_text(listen_on("x"), "to", "anna"), "public"), "usage", "not for both");
    refuse_writer(w, ANNA, with_int(send_to("bob:x"), "wait_ms", -1), "usage", "waits");
    refuse_writer(w, ANNA, with_text(send_to("bob:x"), "transport", "pigeon"), "usage", "pigeon");
    struct row *many = listen_on("x");
    for (int i = 0; i <= AUDIENCE_MAX; i++)
        row_text(many, "to", "anna");
    refuse_reader(w, BOB, many, "limit", "64");
    struct reader r = {0};
    start_reader(w, &r, BOB, with_flag(listen_on("files"), "shared")); /* only owned ones are services */
    world_free(w);
}

/* Who may send into the pipe that is bound so? */
static void check_audience(struct world *w, struct row *listen, bool anna, bool carol)
{
    struct reader r = {0};
    start_reader(w, &r, BOB, listen);
    for (size_t node = ANNA; node <= CAROL; node += CAROL - ANNA) {
        struct writer s = {.total = 10, .size = 8};
        writer_start(&s, w, node, send_to("bob:log"));
        await_writer(w, &s, 30 * SECOND);
        if (node == ANNA ? anna : carol)
            assert_done(&s);
        else
            assert_refused(&s, "refused", "may not");
        writer_leave(&s);
    }
    reader_leave(&r);
}

static void s10_only_those_whom_a_pipe_is_for_may_use_it(void **state)
{
    (void)state;
    struct world *w = world_of(16, 3, 2);
    check_audience(w, listen_on("log"), true, false);
    check_audience(w, with_flag(listen_on("log"), "public"), true, true);
    check_audience(w, with_text(listen_on("log"), "to", "anna"), true, false);
    check_audience(w, with_text(listen_on("log"), "to", "carol"), false, true);
    world_free(w);
}

/* ---- not found */

static void pipe_6_a_pipe_that_nobody_binds_is_told_in_time(void **state)
{
    (void)state;
    struct world *w = world_of(17, 3, 3);
    uint64_t before = world_now(w);
    refuse_writer(w, ANNA, with_int(send_to("bob:nothing"), "wait_ms", 1000), "not-found", "nobody");
    assert_true(world_now(w) - before >= SECOND && world_now(w) - before < 5 * SECOND);
    refuse_writer(w, ANNA, with_int(send_to("nothing"), "wait_ms", 5000), "not-found", "2 peers");
    world_free(w);
}

static void pipe_3_another_type_or_transport_is_not_taken_but_named(void **state)
{
    (void)state;
    struct world *w = world_of(18, 2, 2);
    struct reader r = {0}, news = {0};
    start_reader(w, &r, BOB, with_text(listen_on("log"), "transport", "tcp"));
    start_reader(w, &news, BOB, with_flag(listen_on("news"), "propagate"));
    struct row *send = with_text(with_int(send_to("bob:log"), "wait_ms", 100), "transport", "ipc");
    refuse_writer(w, ANNA, send, "not-found", "cannot be reached by ipc, only by tcp");
    refuse_writer(w, ANNA, with_int(send_to("bob:news"), "wait_ms", 100), "not-found", "--propagate");
    struct row *tcp = with_text(send_to("bob:log"), "transport", "tcp");
    struct writer s = {.total = 10, .size = 8};
    writer_start(&s, w, ANNA, tcp);
    await_writer(w, &s, 10 * SECOND);
    assert_done(&s);
    world_free(w);
}

static void a_sender_waits_for_a_pipe_to_be_bound(void **state)
{
    (void)state;
    struct world *w = world_of(19, 2, 2);
    struct writer s = {.total = 100, .size = 8};
    struct reader r = {0};
    writer_start(&s, w, ANNA, send_to("bob:log"));
    run(w, 2 * SECOND);
    assert_string_equal(s.state, "seeking");
    start_reader(w, &r, BOB, listen_on("log"));
    await_writer(w, &s, 5 * SECOND);
    assert_done(&s);
    assert_string_equal(s.peer, "bob");
    world_free(w);
}

static bool has_pipe(const struct answer *a, const char *pipe)
{
    for (size_t i = 0; i < answer_count(a, "pipe"); i++)
        if (strcmp(row_get_text(answer_row(a, "pipe", i), "pipe", ""), pipe) == 0)
            return true;
    return false;
}

/* ---- what is there */

static void pipe_6_resolve_shows_all_that_have_a_shared_pipe_bound(void **state)
{
    (void)state;
    struct world *w = world_of(20, 3, 3);
    struct reader first = {0}, second = {0};
    start_reader(w, &first, BOB, with_int(with_flag(listen_on("log"), "shared"), "rank", 9));
    start_reader(w, &second, CAROL, with_int(with_flag(listen_on("log"), "shared"), "rank", 3));
    const struct answer *a = world_call(w, ANNA, request("pipe-resolve", "pipe", "log"));
    assert_true(a->done);
    assert_string_equal(row_get_text(answer_row(a, "pipe", 0), "type", ""), "unicast");
    assert_true(answer_count(a, "endpoint") > 0);
    start_reader(w, &first, ANNA, with_flag(with_flag(listen_on("news"), "shared"), "propagate"));
    a = world_call(w, BOB, request("pipe-resolve", "pipe", "news"));
    assert_true(a->done);
    assert_string_equal(row_get_text(answer_row(a, "pipe", 0), "type", ""), "propagate");
    assert_string_equal(row_get_text(answer_row(a, "pipe", 0), "peer", ""), "anna");
    a = world_call(w, ANNA, request("pipe-resolve", "pipe", "anna:pipes")); /* at this very node */
    assert_true(a->done);
    assert_string_equal(row_get_text(answer_row(a, "pipe", 0), "peer", ""), "anna");
    world_free(w);
}

static void ls_tells_what_is_bound_and_who_may_know(void **state)
{
    (void)state;
    struct world *w = world_of(21, 3, 2);
    struct reader log = {0}, shared = {0}, open = {0};
    struct writer s = {.total = 10, .size = 8, .open = true};
    start_reader(w, &log, BOB, listen_on("log"));
    start_reader(w, &shared, BOB, with_int(with_flag(listen_on("log"), "shared"), "rank", 7));
    start_reader(w, &open, BOB, with_flag(listen_on("open"), "public"));
    writer_start(&s, w, ANNA, send_to("bob:log"));
    run(w, SECOND);
    const struct answer *a = world_call(w, BOB, row_new("pipe-ls"));
    assert_int_equal(answer_count(a, "pipe"), 3);
    assert_true(has_pipe(a, "bob:log") && has_pipe(a, "log") && has_pipe(a, "bob:open"));
    assert_int_equal(row_get_int(answer_row(a, "pipe", 0), "channels", -1), 1);
    a = world_call(w, ANNA, request("pipe-ls", "peer", "bob"));
    assert_int_equal(answer_count(a, "pipe"), 3);
    assert_true(has_pipe(a, "bob:log") && has_pipe(a, "log") && has_pipe(a, "bob:open"));
    assert_int_equal(row_get_int(answer_row(a, "pipe", 1), "rank", -1), 7);
    a = world_call(w, CAROL, request("pipe-ls", "peer", "bob"));
    assert_int_equal(answer_count(a, "pipe"), 1);
    assert_true(has_pipe(a, "bob:open"));
    a = world_call(w, BOB, row_new("status"));
    assert_int_equal(row_get_int(answer_row(a, "status", 0), "pipes", -1), 3);
    assert_int_equal(row_get_int(answer_row(a, "status", 0), "channels", -1), 1);
    world_free(w);
}

/* More than a page, with an owned and a shared pipe of one name where it ends. */
static void ls_of_many_pipes_comes_in_pages_and_loses_none(void **state)
{
    (void)state;
    struct world *w = world_of(22, 2, 2);
    static struct reader r[2 * PIPES_PAGE_MAX + 60];
    size_t count = sizeof r / sizeof r[0];
    for (size_t i = 0; i < count; i++) {
        char name[16];
        snprintf(name, sizeof name, "p%05zu", (i + 1) / 2);
        start_reader(w, &r[i], BOB, i % 2 ? listen_on(name) : with_flag(listen_on(name), "shared"));
    }
    const struct answer *a = world_call(w, ANNA, request("pipe-ls", "peer", "bob"));
    assert_true(a->done);
    assert_int_equal(answer_count(a, "pipe"), count);
    for (size_t i = 0; i < count; i++)
        assert_true(has_pipe(a, r[i].pipe));
    world_free(w);
}

/* ---- propagate pipes */

static void pipe_7_a_propagate_pipe_reaches_all_who_listen(void **state)
{
    (void)state;
    struct world *w = world_of(23, 3, 3);
    struct reader r[3];
    struct writer s = {.total = 200, .size = 100};
    for (size_t i = 0; i < 3; i++) {
        r[i] = (struct reader){0};
        start_reader(w, &r[i], i, with_flag(with_flag(listen_on("news"), "shared"), "propagate"));
    }
    writer_start(&s, w, ANNA, with_flag(send_to("news"), "propagate"));
    await_writer(w, &s, 10 * SECOND);
    assert_done(&s);
    run(w, 5 * SECOND);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(r[i].messages, s.total);
        assert_string_equal(r[i].from, "anna");
    }
    world_free(w);
}

static void p45_a_slow_reader_of_a_propagate_pipe_loses_the_oldest_and_is_told(void **state)
{
    (void)state;
    struct world *w = world_of(24, 1, 0);
    struct reader r = {.idle = true};
    struct writer s = {.total = 300, .size = 30000};
    start_reader(w, &r, ANNA, with_flag(with_flag(listen_on("news"), "shared"), "propagate"));
    writer_start(&s, w, ANNA, with_flag(send_to("news"), "propagate"));
    await_writer(w, &s, 60 * SECOND);
    run(w, SECOND);
    assert_true(r.held < (1 << 20) + BATCH_BYTES_MAX);
    reader_go(&r);
    run(w, SECOND);
    assert_true(r.dropped > 100);
    assert_int_equal(r.messages + r.dropped, s.total);
    assert_int_equal(r.channel[0].next, s.total); /* the newest is there */
    world_free(w);
}

static void s26_a_message_too_long_for_a_propagate_pipe_is_refused(void **state)
{
    (void)state;
    struct world *w = world_of(25, 2, 2);
    struct writer s = {.total = 1, .size = SPREAD_BYTES_MAX + 1};
    writer_start(&s, w, ANNA, with_flag(send_to("news"), "propagate"));
    await_writer(w, &s, SECOND);
    assert_refused(&s, "limit", "32768");
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipe_4_messages_of_an_owned_pipe_arrive_in_order),
        cmocka_unit_test(pipe_4_messages_of_a_shared_pipe_arrive_in_order),
        cmocka_unit_test(programs_of_one_node_reach_each_other),
        cmocka_unit_test(messages_of_every_size_pass_through),
        cmocka_unit_test(many_senders_share_a_pipe),
        cmocka_unit_test(p44_a_reader_that_takes_nothing_holds_everyone_up_in_bounded_memory),
        cmocka_unit_test(p44_a_reader_cannot_take_what_it_was_not_given),
        cmocka_unit_test(rows_about_nothing_are_passed_over),
        cmocka_unit_test(p44_a_reader_that_dies_is_told_to_the_sender),
        cmocka_unit_test(p44_another_reader_goes_on_where_the_first_one_ended),
        cmocka_unit_test(s26_a_sender_that_pushes_more_than_there_is_room_is_refused),
        cmocka_unit_test(a_batch_that_is_none_ends_the_call),
        cmocka_unit_test(p26_names_that_are_none_are_refused),
        cmocka_unit_test(a_pipe_has_one_reader_at_a_node),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(s10_only_those_whom_a_pipe_is_for_may_use_it),
        cmocka_unit_test(pipe_6_a_pipe_that_nobody_binds_is_told_in_time),
        cmocka_unit_test(pipe_3_another_type_or_transport_is_not_taken_but_named),
        cmocka_unit_test(a_sender_waits_for_a_pipe_to_be_bound),
        cmocka_unit_test(pipe_6_resolve_shows_all_that_have_a_shared_pipe_bound),
        cmocka_unit_test(ls_tells_what_is_bound_and_who_may_know),
        cmocka_unit_test(ls_of_many_pipes_comes_in_pages_and_loses_none),
        cmocka_unit_test(pipe_7_a_propagate_pipe_reaches_all_who_listen),
        cmocka_unit_test(p45_a_slow_reader_of_a_propagate_pipe_loses_the_oldest_and_is_told),
        cmocka_unit_test(s26_a_message_too_long_for_a_propagate_pipe_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
