/* Transfers and byte streams through a bridge, between two bulk planes in one process: as good as direct ones, and whatever the
 * relay does to them is noticed. */
#include "bridge.h"
#include "bridge_hello.h"
#include "bulk_pair.h"
#include "bulk_thread.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define BLOCK ((uint64_t)BLOCK_BYTES)

struct trio {      /* a receiver, a sender, and a relay between them */
    struct pair p; /* first */
    struct bridges *bridges;
    struct bridge b;
    bool done;
    bool proxied; /* the sender goes through the proxy to the relay */
    struct proxy proxy;
};

static size_t addresses(void *arg, struct addr *out, size_t max)
{
    (void)arg;
    assert_true(max > 0);
    assert_int_equal(addr_parse("127.0.0.1:1", out), 0);
    return 1;
}

static void on_done(struct bridge *b)
{
    ((struct trio *)b->owner)->done = true;
}

static bool bridge_is_over(const struct pair *p)
{
    return ((const struct trio *)(const void *)p)->done;
}

/* A bridge for the next transfer, whose receiver is told of it. */
static void trio_bridge(struct trio *t, uint8_t streams, uint64_t limit)
{
    t->done = false;
    t->b = (struct bridge){.streams = streams, .deadline_s = 10, .limit = limit, .owner = t, .done = on_done};
    assert_int_equal(bridge_open(t->bridges, &t->b), 0);
    t->p.r.way = t->b.way[0];
    t->p.r.other = t->b.way[1];
    t->p.r.streams = streams;
    if (t->proxied) {
        t->proxy.cut_at = t->proxy.corrupt_at = -1;
        proxy_start(&t->proxy, &t->b.way[1].addr[0]);
        t->p.r.other.addr[0] = t->proxy.addr;
    }
}

static void trio_make(struct trio *t, uint32_t deadline_s)
{
    struct fault fault;
    const struct bulk_config config = {.addresses = addresses, .post = pair_post, .arg = t};

    memset(t, 0, sizeof *t);
    pair_make(&t->p, &(struct pair_options){.deadline_s = deadline_s});
    assert_int_equal(bridges_new(&config, &t->bridges, &fault), 0);
}

static void trio_free(struct trio *t)
{
    bridges_free(t->bridges);
    pair_free(&t->p);
}

static void assert_fine(const struct trio *t)
{
    if (t->p.r.fault.code != 0)
        fail_msg("received: %s", t->p.r.fault.text);
    assert_int_equal(t->p.s.fault.code, 0);
    pair_assert_same(&t->p);
}

/* ---- as good as direct */

static void oob_5_a_transfer_through_a_relay(void **state)
{
    (void)state;
    for (uint8_t streams = 1; streams <= STREAMS_MAX; streams = (uint8_t)(streams * 2)) {
        struct trio t;
        trio_make(&t, 0);
        pair_write_big(&t.p, "big", 20 * BLOCK + 77);
        pair_write_tree(&t.p, "tree", 5, 20);
        trio_bridge(&t, streams, INT64_MAX);
        pair_run(&t.p);
        assert_fine(&t);
        assert_int_equal(t.p.r.reception.addr_count, 0); /* nothing of ours is told to the sender */
        assert_int_equal(t.p.r.reception.streams, streams);
        pair_until(&t.p, bridge_is_over); /* in order, or by a reset: who closes first does not hear the other's goodbye */
        assert_true(t.b.fault.code == 0 || t.b.fault.code == ERR_UNREACHABLE);
        assert_true(t.b.moved > 20 * BLOCK && t.b.moved < 22 * BLOCK);
        trio_free(&t);
    }
}

