/* Byte streams of the bulk plane, between two planes in one process: what goes in at either end comes out at the other,
 * exactly; each direction ends by itself; nothing hangs that is cancelled, refused, killed or lied to. */
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
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

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
        assert_int_equal(feed[i].done, bytes[i]);
        assert_int_equal(drain[i].done, bytes[1 - i]);
        assert_false(drain[i].wrong);
        assert_moved(&duo->end[i], bytes[i], bytes[1 - i]);
    }
}

/* ---- what it is for */

static void pipe_both_ways_at_once(void **state)
{
    exchange(*state, 40 << 20, 30 << 20, 65536);
}

static void pipe_one_byte_at_a_time(void **state)
{
    exchange(*state, 30000, 20000, 1);
}

static void pipe_nothing_at_all(void **state)
{
    exchange(*state, 0, 0, 1);
}

static void pipe_more_than_one_frame_holds(void **state)
{
    exchange(*state, FLOW_BYTES_MAX * 3 + 1, FLOW_BYTES_MAX, 65536);
}

/* It talks, as people do: nothing waits for more to come. */
static void pipe_a_chat(void **state)
{
    struct duo *duo = *state;
    duo_join(duo);
    for (int i = 0; i < 20; i++) {
        put_text(duo->end[CALLER].feed, "how do you do?");
        expect_text(duo->end[CALLEE].drain, "how do you do?");
        put_text(duo->end[CALLEE].feed, "well, thank you");
        expect_text(duo->end[CALLER].drain, "well, thank you");
    }
    shut(&duo->end[CALLER].feed);
    shut(&duo->end[CALLEE].feed);
    duo_finish(duo);
    assert_fault(&duo->end[CALLER], 0);
    assert_fault(&duo->end[CALLEE], 0);
}

static void half_close(struct duo *duo, int first)
{
    struct end *a = &duo->end[first], *b = &duo->end[1 - first];
    duo_join(duo);
    put_text(a->feed, "question");
    shut(&a->feed);
    expect_text(b->drain, "question");
    expect_end(b->drain); /* while the way back is open */
    put_text(b->feed, "a long answer");
    expect_text(a->drain, "a long answer");
    assert_false(a->done || b->done);
    shut(&b->feed);
    expect_end(a->drain);
    duo_finish(duo);
    assert_fault(a, 0);
    assert_fault(b, 0);
    assert_moved(a, 8, 13);
    assert_moved(b, 13, 8);
}

static void pipe_half_close_by_the_caller(void **state)
{
    half_close(*state, CALLER);
}

static void pipe_half_close_by_the_callee(void **state)
{
    half_close(*state, CALLEE);
}

/* OOB-3: who has no address to offer dials, and the other listens. */
static void oob_3_the_roles_of_listening_and_dialling_are_swapped(void **state)
{
    struct duo *duo = *state;
    duo->end[CALLER].d.listen = false;
    exchange(duo, 100000, 200000, 4096);
    assert_int_equal(duo->end[CALLER].d.reception.addr_count, 0);
    assert_true(duo->end[CALLEE].d.answer.addr_count > 0);
}

/* ---- kinds of descriptors */

/* One socket for both directions: its half-close is the stream's. */
static void pipe_a_socket_at_either_end(void **state)
{
    struct duo *duo = *state;
    int there[2];
    for (int i = 0; i < 2; i++) {
        struct end *e = &duo->end[i];
        packet_close(e->pass);
        shut(&e->feed);
        shut(&e->drain);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, there), 0);
        e->feed = there[0];
        e->pass[0] = there[1];
        e->pass[1] = dup(there[1]);
    }
    duo_join(duo);
    put_text(duo->end[CALLER].feed, "there");
    shutdown(duo->end[CALLER].feed, SHUT_WR);
    expect_text(duo->end[CALLEE].feed, "there");
    expect_end(duo->end[CALLEE].feed);
    put_text(duo->end[CALLEE].feed, "and back");
    shutdown(duo->end[CALLEE].feed, SHUT_WR);
    expect_text(duo->end[CALLER].feed, "and back");
    expect_end(duo->end[CALLER].feed);
    duo_finish(duo);
    assert_fault(&duo->end[CALLER], 0);
    assert_fault(&duo->end[CALLEE], 0);
}

