/* Byte streams that last: whatever is cut, and wherever, what goes in at either end comes out at the other, no byte missing and
 * none twice; and nobody is believed who says that it has what was never sent. */
#include "bulk_thread.h"
#include "flow_duo.h"
#include "packet.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int setup(void **state)
{
    duo_setup(state);
    duo_last(*state);
    return 0;
}

/* ---- streams that are cut, and go on until both sides have ended */

struct trial {
    struct duo duo; /* first: hooks get its address */
    struct proxy proxy;
    bool proxied, over, unheard; /* unheard: the caller did not hear that the callee has ended */
    int64_t corrupt;             /* this byte of those is altered; 0: none */
    int64_t cut;                 /* of the present connections, after so many bytes from who dials */
    int64_t (*next_cut)(struct trial *x);
    unsigned lives;
    uint64_t rng;
};

static void through_proxy(struct trial *x, struct addr *addr)
{
    assert_false(x->proxied);
    x->proxy.cut_at = x->cut;
    x->proxy.corrupt_at = x->corrupt > 0 ? x->corrupt : -1;
    proxy_start(&x->proxy, addr);
    x->proxied = true;
    *addr = x->proxy.addr;
}

static void on_ready(struct duo *duo)
{
    struct duplex *callee = &duo->end[CALLEE].d;
    if (callee->reception.addr_count > 0)
        through_proxy((struct trial *)(void *)duo, &callee->reception.addr[0]);
    bulk_duplex_start(duo->end[CALLEE].bulk, callee);
}

static void on_answer(struct duo *duo)
{
    struct duplex *callee = &duo->end[CALLEE].d;
    if (callee->answer.addr_count > 0)
        through_proxy((struct trial *)(void *)duo, &callee->answer.addr[0]);
}

static void on_done(struct duo *duo)
{
    struct trial *x = (struct trial *)(void *)duo;
    const struct duplex *caller = &duo->end[CALLER].d, *callee = &duo->end[CALLEE].d;
    if (!duo_is_over(&duo->pair))
        return;
    if (x->proxied)
        proxy_stop(&x->proxy);
    x->proxied = false;
    if (caller->parked && callee->parked) {
        x->lives++;
        x->cut = x->next_cut(x);
        duo_again(duo);
        return;
    }
    if (callee->parked && !x->corrupt)
        fail_msg("%s", "the caller ended, and the callee waits for it");
    x->unheard = caller->parked && callee->fault.code == 0;
    x->over = true;
}

static bool is_over(const struct pair *p)
{
    return ((const struct trial *)(const void *)p)->over;
}

static struct trial *trial_new(bool caller_listens, int64_t cut, int64_t (*next_cut)(struct trial *x))
{
    struct trial *x = calloc(1, sizeof *x);
    assert_non_null(x);
    duo_make(&x->duo);
    duo_last(&x->duo);
    x->duo.end[CALLER].d.listen = caller_listens;
    x->duo.on_ready = on_ready;
    x->duo.on_answer = on_answer;
    x->duo.on_done = on_done;
    x->cut = cut;
    x->next_cut = next_cut;
    x->rng = 88172645463325252ull;
    return x;
}

static void trial_free(struct trial *x)
{
    duo_break(&x->duo);
    free(x);
}

/* Both programs have been given everything, whoever knows of it. */
static void assert_whole(const struct trial *x, uint64_t there, uint64_t back)
{
    const struct end *caller = &x->duo.end[CALLER], *callee = &x->duo.end[CALLEE];
    assert_fault(callee, 0);
    if (!x->unheard)
        assert_fault(caller, 0);
    assert_moved(caller, there, back);
    assert_moved(callee, back, there);
}

static int64_t never(struct trial *x)
{
    (void)x;
    return -1;
}

/* ---- a chat, so that every frame is known, cut after every few bytes */

#define ROUNDS 3
static const char question[] = "how many bytes can be lost?", answer[] = "none";

struct chat {
    pthread_t thread;
    struct duo *duo;
    bool wrong;
};

static bool hears(int fd, const char *text)
{
    char buf[64];
    size_t n = 0, want = strlen(text);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (n < want && poll(&p, 1, 30000) == 1) {
        ssize_t got = read(fd, buf + n, want - n);
        if (got <= 0)
            return false;
        n += (size_t)got;
    }
    return n == want && memcmp(buf, text, n) == 0;
}