static void every_byte_to_and_from_a_relay_is_counted(void **state)
{
    struct trio t;
    (void)state;
    trio_make(&t, 0);
    t.proxied = true;
    pair_write_big(&t.p, "big", 5 * BLOCK);
    trio_bridge(&t, 2, INT64_MAX);
    pair_run(&t.p);
    assert_fine(&t);
    proxy_stop(&t.proxy);
    uint64_t passed = (uint64_t)t.proxy.passed;
    assert_true(t.p.s.progress.wire_out >= passed && t.p.s.progress.wire_out - passed <= 2 * 24); /* a goodbye each */
    assert_true(t.p.s.progress.wire_in <= (uint64_t)t.proxy.returned && t.p.s.progress.wire_in > 0);
    assert_true(t.p.r.progress.wire_in + 2 * (uint64_t)HELLO_BYTES <= t.p.s.progress.wire_out);
    trio_free(&t);
}

/* The relay listens at several addresses of which only one leads to it: one says no, one nothing at all. */
static void the_way_that_answers_is_taken(void **state)
{
    struct trio t;
    struct sockaddr_storage ss;
    socklen_t len;
    (void)state;

    trio_make(&t, 0);
    pair_write_tree(&t.p, "tree", 2, 5);
    trio_bridge(&t, 2, INT64_MAX);
    struct addr silent, closed, right = t.p.r.way.addr[0];
    assert_int_equal(addr_parse("127.0.0.1:1", &closed), 0);
    silent = closed;
    silent.port = 0;
    len = addr_to_sockaddr(&silent, &ss);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&ss, len), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
    assert_int_equal(addr_from_sockaddr((struct sockaddr *)&ss, &silent), 0);
    struct relay_way *ways[] = {&t.p.r.way, &t.p.r.other};
    for (unsigned i = 0; i < 2; i++) {
        ways[i]->addr[0] = closed;
        ways[i]->addr[1] = silent;
        ways[i]->addr[2] = right;
        ways[i]->addr_count = 3;
    }
    pair_run(&t.p);
    assert_fine(&t);
    close(fd);
    trio_free(&t);
}

struct flow {      /* a byte stream's two ends */
    struct trio t; /* first */
    struct duplex d[2];
    struct bulk *bulk[2];
    int pass[2], keep[2]; /* of each end: a socket, what is passed of it and what is kept */
    unsigned done;
};

static void flow_ready(struct duplex *d)
{
    struct flow *f = d->owner;
    f->d[1].reception = d->reception;
    bulk_duplex_start(f->bulk[1], &f->d[1]);
}

static void flow_connected(struct duplex *d)
{
    struct flow *f = d->owner;
    for (unsigned i = 0; i < 2; i++) {
        int fd[2] = {f->pass[i], fcntl(f->pass[i], F_DUPFD_CLOEXEC, 0)};
        if (i == 0)
            bulk_duplex_confirm(f->bulk[0], &f->d[0], &d->answer, fd);
        else
            bulk_duplex_go(f->bulk[1], &f->d[1], fd);
    }
}

static void flow_done(struct duplex *d)
{
    ((struct flow *)d->owner)->done++;
}

static bool flow_is_over(const struct pair *p)
{
    return ((const struct flow *)(const void *)p)->done == 2;
}

static void *chatter(void *arg)
{
    struct flow *f = arg;
    char text[5] = "";
    bool right = send(f->keep[0], "there", 5, MSG_NOSIGNAL) == 5 && recv(f->keep[1], text, 5, MSG_WAITALL) == 5 &&
                 memcmp(text, "there", 5) == 0 && send(f->keep[1], "again", 5, MSG_NOSIGNAL) == 5 &&
                 recv(f->keep[0], text, 5, MSG_WAITALL) == 5 && memcmp(text, "again", 5) == 0;
    shutdown(f->keep[0], SHUT_WR);
    right &= recv(f->keep[1], text, 1, 0) == 0;
    shutdown(f->keep[1], SHUT_WR);
    right &= recv(f->keep[0], text, 1, 0) == 0;
    return right ? f : NULL;
}