static int file(const struct duo *duo, const char *name, int flags)
{
    int fd = open(scratch_at(&duo->pair.scratch, name).s, flags | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    return fd;
}

/* From the place where the program's file stands, and to the place where it stands: not from the beginning. */
static void pipe_files_are_read_and_written_where_they_stand(void **state)
{
    struct duo *duo = *state;
    char got[64] = "";
    scratch_text(&duo->pair.scratch, "from", "not this, but this");
    scratch_text(&duo->pair.scratch, "to", "before ");
    for (int i = 0; i < 2; i++)
        packet_close(duo->end[i].pass);
    int from = file(duo, "from", O_RDONLY), to = file(duo, "to", O_WRONLY);
    assert_int_equal(lseek(from, 14, SEEK_SET), 14);
    assert_int_equal(lseek(to, 0, SEEK_END), 7);
    duo->end[CALLER].pass[0] = from;
    duo->end[CALLER].pass[1] = open("/dev/null", O_WRONLY | O_CLOEXEC);
    duo->end[CALLEE].pass[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    duo->end[CALLEE].pass[1] = to;
    duo_start(duo);
    duo_finish(duo);
    assert_fault(&duo->end[CALLER], 0);
    assert_fault(&duo->end[CALLEE], 0);
    to = file(duo, "to", O_RDONLY);
    assert_int_equal(read(to, got, sizeof got - 1), 11);
    assert_string_equal(got, "before this");
    close(to);
}

/* Other processes share the open file: its flags are not ours to change. */
static void pipe_flags_of_the_program_stay_as_they_are(void **state)
{
    struct duo *duo = *state;
    int kept[2] = {dup(duo->end[CALLER].pass[0]), dup(duo->end[CALLER].pass[1])};
    int before[2] = {fcntl(kept[0], F_GETFL), fcntl(kept[1], F_GETFL)};
    duo_join(duo);
    put_text(duo->end[CALLER].feed, "x");
    expect_text(duo->end[CALLEE].drain, "x");
    assert_int_equal(fcntl(kept[0], F_GETFL), before[0]);
    assert_int_equal(fcntl(kept[1], F_GETFL), before[1]);
    shut(&duo->end[CALLER].feed);
    shut(&duo->end[CALLEE].feed);
    duo_finish(duo);
    assert_int_equal(fcntl(kept[0], F_GETFL), before[0]);
    assert_int_equal(fcntl(kept[1], F_GETFL), before[1]);
    packet_close(kept);
}

static void s62_descriptors_of_the_wrong_mode_are_refused(void **state)
{
    struct duo *duo = *state;
    int in = duo->end[CALLER].pass[0];
    duo->end[CALLER].pass[0] = duo->end[CALLER].pass[1];
    duo->end[CALLER].pass[1] = in;
    duo_start(duo);
    duo_finish(duo);
    assert_fault(&duo->end[CALLER], ERR_USAGE);
    assert_int_not_equal(duo->end[CALLEE].d.fault.code, 0);
}

static void s62_a_stream_without_descriptors_ends(void **state)
{
    struct duo *duo = *state;
    packet_close(duo->end[CALLEE].pass);
    duo_start(duo);
    duo_finish(duo);
    assert_fault(&duo->end[CALLEE], ERR_USAGE);
    assert_int_not_equal(duo->end[CALLER].d.fault.code, 0);
}

/* ---- back-pressure and ends */

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

/* P45: what is not read waits at the writer; in between there are only the buffers of pipes, TLS and TCP. */
static void p45_a_reader_that_never_reads_stops_the_writer(void **state)
{
    struct duo *duo = *state;
    uint64_t fed = 0;
    duo_join(duo);
    assert_true(fills(duo->end[CALLER].feed, &fed, 64 << 20));
    assert_false(duo->end[CALLER].done || duo->end[CALLEE].done);
    put_text(duo->end[CALLEE].feed, "the way back is free");
    expect_text(duo->end[CALLER].drain, "the way back is free");
    struct load drain;
    load_drain(&drain, &duo->end[CALLEE].drain, 65536); /* it reads after all */
    shut(&duo->end[CALLER].feed);
    shut(&duo->end[CALLEE].feed);
    duo_finish(duo);
    load_join(&drain);
    assert_fault(&duo->end[CALLER], 0);
    assert_fault(&duo->end[CALLEE], 0);
    assert_int_equal(drain.done, fed);
}

/* Cancelled by either side while one direction is blocked at its writer and the other waits for its reader. */
static void cancel_when_blocked(struct duo *duo, int by, int writer)
{
    struct end *e = &duo->end[by], *other = &duo->end[1 - by];
    uint64_t fed = 0;
    duo_join(duo);
    assert_true(fills(duo->end[writer].feed, &fed, 64 << 20));
    bulk_duplex_cancel(e->bulk, &e->d, ERR_CANCELLED);
    duo_finish(duo);
    assert_fault(e, ERR_CANCELLED);
    assert_fault(other, ERR_UNREACHABLE);
    assert_true(duo->end[writer].d.bytes_in > 0 && duo->end[writer].d.bytes_in <= fed);
    shut(&duo->end[writer].feed);
}

static void pipe_cancel_by_the_caller_that_writes(void **state)
{
    cancel_when_blocked(*state, CALLER, CALLER);
}

static void pipe_cancel_by_the_caller_that_reads(void **state)
{
    cancel_when_blocked(*state, CALLER, CALLEE);
}

static void pipe_cancel_by_the_callee_that_writes(void **state)
{
    cancel_when_blocked(*state, CALLEE, CALLEE);
}

static void pipe_cancel_by_the_callee_that_reads(void **state)
{
    cancel_when_blocked(*state, CALLEE, CALLER);
}

static void pipe_cancel_of_an_idle_stream(void **state)
{
    struct duo *duo = *state;
    duo_join(duo);
    bulk_duplex_cancel(duo->end[CALLEE].bulk, &duo->end[CALLEE].d, ERR_CANCELLED);
    duo_finish(duo);
    assert_fault(&duo->end[CALLEE], ERR_CANCELLED);
    assert_fault(&duo->end[CALLER], ERR_UNREACHABLE);
    expect_end(duo->end[CALLER].drain);
    expect_end(duo->end[CALLEE].drain);
}

static void cancel_at_once(struct duo *duo)
{
    bulk_duplex_cancel(duo->end[CALLER].bulk, &duo->end[CALLER].d, ERR_CANCELLED);
    duo->end[CALLEE].done = true; /* it never began */
}

static void pipe_cancel_before_anybody_is_there(void **state)
{
    struct duo *duo = *state;
    duo->on_ready = cancel_at_once;
    duo_start(duo);
    duo_finish(duo);
    assert_fault(&duo->end[CALLER], ERR_CANCELLED);
}

/* As when its node is killed: no word comes any more. */
static void p43_a_node_that_is_gone_ends_the_stream(void **state)
{
    struct duo *duo = *state;
    duo_join(duo);
    put_text(duo->end[CALLEE].feed, "so far");
    expect_text(duo->end[CALLER].drain, "so far");
    bulk_free(duo->pair.sender);
    duo->pair.sender = NULL;
    duo->end[CALLEE].done = true; /* bulk_free runs no more callbacks */
    duo_finish(duo);
    assert_fault(&duo->end[CALLER], ERR_UNREACHABLE);
    assert_moved(&duo->end[CALLER], 0, 6);
}

/* The program that reads goes: who writes to it is told so, and by whom. */
static void reader_goes(struct duo *duo, int reader)
{
    struct end *r = &duo->end[reader], *w = &duo->end[1 - reader];
    struct load feed;
    duo_join(duo);
    shut(&r->drain);
    load_feed(&feed, &w->feed, 32 << 20, 65536);
    duo_finish(duo);
    load_join(&feed);
    assert_fault(r, ERR_IO);
    assert_fault(w, ERR_IO);
    assert_non_null(strstr(r->d.fault.text, "does not read any more"));
    assert_non_null(strstr(w->d.fault.text, "the other side stopped"));
}

static void p43_the_callees_reader_goes(void **state)
{
    reader_goes(*state, CALLEE);
}

static void p43_the_callers_reader_goes(void **state)
{
    reader_goes(*state, CALLER);
}

/* It went before the stream was there. */
static void p43_a_reader_that_is_gone_already(void **state)
{
    struct duo *duo = *state;
    shut(&duo->end[CALLEE].drain);
    put_text(duo->end[CALLER].feed, "is anybody there?");
    duo_start(duo);
    duo_finish(duo);
    assert_fault(&duo->end[CALLEE], ERR_IO);
    assert_int_not_equal(duo->end[CALLER].d.fault.code, 0);
}

/* It goes with a large piece, after which nothing comes for long: that is noticed all the same. */
static void p43_a_reader_goes_and_nothing_more_comes(void **state)
{
    static char piece[60000]; /* fits into a pipe, and is worth a thread of its own */
    struct duo *duo = *state;
    shut(&duo->end[CALLEE].drain);
    assert_int_equal(write(duo->end[CALLER].feed, piece, sizeof piece), sizeof piece);
    duo_start(duo);
    duo_finish(duo);
    assert_fault(&duo->end[CALLEE], ERR_IO);
    assert_int_not_equal(duo->end[CALLER].d.fault.code, 0);
    assert_moved(&duo->end[CALLER], sizeof piece, 0);
    assert_moved(&duo->end[CALLEE], 0, 0);
}

/* ---- who is let in */

static void with_another_key(struct duo *duo)
{
    struct duplex *callee = &duo->end[CALLEE].d;
    callee->reception.key[0] ^= 1;
    bulk_duplex_start(duo->end[CALLEE].bulk, callee);
}

static void oob_4_a_wrong_key_makes_no_stream(void **state)
{
    struct duo *duo = *state;
    duo->on_ready = with_another_key;
    duo_start(duo);
    duo_finish(duo);
    assert_int_not_equal(duo->end[CALLEE].d.fault.code, 0);
    assert_fault(&duo->end[CALLER], ERR_REFUSED);
}

static void with_one_stream(struct duo *duo)
{
    struct duplex *callee = &duo->end[CALLEE].d;
    callee->reception.streams = 1;
    bulk_duplex_start(duo->end[CALLEE].bulk, callee);
}

static void oob_2_a_stream_takes_two_connections(void **state)
{
    struct duo *duo = *state;
    duo->on_ready = with_one_stream;
    duo_start(duo);
    duo_finish(duo);
    assert_fault(&duo->end[CALLEE], ERR_MALFORMED);
    assert_fault(&duo->end[CALLER], ERR_TIMEOUT);
}

/* ---- a callee that lies */

static struct stream fake[2];

static void fake_join(struct duo *duo)
{
    const struct reception_info *info = &duo->end[CALLER].d.reception;
    struct msg_fetch_ok answer = {.streams = 2};
    for (uint8_t i = 0; i < 2; i++)
        fake_dial_index(&fake[i], i, info, &info->addr[0], &duo->pair);
    bulk_duplex_confirm(duo->end[CALLER].bulk, &duo->end[CALLER].d, &answer, duo->end[CALLER].pass);
    duo->end[CALLER].pass[0] = duo->end[CALLER].pass[1] = -1;
    duo->joined = duo->end[CALLEE].done = true;
}

/* It says this on one of its streams. */
static void lie(struct duo *duo, unsigned index, const void *frame, size_t n)
{
    duo->on_ready = fake_join;
    duo_join(duo);
    fake_put(&fake[index], frame, n);
    stream_flush(&fake[index]);
    duo_finish(duo);
    assert_fault(&duo->end[CALLER], ERR_MALFORMED);
    stream_fini(&fake[0]);
    stream_fini(&fake[1]);
}

static void s21_an_end_that_does_not_add_up(void **state)
{
    uint8_t b[FRAME_HEAD + FLOW_COUNT_BYTES];
    lie(*state, 1, b, flow_count_encode(b, FRAME_FLOW_END, 1));
}

static void s21_done_before_the_end(void **state)
{
    uint8_t b[FRAME_HEAD];
    frame_head_encode(b, FRAME_DONE, 0);
    lie(*state, 0, b, sizeof b);
}

static void s21_bytes_against_the_stream(void **state)
{
    uint8_t b[FRAME_HEAD + 1] = {0};
    frame_head_encode(b, FRAME_FLOW, 1);
    lie(*state, 0, b, sizeof b);
}

static void s21_a_frame_of_a_transfer(void **state)
{
    uint8_t b[FRAME_HEAD + HOLE_BYTES];
    lie(*state, 1, b, hole_encode(b, 1));
}

static void s21_a_frame_too_long(void **state)
{
    uint8_t b[FRAME_HEAD];
    frame_head_encode(b, FRAME_FLOW, FLOW_BYTES_MAX + 1);
    lie(*state, 1, b, sizeof b);
}

/* All was said and done, but the other side never says that it has written it: no success. */
static void p43_an_end_that_is_not_confirmed_is_none(void **state)
{
    struct duo *duo = *state;
    uint8_t b[FRAME_HEAD + FLOW_COUNT_BYTES];
    duo->on_ready = fake_join;
    duo_join(duo);
    shut(&duo->end[CALLER].feed);
    fake_put(&fake[1], b, flow_count_encode(b, FRAME_FLOW_END, 0));
    stream_flush(&fake[1]);
    expect_end(duo->end[CALLER].drain);
    stream_fini(&fake[0]);
    duo_finish(duo);
    assert_fault(&duo->end[CALLER], ERR_UNREACHABLE);
    stream_fini(&fake[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, duo_setup, duo_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pipe_both_ways_at_once),
        TEST(pipe_one_byte_at_a_time),
        TEST(pipe_nothing_at_all),
        TEST(pipe_more_than_one_frame_holds),
        TEST(pipe_a_chat),
        TEST(pipe_half_close_by_the_caller),
        TEST(pipe_half_close_by_the_callee),
        TEST(oob_3_the_roles_of_listening_and_dialling_are_swapped),
        TEST(pipe_a_socket_at_either_end),
        TEST(pipe_files_are_read_and_written_where_they_stand),
        TEST(pipe_flags_of_the_program_stay_as_they_are),
        TEST(s62_descriptors_of_the_wrong_mode_are_refused),
        TEST(s62_a_stream_without_descriptors_ends),
        TEST(p45_a_reader_that_never_reads_stops_the_writer),
        TEST(pipe_cancel_by_the_caller_that_writes),
        TEST(pipe_cancel_by_the_caller_that_reads),
        TEST(pipe_cancel_by_the_callee_that_writes),
        TEST(pipe_cancel_by_the_callee_that_reads),
        TEST(pipe_cancel_of_an_idle_stream),
        TEST(pipe_cancel_before_anybody_is_there),
        TEST(p43_a_node_that_is_gone_ends_the_stream),
        TEST(p43_the_callees_reader_goes),
        TEST(p43_the_callers_reader_goes),
        TEST(p43_a_reader_that_is_gone_already),
        TEST(p43_a_reader_goes_and_nothing_more_comes),
        TEST(oob_4_a_wrong_key_makes_no_stream),
        TEST(oob_2_a_stream_takes_two_connections),
        TEST(s21_an_end_that_does_not_add_up),
        TEST(s21_done_before_the_end),
        TEST(s21_bytes_against_the_stream),
        TEST(s21_a_frame_of_a_transfer),
        TEST(s21_a_frame_too_long),
        TEST(p43_an_end_that_is_not_confirmed_is_none),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("bulk flow", tests, NULL, NULL);
}
