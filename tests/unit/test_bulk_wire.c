/* What a transfer says that it has cost on the wire, against a proxy that counts what passes: handshakes, records and all. */
#include "bulk_pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define BLOCK ((uint64_t)BLOCK_BYTES)
#define GOODBYE 24 /* a TLS record that says that no more will come: who closes first does not read the other's */

struct counted {
    struct pair p; /* first */
    struct proxy proxy;
};

static void through_proxy(struct pair *p)
{
    struct counted *c = (struct counted *)p;
    proxy_start(&c->proxy, &p->r.reception.addr[0]);
    p->s.reception.addr[0] = c->proxy.addr;
    p->s.reception.addr_count = 1;
    pair_start_send(p);
}

static void through_proxy_swapped(struct pair *p)
{
    struct counted *c = (struct counted *)p;
    proxy_start(&c->proxy, &p->answer.addr[0]);
    p->answer.addr[0] = c->proxy.addr;
    bulk_receive_confirm(p->receiver, &p->r, &p->answer);
    bulk_send_go(p->sender, &p->s);
}

static void counted_make(struct counted *c, uint8_t streams)
{
    memset(c, 0, sizeof *c);
    pair_make(&c->p, &(struct pair_options){.streams = streams});
    c->proxy.cut_at = c->proxy.corrupt_at = -1;
    c->p.on_ready = through_proxy;
}

/* Does what one side has read fit what the other one has written? */
static void assert_fits(uint64_t in, uint64_t out, unsigned streams)
{
    if (in > out || out - in > streams * GOODBYE)
        fail_msg("%llu written, %llu read", (unsigned long long)out, (unsigned long long)in);
}

static void assert_counted(struct counted *c, unsigned streams, bool swapped)
{
    const struct transfer_progress *r = &c->p.r.progress, *s = &c->p.s.progress;
    proxy_stop(&c->proxy);
    assert_int_equal(c->p.r.fault.code, 0);
    uint64_t from_sender = (uint64_t)(swapped ? c->proxy.returned : c->proxy.passed);
    uint64_t from_receiver = (uint64_t)(swapped ? c->proxy.passed : c->proxy.returned);
    assert_fits(from_sender, s->wire_out, streams);
    assert_fits(from_receiver, r->wire_out, streams);
    assert_fits(r->wire_in, s->wire_out, streams);
    assert_fits(s->wire_in, r->wire_out, streams);
    assert_true(s->wire_out > s->bytes_moved + streams * 200); /* a handshake is more than that */
}

static void every_byte_of_a_transfer_is_counted(void **state)
{
    static const uint8_t streams[] = {1, 2, 5};
    (void)state;
    for (size_t i = 0; i < sizeof streams; i++) {
        struct counted c;
        counted_make(&c, streams[i]);
        pair_write_big(&c.p, "big", 20 * BLOCK + 17);
        pair_write_tree(&c.p, "tree", 3, 40);
        pair_run(&c.p);
        assert_counted(&c, streams[i], false);
        assert_true(c.p.r.progress.wire_in < c.p.r.progress.bytes_moved * 101 / 100 + 65536);
        pair_free(&c.p);
    }
}

static void every_byte_is_counted_when_the_receiver_dials(void **state)
{
    struct counted c;
    (void)state;
    counted_make(&c, 3);
    c.p.on_ready = NULL;
    c.p.on_connected = through_proxy_swapped;
    c.p.r.listen = false;
    pair_write_big(&c.p, "big", 3 * BLOCK);
    pair_run(&c.p);
    assert_counted(&c, 3, true);
    pair_free(&c.p);
}

static void a_transfer_that_breaks_off_is_counted_too(void **state)
{
    struct counted c;
    (void)state;
    counted_make(&c, 2);
    c.proxy.cut_at = (int64_t)(5 * BLOCK);
    pair_write_big(&c.p, "big", 20 * BLOCK);
    pair_run(&c.p);
    int64_t passed = c.proxy.passed;
    proxy_stop(&c.proxy);
    assert_int_not_equal(c.p.r.fault.code, 0);
    assert_true((int64_t)c.p.r.progress.wire_in > passed / 2 && (int64_t)c.p.r.progress.wire_in <= passed);
    assert_true((int64_t)c.p.s.progress.wire_out >= passed);
    pair_free(&c.p);
}

/* Few bytes do not bear many handshakes. */
static void as_many_streams_as_the_receiver_says(void **state)
{
    (void)state;
    for (uint8_t streams = 1; streams < 4; streams++) {
        struct counted c;
        counted_make(&c, 5);
        pair_write_big(&c.p, "big", 3 * BLOCK);
        c.p.r.streams = streams;
        pair_run(&c.p);
        assert_int_equal(c.p.r.reception.streams, streams);
        assert_counted(&c, streams, false);
        assert_true(c.p.s.progress.wire_out < c.p.s.progress.bytes_moved + 2000 + streams * 1000);
        pair_free(&c.p);
    }
}

/* A take counts on from what its last attempt has cost. */
static void counts_are_added_to_what_is_there(void **state)
{
    struct counted c;
    (void)state;
    counted_make(&c, 1);
    c.p.on_ready = NULL;
    pair_write_big(&c.p, "big", 1000);
    c.p.r.progress.wire_in = 1ull << 40;
    pair_run(&c.p);
    assert_true(c.p.r.progress.wire_in > (1ull << 40) + 1000 && c.p.r.progress.wire_in < (1ull << 40) + 10000);
    pair_free(&c.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_of_a_transfer_is_counted),
        cmocka_unit_test(every_byte_is_counted_when_the_receiver_dials),
        cmocka_unit_test(a_transfer_that_breaks_off_is_counted_too),
        cmocka_unit_test(as_many_streams_as_the_receiver_says),
        cmocka_unit_test(counts_are_added_to_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