static void oob_5_a_byte_stream_through_a_relay(void **state)
{
    struct flow f;
    pthread_t thread;
    void *right;
    (void)state;

    memset(&f, 0, sizeof f);
    trio_make(&f.t, 0);
    trio_bridge(&f.t, DUPLEX_STREAMS, INT64_MAX);
    for (unsigned i = 0; i < 2; i++) {
        int pair[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        f.pass[i] = pair[0];
        f.keep[i] = pair[1];
        f.bulk[i] = i == 0 ? f.t.p.receiver : f.t.p.sender;
        f.d[i] = (struct duplex){.peer = i == 0 ? f.t.p.sender_id : f.t.p.receiver_id,
                                 .calling = i == 0,
                                 .listen = true,
                                 .owner = &f,
                                 .ready = flow_ready,
                                 .connected = flow_connected,
                                 .done = flow_done};
    }
    f.d[0].way = f.t.b.way[0];
    f.d[0].other = f.t.b.way[1];
    assert_int_equal(bulk_thread(&thread, chatter, &f), 0);
    bulk_duplex_start(f.bulk[0], &f.d[0]);
    pair_until(&f.t.p, flow_is_over);
    pthread_join(thread, &right);
    assert_non_null(right);
    assert_int_equal(f.d[0].fault.code, 0);
    assert_int_equal(f.d[1].fault.code, 0);
    assert_int_equal(f.d[0].bytes_in, 5);
    assert_int_equal(f.d[0].bytes_out, 5);
    close(f.keep[0]);
    close(f.keep[1]);
    trio_free(&f.t);
}

/* ---- relays that fail, and that lie */

/* A relay that stops somewhere: the receiver says so and keeps what it has, and another one brings the rest. */
static void p38_a_relay_that_stops_anywhere_and_resume(void **state)
{
    const uint64_t total = 40 * BLOCK + 1000;
    (void)state;

    for (uint64_t limit = 100; limit < total; limit += limit < 2000 ? 700 : 13 * BLOCK + 17) {
        struct trio t;
        trio_make(&t, 3);
        pair_write_big(&t.p, "big", total);
        trio_bridge(&t, 2, limit);
        pair_start(&t.p);
        pair_until(&t.p, pair_has_sent);
        pair_until(&t.p, pair_has_received);
        pair_until(&t.p, bridge_is_over);
        assert_int_equal(t.b.fault.code, ERR_FULL);
        assert_true(t.p.r.fault.code == ERR_UNREACHABLE || t.p.r.fault.code == ERR_TIMEOUT);
        assert_int_not_equal(t.p.s.fault.code, 0);
        assert_false(scratch_exists(&t.p.scratch, "dst/top/big"));
        uint64_t first = atomic_load(&t.p.r.progress.bytes_moved);
        if (first > 0)
            assert_non_null(strstr(t.p.r.fault.text, "the same command resumes"));
        pair_reset(&t.p);
        trio_bridge(&t, 2, INT64_MAX);
        pair_run(&t.p);
        assert_fine(&t);
        uint64_t second = atomic_load(&t.p.r.progress.bytes_moved);
        assert_true(first + second >= total && first + second <= total + 2 * BLOCK);
        trio_free(&t);
    }
}

/* What began through a relay goes on without it, from the last verified block. */
static void relay_7_resumed_directly(void **state)
{
    const uint64_t total = 40 * BLOCK;
    struct trio t;
    (void)state;

    trio_make(&t, 0);
    pair_write_big(&t.p, "big", total);
    trio_bridge(&t, 2, 20 * BLOCK);
    pair_run(&t.p);
    uint64_t first = atomic_load(&t.p.r.progress.bytes_moved);
    assert_true(first > 0 && t.p.r.fault.code != 0);
    pair_reset(&t.p);
    pair_run(&t.p);
    assert_fine(&t);
    assert_int_equal(t.p.r.reception.way.addr_count, 0);
    assert_true(first + atomic_load(&t.p.r.progress.bytes_moved) <= total + 2 * BLOCK);
    trio_free(&t);
}

static void p42_a_relay_that_alters_a_byte_is_found_out(void **state)
{
    (void)state;
    for (int64_t at = HELLO_BYTES; at < 2000000; at += at < 500 ? 41 : 400009) {
        struct trio t;
        trio_make(&t, 2);
        pair_write_big(&t.p, "big", 8 * BLOCK);
        t.proxied = true;
        trio_bridge(&t, 1, INT64_MAX);
        t.proxy.corrupt_at = at;
        pair_run(&t.p);
        proxy_stop(&t.proxy);
        assert_int_not_equal(t.p.s.fault.code, 0);
        assert_int_not_equal(t.p.r.fault.code, 0);
        if (at > 10000)
            assert_int_equal(t.p.r.fault.code, ERR_VERIFY);
        assert_false(scratch_exists(&t.p.scratch, "dst/top/big"));
        trio_free(&t);
    }
}

static void another_key(struct pair *p)
{
    p->s.reception.key[0] ^= 1;
    pair_start_send(p);
}

/* A relay that joins us with someone else: without the key there is no stream. */
static void p42_a_stranger_at_the_other_end_is_refused(void **state)
{
    struct trio t;
    (void)state;

    trio_make(&t, 3);
    pair_write_big(&t.p, "big", BLOCK);
    trio_bridge(&t, 1, INT64_MAX);
    t.p.on_ready = another_key;
    pair_run(&t.p);
    assert_int_equal(t.p.r.fault.code, ERR_REFUSED);
    assert_int_equal(t.p.s.fault.code, ERR_REFUSED);
    trio_free(&t);
}

static void swapped_streams(struct pair *p)
{
    struct trio *t = (struct trio *)p;
    t->p.s.reception.way = t->b.way[0]; /* to where the receiver is already */
    pair_start_send(p);
}

static void p42_a_way_that_is_taken_leads_nowhere(void **state)
{
    struct trio t;
    (void)state;

    trio_make(&t, 2);
    pair_write_big(&t.p, "big", BLOCK);
    trio_bridge(&t, 1, INT64_MAX);
    t.p.on_ready = swapped_streams;
    pair_run(&t.p);
    assert_true(t.p.r.fault.code == ERR_TIMEOUT || t.p.r.fault.code == ERR_UNREACHABLE || t.p.r.fault.code == ERR_REFUSED);
    assert_int_not_equal(t.p.s.fault.code, 0);
    trio_free(&t);
}

static void nobody_comes(struct pair *p)
{
    (void)p;
}

static void s31_a_sender_that_never_comes(void **state)
{
    struct trio t;
    (void)state;

    trio_make(&t, 1);
    trio_bridge(&t, 2, INT64_MAX);
    t.p.on_ready = nobody_comes;
    uint64_t begin = now_ns();
    pair_start(&t.p);
    pair_until(&t.p, pair_has_received);
    assert_int_equal(t.p.r.fault.code, ERR_TIMEOUT);
    assert_true(now_ns() - begin < 5 * SECOND);
    trio_free(&t);
}

static void cancelled_while_the_other_is_awaited(void **state)
{
    struct trio t;
    (void)state;

    trio_make(&t, 0);
    trio_bridge(&t, 2, INT64_MAX);
    t.p.on_ready = nobody_comes;
    pair_start(&t.p);
    pair_until(&t.p, pair_is_ready);
    bulk_receive_cancel(t.p.receiver, &t.p.r, ERR_CANCELLED);
    pair_until(&t.p, pair_has_received);
    assert_int_equal(t.p.r.fault.code, ERR_CANCELLED);
    trio_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(oob_5_a_transfer_through_a_relay),
        cmocka_unit_test(every_byte_to_and_from_a_relay_is_counted),
        cmocka_unit_test(the_way_that_answers_is_taken),
        cmocka_unit_test(oob_5_a_byte_stream_through_a_relay),
        cmocka_unit_test(p38_a_relay_that_stops_anywhere_and_resume),
        cmocka_unit_test(relay_7_resumed_directly),
        cmocka_unit_test(p42_a_relay_that_alters_a_byte_is_found_out),
        cmocka_unit_test(p42_a_stranger_at_the_other_end_is_refused),
        cmocka_unit_test(p42_a_way_that_is_taken_leads_nowhere),
        cmocka_unit_test(s31_a_sender_that_never_comes),
        cmocka_unit_test(cancelled_while_the_other_is_awaited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