static bool hears_end(int fd)
{
    char byte;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 30000) == 1 && read(fd, &byte, 1) == 0;
}

static void *chatting(void *arg)
{
    struct chat *chat = arg;
    struct end *caller = &chat->duo->end[CALLER], *callee = &chat->duo->end[CALLEE];
    for (int i = 0; i < ROUNDS && !chat->wrong; i++) {
        chat->wrong |= write(caller->feed, question, strlen(question)) < 0 || !hears(callee->drain, question);
        chat->wrong |= write(callee->feed, answer, strlen(answer)) < 0 || !hears(caller->drain, answer);
    }
    shut(&caller->feed);
    chat->wrong |= !hears_end(callee->drain);
    shut(&callee->feed);
    chat->wrong |= !hears_end(caller->drain);
    return NULL;
}

/* How many bytes passed the proxy; of a cut one, of its last life. */
static int64_t chat_cut_at(bool caller_listens, int64_t cut, unsigned *lives, unsigned *unheard)
{
    struct trial *x = trial_new(caller_listens, cut, never);
    struct chat chat = {.duo = &x->duo};
    duo_start(&x->duo);
    assert_int_equal(bulk_thread(&chat.thread, chatting, &chat), 0);
    pair_until(&x->duo.pair, is_over);
    pthread_join(chat.thread, NULL);
    if (chat.wrong)
        fail_msg("cut after %lld bytes: something else was said", (long long)cut);
    assert_whole(x, ROUNDS * strlen(question), ROUNDS * strlen(answer));
    int64_t passed = x->proxy.passed;
    *lives += x->lives;
    *unheard += x->unheard;
    trial_free(x);
    return passed;
}

#define HANDSHAKES 720 /* bytes, and a few: what is cut before was never joined */

static void cut_everywhere(bool caller_listens)
{
    unsigned lives = 0, unheard = 0, runs = 0;
    int64_t all = chat_cut_at(caller_listens, -1, &lives, &unheard);
    assert_int_equal(lives, 0);
    for (int64_t cut = HANDSHAKES; cut < all; cut += 2, runs++)
        chat_cut_at(caller_listens, cut, &lives, &unheard);
    assert_true(runs > 100 && lives > runs / 2 && unheard < runs / 3);
}

static void relay_7_a_stream_is_cut_after_any_byte_from_the_callee(void **state)
{
    (void)state;
    cut_everywhere(true);
}

static void relay_7_a_stream_is_cut_after_any_byte_from_the_caller(void **state)
{
    (void)state;
    cut_everywhere(false);
}

/* ---- much, cut at random */

static uint64_t draw(struct trial *x)
{
    x->rng ^= x->rng << 13;
    x->rng ^= x->rng >> 7;
    x->rng ^= x->rng << 17;
    return x->rng;
}

#define LIVES 12

static int64_t somewhere(struct trial *x)
{
    return x->lives < LIVES ? (int64_t)(HANDSHAKES + draw(x) % 500000) : -1;
}

static void cut_at_random(bool caller_listens, size_t piece, uint64_t there, uint64_t back)
{
    struct trial *x = trial_new(caller_listens, 300000, somewhere);
    struct load feed[2], drain[2];
    const uint64_t bytes[2] = {there, back};
    duo_start(&x->duo);
    for (int i = 0; i < 2; i++) {
        load_feed(&feed[i], &x->duo.end[i].feed, bytes[i], 65536);
        load_drain(&drain[i], &x->duo.end[i].drain, piece);
    }
    pair_until(&x->duo.pair, is_over);
    for (int i = 0; i < 2; i++) {
        load_join(&feed[i]);
        load_join(&drain[i]);
        assert_false(drain[i].wrong);
        assert_int_equal(drain[i].done, bytes[1 - i]);
    }
    assert_whole(x, there, back);
    assert_true(x->lives >= 5);
    trial_free(x);
}

static void relay_7_much_is_cut_at_random(void **state)
{
    (void)state;
    cut_at_random(true, 65536, 8 << 20, 9 << 20);
    cut_at_random(false, 65536, 9 << 20, 8 << 20);
}

