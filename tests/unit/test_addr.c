/* Addresses and endpoints: text, kernel form, and what of a peer's is believed. */
#include "addr.h"
#include "err.h"
#include "id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/un.h>

#include <cmocka.h>

static void addresses_survive_their_text(void **unused)
{
    (void)unused;
    static const char *const texts[] = {
        "192.168.1.4:49160",
        "0.0.0.0:0",
        "255.255.255.255:65535",
        "[::]:0",
        "[::1]:9338",
        "[fe80::1%3]:49160",
        "[fe80::1%4294967295]:1",
        "[fe80::1]:1",
        "[2001:db8::a:b]:80",
        "[::ffff:10.0.0.1]:80",
        "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct addr a, back;
        struct sockaddr_storage ss;
        char text[ADDR_TEXT];
        assert_int_equal(addr_parse(texts[i], &a), 0);
        assert_string_equal(addr_text(&a, text), texts[i]);
        socklen_t n = addr_to_sockaddr(&a, &ss);
        assert_int_equal(n, a.family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
        assert_int_equal(addr_from_sockaddr((struct sockaddr *)&ss, &back), 0);
        assert_true(addr_equal(&a, &back));
    }
    struct addr unset = {0};
    char text[ADDR_TEXT];
    assert_string_equal(addr_text(&unset, text), "none");
}

static void what_is_no_address_is_refused_and_leaves_none(void **unused)
{
    (void)unused;
    static const char *const wrong[] = {
        "",
        ":",
        ":80",
        "1.2.3.4",
        "1.2.3.4:",
        "1.2.3.4:65536",
        "1.2.3.4:080",
        "1.2.3.4:+80",
        "1.2.3.4: 80",
        "1.2.3.4:80 ",
        "1.2.3.4:-1",
        "1.2.3.4:4294967376",
        "1.2.3.4:99999999999",
        "1.2.3:80",
        "1.2.3.4.5:80",
        "01.2.3.4:80",
        "256.1.1.1:80",
        "localhost:80",
        "example.org:80",
        "*:80",
        "1.2.3.4:*",
        "::1:80",
        "[::1]",
        "[::1]80",
        "[::1:80",
        "::1]:80",
        "[]:80",
        "[:80",
        "]:80",
        "[::1%1]:80",
        "[fe80::1%]:80",
        "[fe80::1%0]:80",
        "[fe80::1%eth0]:80",
        "[fe80::1%01]:80",
        "[fe80::1%4294967296]:80",
        "[fe80::1%1%2]:80",
        "[1.2.3.4]:80",
        "[g::1]:80",
        "1.2.3.4%1:80",
        "[2001:0db8:0000:0000:0000:0000:0000:0001%0000000000000000000000000000000000000001]:80",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct addr a = {.family = AF_INET, .port = 1};
        if (addr_parse(wrong[i], &a) != ERR_MALFORMED)
            fail_msg("taken: %s", wrong[i]);
        assert_int_equal(a.family, 0);
    }
}

static struct addr parsed(const char *text)
{
    struct addr a;
    assert_int_equal(addr_parse(text, &a), 0);
    return a;
}

static void addresses_are_told_apart(void **unused)
{
    (void)unused;
    struct addr a = parsed("10.0.0.1:80"), port = parsed("10.0.0.1:81"), mapped = parsed("[::ffff:10.0.0.1]:80");
    struct addr other = parsed("10.0.0.2:80"), near = parsed("[fe80::1%1]:80"), far = parsed("[fe80::1%2]:80");
    assert_true(addr_equal(&a, &a));
    assert_false(addr_equal(&a, &port) || addr_equal(&a, &mapped) || addr_equal(&a, &other) || addr_equal(&near, &far));
    assert_true(addr_same_host(&a, &port) && addr_same_host(&a, &mapped) && addr_same_host(&near, &near));
    assert_false(addr_same_host(&a, &other) || addr_same_host(&near, &far) || addr_same_host(&a, &near));
}

static void addresses_have_kinds(void **unused)
{
    (void)unused;
    static const struct {
        const char *text;
        bool loopback, link_local, dialable;
    } cases[] = {
        {"127.0.0.1:1", true, false, true},   {"127.9.9.9:1", true, false, true},
        {"[::1]:1", true, false, true},       {"[::ffff:127.0.0.1]:1", true, false, true},
        {"169.254.1.1:1", false, true, true}, {"[fe80::1]:1", false, true, true},
        {"[febf::1]:1", false, true, true},   {"[fec0::1]:1", false, false, true},
        {"10.0.0.1:1", false, false, true},   {"10.0.0.1:0", false, false, false},
        {"0.0.0.0:1", false, false, false},   {"[::]:1", false, false, false},
        {"224.0.0.1:1", false, false, false}, {"255.255.255.255:1", false, false, false},
        {"[ff02::1]:1", false, false, false}, {"[::ffff:0.0.0.0]:1", false, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct addr a = parsed(cases[i].text);
        assert_int_equal(addr_is_loopback(&a), cases[i].loopback);
        assert_int_equal(addr_is_link_local(&a), cases[i].link_local);
        assert_int_equal(addr_is_dialable(&a), cases[i].dialable);
    }
    struct addr unset = {.port = 1};
    assert_false(addr_is_dialable(&unset) || addr_is_loopback(&unset) || addr_is_link_local(&unset));
}

static void other_families_are_refused(void **unused)
{
    (void)unused;
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct addr a;
    assert_int_equal(addr_from_sockaddr((struct sockaddr *)&un, &a), ERR_UNSUPPORTED);
    assert_int_equal(a.family, 0);
}

static void transports_have_names(void **unused)
{
    (void)unused;
    for (int i = 0; i < TRANSPORT_RELAY; i++) {
        enum transport t = TRANSPORT_COUNT;
        assert_int_equal(transport_parse(transport_name((enum transport)i), &t), 0);
        assert_int_equal(t, i);
    }
    enum transport t;
    assert_int_equal(transport_parse("udp", &t), ERR_MALFORMED);
    assert_int_equal(transport_parse("", &t), ERR_MALFORMED);
    assert_int_equal(transport_parse("relay", &t), ERR_MALFORMED); /* no pipe can ask for it */
    assert_string_equal(transport_name(TRANSPORT_RELAY), "relay");
    assert_string_equal(transport_name(TRANSPORT_COUNT), "unknown");
}

#define SIXTEEN "0123456789abcdef"
#define PATH_118 "/" SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN "01234"

#define RELAY_51 "aeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaea" /* bytes of 1, but for the last digit */

/* What is an endpoint at all, and what of those a peer may make us dial. */
static void endpoints_are_of_a_transport(void **unused)
{
    (void)unused;
    static const struct {
        const char *text;
        enum transport transport; /* ANY: none */
        bool valid;
    } cases[] = {
        {"tcp://192.168.1.4:49160", TRANSPORT_TCP, true},
        {"tcp://[fe80::1%3]:49160", TRANSPORT_TCP, true},
        {"ws://192.168.1.4:80", TRANSPORT_WS, true},
        {"ipc:///run/user/1000/weft/node", TRANSPORT_IPC, true},
        {"ipc:///home/j\xc3\xb6rg/a b", TRANSPORT_IPC, true},
        {"ipc://@abstract", TRANSPORT_IPC, true},
        {"ipc://" PATH_118 "678", TRANSPORT_IPC, true},   /* 127 bytes */
        {"ipc://" PATH_118 "6789", TRANSPORT_ANY, false}, /* 128 */
        {"tcp://*:*", TRANSPORT_TCP, false},              /* ours may be, for binding */
        {"tcp://host.example:80", TRANSPORT_TCP, false},
        {"tcp://192.168.1.4:0", TRANSPORT_TCP, false},
        {"tcp://0.0.0.0:80", TRANSPORT_TCP, false},
        {"ws://192.168.1.4:80/path", TRANSPORT_WS, false},
        {"ipc://*", TRANSPORT_IPC, false},
        {"tcp://1.1.1.1:1;2.2.2.2:2", TRANSPORT_ANY, false}, /* ZeroMQ's source address */
        {"tcp://1.2.3.4:80 ", TRANSPORT_ANY, false},
        {"tcp://1.2.3.4:80\n", TRANSPORT_ANY, false},
        {"ipc:///tmp/\x1b[2J", TRANSPORT_ANY, false},
        {"ipc:///tmp/\xff", TRANSPORT_ANY, false},
        {"ipc:///tmp/\xe2\x80\xae", TRANSPORT_ANY, false},
        {"relay://" RELAY_51 "q", TRANSPORT_RELAY, true},
        {"relay://" RELAY_51, TRANSPORT_RELAY, false},      /* cut */
        {"relay://" RELAY_51 "qq", TRANSPORT_RELAY, false}, /* too long */
        {"relay://" RELAY_51 "b", TRANSPORT_RELAY, false},  /* sets bits that are none of the id's */
        {"relay://" RELAY_51 "Q", TRANSPORT_RELAY, false},  /* another way to write the same */
        {"relay://" RELAY_51 "q/x", TRANSPORT_RELAY, false},
        {"relay://" RELAY_51 "q:80", TRANSPORT_RELAY, false},
        {"relay://" RELAY_51 "q\n", TRANSPORT_ANY, false},
        {"relay://1.2.3.4:80", TRANSPORT_RELAY, false},
        {"relay://*", TRANSPORT_RELAY, false},
        {"relay://", TRANSPORT_ANY, false},
        {"tcp://" RELAY_51 "q", TRANSPORT_TCP, false},
        {"tcp://", TRANSPORT_ANY, false},
        {"tcp:/1.2.3.4:80", TRANSPORT_ANY, false},
        {"TCP://1.2.3.4:80", TRANSPORT_ANY, false},
        {"any://1.2.3.4:80", TRANSPORT_ANY, false},
        {"inproc://x", TRANSPORT_ANY, false},
        {"pgm://eth0;239.0.0.1:80", TRANSPORT_ANY, false},
        {"1.2.3.4:80", TRANSPORT_ANY, false},
        {"", TRANSPORT_ANY, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum transport t = TRANSPORT_ANY;
        int err = endpoint_transport(cases[i].text, &t);
        if (t != cases[i].transport || (err == 0) != (t != TRANSPORT_ANY))
            fail_msg("%s: %s", cases[i].text, transport_name(t));
        struct endpoint e = {.transport = t};
        strncpy(e.text, cases[i].text, sizeof e.text - 1);
        if (endpoint_valid(&e) != cases[i].valid && strlen(cases[i].text) < ENDPOINT_TEXT)
            fail_msg("%s", cases[i].text);
    }
}

static void an_endpoint_must_agree_with_itself(void **unused)
{
    (void)unused;
    struct endpoint e = {.transport = TRANSPORT_TCP, .text = "tcp://1.2.3.4:80", .iface = "eth0"};
    assert_true(endpoint_valid(&e));
    e.transport = TRANSPORT_WS;
    assert_false(endpoint_valid(&e));
    e.transport = TRANSPORT_ANY;
    assert_false(endpoint_valid(&e));
    e.transport = TRANSPORT_TCP;
    strcpy(e.iface, "eth\n");
    assert_false(endpoint_valid(&e));
}

static void a_relays_endpoint_is_its_id_and_nothing_else(void **unused)
{
    (void)unused;
    struct node_id id, back;
    struct endpoint e;
    memset(&id, 1, sizeof id);
    endpoint_set_relay(&e, &id);
    assert_string_equal(e.text, "relay://" RELAY_51 "q");
    assert_true(endpoint_valid(&e));
    assert_int_equal(endpoint_relay(e.text, &back), 0);
    assert_true(id_equal(&back, &id));

    struct endpoint other = e;
    other.scope = 1;
    assert_false(endpoint_valid(&other));
    other = e;
    strcpy(other.iface, "eth0");
    assert_false(endpoint_valid(&other));
    other = e;
    other.transport = TRANSPORT_TCP;
    assert_false(endpoint_valid(&other));

    static const char *const wrong[] = {"relay://", "relay://x", "tcp://1.2.3.4:80", RELAY_51 "q", "relay:" RELAY_51 "q", ""};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(endpoint_relay(wrong[i], &back), ERR_MALFORMED);
}

static void endpoints_hold_addresses(void **unused)
{
    (void)unused;
    struct addr a;
    char text[ADDR_TEXT];
    assert_int_equal(endpoint_addr("ws://[::1]:80", &a), 0);
    assert_string_equal(addr_text(&a, text), "[::1]:80");
    static const char *const wrong[] = {
        "ipc:///1.2.3.4:80", "tcp://1.2.3.4", "tcp://1.2.3.4:0", "tcp://a:1", "1.2.3.4:80", "relay://1.2.3.4:80", ""};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(endpoint_addr(wrong[i], &a), ERR_MALFORMED);
        assert_int_equal(a.family, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_survive_their_text), cmocka_unit_test(what_is_no_address_is_refused_and_leaves_none),
        cmocka_unit_test(addresses_are_told_apart),     cmocka_unit_test(addresses_have_kinds),
        cmocka_unit_test(other_families_are_refused),   cmocka_unit_test(transports_have_names),
        cmocka_unit_test(endpoints_are_of_a_transport), cmocka_unit_test(an_endpoint_must_agree_with_itself),
        cmocka_unit_test(endpoints_hold_addresses),     cmocka_unit_test(a_relays_endpoint_is_its_id_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
