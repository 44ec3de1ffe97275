/* Endpoints of a node: which, in which order, and what is left out when there are too many. Interfaces are made up. */
#include "places.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "record.h"

struct machine {
    struct places places;
    size_t count;
    struct udp_interface face[UDP_INTERFACES_MAX];
};

static void has(struct machine *m, const char *name, const char *host)
{
    char text[ADDR_TEXT];
    struct udp_interface *f = &m->face[m->count++];
    *f = (struct udp_interface){.index = (unsigned)m->count};
    snprintf(f->name, sizeof f->name, "%s", name);
    snprintf(text, sizeof text, "%s:1", host);
    assert_int_equal(addr_parse(text, &f->addr), 0);
    f->addr.port = 0;
    f->loopback = addr_is_loopback(&f->addr);
}

static struct machine laptop(void)
{
    struct machine m = {.count = 0};
    places_init(&m.places);
    has(&m, "eth0", "192.168.1.4");
    has(&m, "eth0", "[2001:db8::4]");
    has(&m, "eth0", "[fe80::4%2]");
    has(&m, "lo", "127.0.0.1");
    return m;
}

static size_t list(const struct machine *m, struct endpoint *out, size_t max)
{
    size_t n = places_endpoints(&m->places, m->face, m->count, out, max);
    assert_true(n <= max);
    for (size_t i = 0; i < n; i++)
        assert_true(endpoint_valid(&out[i]));
    return n;
}

static void pipe_1_every_transport_at_every_interface_best_first(void **state)
{
    (void)state;
    struct machine m = laptop();
    struct endpoint e[RECORD_ENDPOINTS_MAX];
    static const char *const wanted[][2] = {
        {"ipc:///run/weft/x.ipc", "local"}, {"tcp://192.168.1.4:5001", "eth0"}, {"tcp://[2001:db8::4]:5001", "eth0"},
        {"tcp://127.0.0.1:5001", "lo"},     {"ws://192.168.1.4:5002", "eth0"},  {"ws://[2001:db8::4]:5002", "eth0"},
        {"ws://127.0.0.1:5002", "lo"},
    };
    places_add(&m.places, "ws://[::]:5002"); /* in whatever order they were bound */
    places_add(&m.places, "tcp://[::]:5001");
    places_add(&m.places, "ipc:///run/weft/x.ipc");
    size_t n = list(&m, e, RECORD_ENDPOINTS_MAX);
    assert_int_equal(n, sizeof wanted / sizeof *wanted);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(e[i].text, wanted[i][0]);
        assert_string_equal(e[i].iface, wanted[i][1]);
    }
    assert_int_equal(e[0].scope, m.places.files_scope);
    assert_int_equal(e[1].scope, 0);
    assert_int_equal(e[3].scope, m.places.loopback_scope);
    assert_int_equal(e[6].scope, m.places.loopback_scope);
}

static void one_address_is_one_endpoint(void **state)
{
    (void)state;
    struct machine m = laptop();
    struct endpoint e[RECORD_ENDPOINTS_MAX];
    places_add(&m.places, "tcp://[::ffff:192.168.1.4]:5001"); /* as libzmq writes it */
    places_add(&m.places, "ws://0.0.0.0:5002");
    places_add(&m.places, "tcp://10.9.9.9:5003"); /* of no interface that is up now */
    assert_int_equal(list(&m, e, RECORD_ENDPOINTS_MAX), 4);
    assert_string_equal(e[0].text, "tcp://192.168.1.4:5001");
    assert_string_equal(e[1].text, "tcp://10.9.9.9:5003");
    assert_string_equal(e[1].iface, "");
    assert_string_equal(e[2].text, "ws://192.168.1.4:5002");
    assert_string_equal(e[3].text, "ws://127.0.0.1:5002");
}

/* A machine of many interfaces: tcp is not crowded out, ws keeps one, and a record still holds what there is. */
static void pipe_1_tcp_is_not_crowded_out(void **state)
{
    (void)state;
    struct machine m = {.count = 0};
    struct endpoint e[RECORD_ENDPOINTS_MAX];
    places_init(&m.places);
    for (int i = 0; i < 20; i++) {
        char host[64], name[IFACE_TEXT];
        snprintf(name, sizeof name, "interface-%d", i);
        snprintf(host, sizeof host, "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:%x]", 0xff00 + i);
        has(&m, name, host);
    }
    places_add(&m.places, "ipc:///run/user/1000/weft/abcdefghijklmnop.ipc");
    places_add(&m.places, "tcp://[::]:65001");
    places_add(&m.places, "ws://[::]:65002");
    assert_int_equal(list(&m, e, RECORD_ENDPOINTS_MAX), RECORD_ENDPOINTS_MAX);
    assert_int_equal(e[0].transport, TRANSPORT_IPC);
    for (size_t i = 1; i < RECORD_ENDPOINTS_MAX - 1; i++)
        assert_int_equal(e[i].transport, TRANSPORT_TCP);
    assert_int_equal(e[RECORD_ENDPOINTS_MAX - 1].transport, TRANSPORT_WS);

    struct identity identity;
    struct record_bytes bytes;
    struct record r = {.incarnation = INT64_MAX, .seq = INT64_MAX, .life_s = 3600, .roles = 3}, back;
    identity_from_seed((uint8_t[SEED_BYTES]){1}, &identity);
    r.id = identity.id;
    memset(r.name, 'n', NAME_MAX_BYTES);
    r.endpoint_count = RECORD_ENDPOINTS_MAX;
    memcpy(r.endpoint, e, sizeof e);
    assert_int_equal(record_sign(&r, &identity, &bytes), 0);
    assert_int_equal(record_decode(&bytes, &back), 0);
    assert_true(back.endpoint_count >= RECORD_ENDPOINTS_MAX - 3); /* what does not fit is left out from the end */
    assert_int_equal(back.endpoint[1].transport, TRANSPORT_TCP);
}

static void bulk_addresses_have_no_link_local_ones(void **state)
{
    (void)state;
    struct machine m = laptop();
    struct addr a[8];
    assert_int_equal(places_addresses(m.face, m.count, a, 8), 3);
    assert_false(addr_is_loopback(&a[0]));
    assert_true(addr_is_loopback(&a[2]));
    assert_int_equal(places_addresses(m.face, m.count, a, 1), 1);
}

static void scopes_are_this_machines(void **state)
{
    (void)state;
    struct places a, b;
    places_init(&a);
    places_init(&b);
    assert_true(a.files_scope != 0 && a.loopback_scope != 0 && a.files_scope != a.loopback_scope);
    assert_int_equal(a.files_scope, b.files_scope);
    assert_true(places_in_scope(&a, b.loopback_scope));
    assert_false(places_in_scope(&a, a.files_scope ^ a.loopback_scope ^ 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipe_1_every_transport_at_every_interface_best_first),
        cmocka_unit_test(one_address_is_one_endpoint),
        cmocka_unit_test(pipe_1_tcp_is_not_crowded_out),
        cmocka_unit_test(bulk_addresses_have_no_link_local_ones),
        cmocka_unit_test(scopes_are_this_machines),
    };
    return cmocka_run_group_tests_name("places", tests, NULL, NULL);
}