static void relay_7_a_slow_reader_is_cut_at_random(void **state)
{
    (void)state;
    cut_at_random(false, 600, 5 << 20, 1 << 20);
    cut_at_random(true, 600, 1 << 20, 5 << 20);
}

/* Who finds it ends the stream for good, and the other will be told when it comes again; what was given is right so far. */
static void altered(bool caller_listens)
{
    struct trial *x = trial_new(caller_listens, -1, never);
    struct end *finder = &x->duo.end[caller_listens ? CALLER : CALLEE], *other = &x->duo.end[caller_listens ? CALLEE : CALLER];
    struct load feed, drain;
    x->corrupt = 700000;
    duo_start(&x->duo);
    load_feed(&feed, &other->feed, 1 << 20, 65536);
    load_drain(&drain, &finder->drain, 65536);
    pair_until(&x->duo.pair, is_over);
    assert_fault(finder, ERR_VERIFY);
    assert_false(finder->d.parked);
    if (other->d.parked)
        bulk_duplex_drop(other->bulk, &other->d.stream);
    load_join(&feed);
    load_join(&drain);
    assert_false(drain.wrong);
    assert_true(drain.done > 0 && drain.done < 700000);
    trial_free(x);
}

static void p42_what_is_altered_on_the_way_is_never_given(void **state)
{
    (void)state;
    altered(true);
    altered(false);
}

/* ---- on purpose */

static void exchange(struct duo *duo, uint64_t there, uint64_t back, size_t piece)
{
    struct load feed[2], drain[2];
    const uint64_t bytes[2] = {there, back};
    duo_start(duo);
    for (int i = 0; i < 2; i++) {
        load_feed(&feed[i], &duo->end[i].feed, bytes[i], piece);
        load_drain(&drain[i], &duo->end[i].drain, piece);
    }
    duo_finish(duo);
    for (int i = 0; i < 2; i++) {
        load_join(&feed[i]);
        load_join(&drain[i]);
        assert_fault(&duo->end[i], 0);
        assert_false(duo->end[i].d.parked);
        assert_false(drain[i].wrong);
        assert_int_equal(drain[i].done, bytes[1 - i]);
        assert_moved(&duo->end[i], bytes[i], bytes[1 - i]);
    }
}

static void relay_7_nothing_is_cut(void **state)
{
    exchange(*state, 40 << 20, 30 << 20, 65536);
}

static void relay_7_one_byte_at_a_time(void **state)
{
    exchange(*state, 20000, 15000, 1);
}

static void relay_7_nothing_at_all(void **state)
{
    exchange(*state, 0, 0, 1);
}

static void assert_parked(const struct duo *duo)
{
    assert_true(duo->end[CALLER].d.parked && duo->end[CALLEE].d.parked);
}

/* It is moved by either side, again and again, in the middle of a talk. */
static void relay_7_a_stream_is_moved(void **state)
{
    struct duo *duo = *state;
    duo_join(duo);
    for (int i = 0; i < 6; i++) {
        struct end *a = &duo->end[i % 2], *b = &duo->end[1 - i % 2];
        put_text(a->feed, "one");
        expect_text(b->drain, "one");
        bulk_duplex_cancel(b->bulk, &b->d, ERR_CHANGED);
        put_text(a->feed, "and two");
        duo_finish(duo);
        assert_parked(duo);
        assert_fault(b, ERR_CHANGED);
        assert_fault(a, ERR_UNREACHABLE);
        duo_rejoin(duo);
        expect_text(b->drain, "and two");
    }
    shut(&duo->end[CALLER].feed);
    shut(&duo->end[CALLEE].feed);
    duo_finish(duo);
    assert_fault(&duo->end[CALLER], 0);
    assert_fault(&duo->end[CALLEE], 0);
    assert_moved(&duo->end[CALLER], 30, 30);
}

/* One direction has ended before, and its program has gone. */
static void relay_7_an_end_outlives_the_connections(void **state)
{
    struct duo *duo = *state;
    struct end *caller = &duo->end[CALLER], *callee = &duo->end[CALLEE];
    duo_join(duo);
    put_text(caller->feed, "all of it");
    shut(&caller->feed);
    expect_text(callee->drain, "all of it");
    expect_end(callee->drain);
    shut(&callee->drain);
    bulk_duplex_cancel(caller->bulk, &caller->d, ERR_CHANGED);
    duo_finish(duo);
    assert_parked(duo);
    duo_rejoin(duo);
    put_text(callee->feed, "and an answer");
    shut(&callee->feed);
    expect_text(caller->drain, "and an answer");
    expect_end(caller->drain);
    duo_finish(duo);
    assert_fault(caller, 0);
    assert_fault(callee, 0);
}

/* Before new connections stood they were lost, too. */
static void one_is_missing(struct duo *duo)
{
    duo->end[CALLEE].done = duo->end[CALLEE].d.parked = true;
    bulk_duplex_cancel(duo->end[CALLER].bulk, &duo->end[CALLER].d, ERR_CHANGED);
}

static void relay_7_what_comes_to_nothing_leaves_it_parked(void **state)
{
    struct duo *duo = *state;
    duo_join(duo);
    put_text(duo->end[CALLER].feed, "early");
    expect_text(duo->end[CALLEE].drain, "early");
    bulk_duplex_cancel(duo->end[CALLER].bulk, &duo->end[CALLER].d, ERR_CHANGED);
    duo_finish(duo);
    for (int i = 0; i < 3; i++) {
        duo->on_ready = one_is_missing;
        duo_again(duo);
        duo_finish(duo);
        assert_parked(duo);
    }
    duo->on_ready = NULL;
    duo_rejoin(duo);
    put_text(duo->end[CALLER].feed, "late");
    expect_text(duo->end[CALLEE].drain, "late");
    shut(&duo->end[CALLER].feed);
    shut(&duo->end[CALLEE].feed);
    duo_finish(duo);
    assert_fault(&duo->end[CALLER], 0);
    assert_moved(&duo->end[CALLEE], 0, 9);
}

/* ---- bounds */

static bool fills(int fd, uint64_t *fed, uint64_t most)
{
    static const char zeros[65536];
    fcntl(fd, F_SETFL, O_NONBLOCK); /* of the test's own end */
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        if (*fed > most || poll(&p, 1, 1000) == 0)
            return *fed <= most;
        ssize_t n = write(fd, zeros, sizeof zeros);
        if (n > 0)
            *fed += (uint64_t)n;
        else if (errno != EAGAIN)
            return false;
    }
}

/* What the other side has not confirmed is kept, and no more than that is read. */
static void p45_no_more_is_read_than_is_kept(void **state)
{
    struct duo *duo = *state;
    struct load drain;
    uint64_t fed = 0;
    const uint64_t pipes = 3 << 20; /* the two programs' */
    duo_join(duo);
    assert_true(fills(duo->end[CALLER].feed, &fed, STREAM_KEPT_BYTES + pipes));
    assert_true(fed >= STREAM_KEPT_BYTES);
    assert_true(duo->end[CALLER].d.bytes_in - duo->end[CALLEE].d.bytes_out <= STREAM_KEPT_BYTES);
    bulk_duplex_cancel(duo->end[CALLEE].bulk, &duo->end[CALLEE].d, ERR_CHANGED);
    duo_finish(duo);
    assert_parked(duo);
    duo_again(duo);
    load_drain(&drain, &duo->end[CALLEE].drain, 65536);
    shut(&duo->end[CALLER].feed);
    shut(&duo->end[CALLEE].feed);
    duo_finish(duo);
    load_join(&drain);
    assert_fault(&duo->end[CALLER], 0);
    assert_fault(&duo->end[CALLEE], 0);
    assert_int_equal(drain.done, fed);
}

/* ---- ends for good */

static void pipe_cancelled_is_not_parked(void **state)
{
    struct duo *duo = *state;
    duo_join(duo);
    bulk_duplex_cancel(duo->end[CALLEE].bulk, &duo->end[CALLEE].d, ERR_CANCELLED);
    duo_finish(duo);
    assert_fault(&duo->end[CALLEE], ERR_CANCELLED);
    assert_false(duo->end[CALLEE].d.parked);
    expect_end(duo->end[CALLEE].drain);
    assert_true(duo->end[CALLER].d.parked); /* until somebody tells */
    bulk_duplex_drop(duo->end[CALLER].bulk, &duo->end[CALLER].d.stream);
    expect_end(duo->end[CALLER].drain);
    bulk_duplex_drop(duo->end[CALLER].bulk, &duo->end[CALLER].d.stream);
}

static void p43_a_reader_that_goes_ends_it_for_good(void **state)
{
    struct duo *duo = *state;
    struct load feed;
    duo_join(duo);
    shut(&duo->end[CALLEE].drain);
    load_feed(&feed, &duo->end[CALLER].feed, 32 << 20, 65536);
    duo_finish(duo);
    load_join(&feed);
    for (int i = 0; i < 2; i++) {
        assert_fault(&duo->end[i], ERR_IO);
        assert_false(duo->end[i].d.parked);
    }
    assert_non_null(strstr(duo->end[CALLER].d.fault.text, "the other side stopped"));
}

static void s62_descriptors_of_the_wrong_mode_end_it_for_good(void **state)
{
    struct duo *duo = *state;
    int in = duo->end[CALLER].pass[0];
    duo->end[CALLER].pass[0] = duo->end[CALLER].pass[1];
    duo->end[CALLER].pass[1] = in;
    duo_start(duo);
    duo_finish(duo);
    assert_fault(&duo->end[CALLER], ERR_USAGE);
    assert_false(duo->end[CALLER].d.parked || duo->end[CALLEE].d.parked);
}

static void pipe_nothing_is_known_by_that_name(void **state)
{
    struct duo *duo = *state;
    duo->end[CALLEE].done = true;
    duo->end[CALLER].d.again = true;
    duo_start(duo);
    duo_finish(duo);
    assert_fault(&duo->end[CALLER], ERR_NOT_FOUND);
    assert_false(duo->end[CALLER].d.parked);
}

/* ---- a callee that lies */

static struct stream fake[2];

static void fake_join(struct duo *duo)
{
    const struct reception_info *info = &duo->end[CALLER].d.reception;
    struct msg_fetch_ok confirmed = {.streams = 2};
    for (uint8_t i = 0; i < 2; i++)
        fake_dial_index(&fake[i], i, info, &info->addr[0], &duo->pair);
    bulk_duplex_confirm(duo->end[CALLER].bulk, &duo->end[CALLER].d, &confirmed, duo->end[CALLER].pass);
    duo->end[CALLER].pass[0] = duo->end[CALLER].pass[1] = -1;
    duo->joined = duo->end[CALLEE].done = true;
}

static void fake_close(void)
{
    stream_fini(&fake[0]);
    stream_fini(&fake[1]);
}

static void say(unsigned index, enum frame_type type, uint64_t count)
{
    uint8_t b[FRAME_HEAD + FLOW_COUNT_BYTES];
    fake_put(&fake[index], b, flow_count_encode(b, type, count));
    stream_flush(&fake[index]);
}

static void hear(unsigned index, enum frame_type type, const void *body, size_t n)
{
    struct frame_head head;
    assert_int_equal(stream_next(&fake[index], &head), 0);
    assert_int_equal(head.type, type);
    const uint8_t *b = stream_body(&fake[index], &head);
    assert_non_null(b);
    assert_int_equal(head.len, n);
    assert_memory_equal(b, body, n);
}

static void assert_caught(struct duo *duo)
{
    duo_finish(duo);
    assert_fault(&duo->end[CALLER], ERR_MALFORMED);
    assert_false(duo->end[CALLER].d.parked);
    fake_close();
}

/* The first connections: "hello" is sent. */
static void fake_hello(struct duo *duo)
{
    duo->on_ready = fake_join;
    duo_join(duo);
    put_text(duo->end[CALLER].feed, "hello");
    hear(0, FRAME_FLOW, "hello", 5);
}

/* The next ones: three of its bytes had been confirmed. */
static void fake_again(struct duo *duo)
{
    fake_hello(duo);
    say(0, FRAME_FLOW_ACK, 3);
    fake_close();
    duo_finish(duo);
    assert_true(duo->end[CALLER].d.parked);
    duo_rejoin(duo);
}

static void s21_more_is_confirmed_than_was_sent(void **state)
{
    fake_hello(*state);
    say(0, FRAME_FLOW_ACK, 6);
    assert_caught(*state);
}

static void s21_a_confirmation_is_taken_back(void **state)
{
    fake_hello(*state);
    say(0, FRAME_FLOW_ACK, 4);
    say(0, FRAME_FLOW_ACK, 3);
    assert_caught(*state);
}

static void s21_a_confirmation_on_the_wrong_stream(void **state)
{
    fake_hello(*state);
    say(1, FRAME_FLOW_ACK, 0);
    assert_caught(*state);
}

static void s21_an_end_that_does_not_add_up(void **state)
{
    fake_hello(*state);
    say(1, FRAME_FLOW_END, 1);
    assert_caught(*state);
}

static void s21_done_before_the_end(void **state)
{
    uint8_t b[FRAME_HEAD];
    fake_hello(*state);
    frame_head_encode(b, FRAME_DONE, 0);
    fake_put(&fake[0], b, sizeof b);
    stream_flush(&fake[0]);
    assert_caught(*state);
}

static void s21_a_stream_that_begins_does_not_go_on(void **state)
{
    fake_hello(*state);
    say(0, FRAME_FLOW_AT, 5);
    assert_caught(*state);
}

static void s21_it_goes_on_where_the_other_side_is(void **state)
{
    static const uint8_t none[FLOW_COUNT_BYTES];
    uint8_t b[FRAME_HEAD];
    struct duo *duo = *state;
    fake_again(duo);
    hear(1, FRAME_FLOW_AT, none, sizeof none);
    say(0, FRAME_FLOW_AT, 4);
    hear(0, FRAME_FLOW, "o", 1);
    say(1, FRAME_FLOW_END, 0);
    frame_head_encode(b, FRAME_DONE, 0);
    hear(1, FRAME_DONE, b, 0);
    fake_put(&fake[1], b, sizeof b);
    stream_flush(&fake[1]);
    shut(&duo->end[CALLER].feed);
    hear(0, FRAME_FLOW_END, "\0\0\0\0\0\0\0\5", FLOW_COUNT_BYTES);
    fake_put(&fake[0], b, sizeof b);
    stream_flush(&fake[0]);
    duo_finish(duo);
    assert_fault(&duo->end[CALLER], 0);
    fake_close();
}

static void s21_it_came_further_than_was_sent(void **state)
{
    fake_again(*state);
    say(0, FRAME_FLOW_AT, 6);
    assert_caught(*state);
}

static void s21_it_forgot_what_it_had_confirmed(void **state)
{
    fake_again(*state);
    say(0, FRAME_FLOW_AT, 2);
    assert_caught(*state);
}

static void s21_it_does_not_say_how_far_it_came(void **state)
{
    fake_again(*state);
    say(0, FRAME_FLOW_ACK, 4);
    assert_caught(*state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, duo_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(relay_7_a_stream_is_cut_after_any_byte_from_the_callee),
        cmocka_unit_test(relay_7_a_stream_is_cut_after_any_byte_from_the_caller),
        cmocka_unit_test(relay_7_much_is_cut_at_random),
        cmocka_unit_test(relay_7_a_slow_reader_is_cut_at_random),
        cmocka_unit_test(p42_what_is_altered_on_the_way_is_never_given),
        TEST(relay_7_nothing_is_cut),
        TEST(relay_7_one_byte_at_a_time),
        TEST(relay_7_nothing_at_all),
        TEST(relay_7_a_stream_is_moved),
        TEST(relay_7_an_end_outlives_the_connections),
        TEST(relay_7_what_comes_to_nothing_leaves_it_parked),
        TEST(p45_no_more_is_read_than_is_kept),
        TEST(pipe_cancelled_is_not_parked),
        TEST(p43_a_reader_that_goes_ends_it_for_good),
        TEST(s62_descriptors_of_the_wrong_mode_end_it_for_good),
        TEST(pipe_nothing_is_known_by_that_name),
        TEST(s21_more_is_confirmed_than_was_sent),
        TEST(s21_a_confirmation_is_taken_back),
        TEST(s21_a_confirmation_on_the_wrong_stream),
        TEST(s21_an_end_that_does_not_add_up),
        TEST(s21_done_before_the_end),
        TEST(s21_a_stream_that_begins_does_not_go_on),
        TEST(s21_it_goes_on_where_the_other_side_is),
        TEST(s21_it_came_further_than_was_sent),
        TEST(s21_it_forgot_what_it_had_confirmed),
        TEST(s21_it_does_not_say_how_far_it_came),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("bulk flow lasting", tests, NULL, NULL);
}
