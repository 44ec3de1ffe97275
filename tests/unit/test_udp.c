/* Datagrams: heard on every interface by all nodes of a machine, answered at their source, bounded, limited to named
 * interfaces. Real sockets on ports that the system picks; where there is no IPv6 or no other interface than loopback, that
 * part is passed over. */
#include "limits.h"
#include "udp.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 10000

struct world {
    int port_holder; /* keeps the port ours: others share it by SO_REUSEADDR */
    uint16_t port;
    struct udp *a, *b;
    struct fault fault;
};

/* What one node heard. */
struct heard {
    int count;
    size_t n;
    uint8_t bytes[2048];
    struct addr from;
    bool loopback, others; /* ways by which anything came */
};

static void hear(void *arg, const struct addr *from, const void *bytes, size_t n)
{
    struct heard *h = arg;
    h->count++;
    h->n = n;
    h->from = *from;
    h->loopback = h->loopback || addr_is_loopback(from);
    h->others = h->others || !addr_is_loopback(from);
    assert_true(n <= sizeof h->bytes);
    memcpy(h->bytes, bytes, n);
}

/* A port that was free a moment ago and stays bound by us, shareably. */
static int hold_port(uint16_t *port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET};
    socklen_t n = sizeof sa;
    int one = 1, fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &n), 0);
    *port = ntohs(sa.sin_port);
    return fd;
}

static struct udp *open_udp(struct world *w, const char *const *interfaces, bool no_beacon)
{
    const struct udp_config config = {.beacon_port = w->port, .interfaces = interfaces, .no_beacon = no_beacon};
    struct udp *udp;
    assert_int_equal(udp_new(&config, &udp, &w->fault), 0);
    return udp;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    w->port_holder = hold_port(&w->port);
    w->a = open_udp(w, NULL, false);
    w->b = open_udp(w, NULL, false);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    udp_free(w->a);
    udp_free(w->b);
    close(w->port_holder);
    free(w);
    return 0;
}

/* Waits until something can be read, then reads it. false: nothing came. */
static bool listen_for(struct udp *udp, struct heard *h, int wait_ms)
{
    struct pollfd p[UDP_FDS];
    int fds[UDP_FDS];
    bool changed;
    udp_fds(udp, fds);
    for (int i = 0; i < UDP_FDS; i++)
        p[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    if (poll(p, UDP_FDS, wait_ms) <= 0)
        return false;
    udp_read(udp, hear, h, &changed);
    return true;
}

static void a_beacon_is_heard_by_others_and_by_oneself(void **state)
{
    struct world *w = *state;
    struct heard a = {0}, b = {0};
    assert_true(udp_hears(w->a));
    udp_send(w->a, NULL, "hello", 5);
    while (b.count == 0)
        assert_true(listen_for(w->b, &b, PATIENCE_MS));
    assert_int_equal(b.n, 5);
    assert_memory_equal(b.bytes, "hello", 5);
    while (a.count == 0)
        assert_true(listen_for(w->a, &a, PATIENCE_MS));
}

static void the_source_of_a_beacon_can_be_answered(void **state)
{
    struct world *w = *state;
    struct heard a = {0}, b = {0};
    udp_send(w->a, NULL, "who", 3);
    while (b.count == 0)
        assert_true(listen_for(w->b, &b, PATIENCE_MS));
    while (listen_for(w->a, &a, 0))
        ; /* its own beacon, by all ways */
    udp_send(w->b, &b.from, "me", 2);
    while (a.n != 2)
        assert_true(listen_for(w->a, &a, PATIENCE_MS));
    assert_memory_equal(a.bytes, "me", 2);
}

/* Loopback and, where there is one, another interface. */
static void every_usable_way_is_taken(void **state)
{
    struct world *w = *state;
    struct udp_interface face[UDP_INTERFACES_MAX];
    struct heard h = {0};
    size_t n = udp_interfaces(w->a, face, UDP_INTERFACES_MAX);
    bool loopback = false, others = false;
    for (size_t i = 0; i < n; i++) {
        loopback = loopback || (face[i].loopback && face[i].addr.family == AF_INET);
        others = others || !face[i].loopback;
    }
    udp_send(w->a, NULL, "x", 1);
    while (h.loopback != loopback || h.others != others)
        assert_true(listen_for(w->b, &h, PATIENCE_MS));
}

static void interfaces_are_in_order(void **state)
{
    struct world *w = *state;
    struct udp_interface face[UDP_INTERFACES_MAX];
    size_t n = udp_interfaces(w->a, face, UDP_INTERFACES_MAX);
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(face[i].addr.port, 0);
        assert_int_equal(if_nametoindex(face[i].name), face[i].index);
        if (i == 0)
            continue;
        assert_true(!face[i - 1].loopback || face[i].loopback);
        if (face[i].index == face[i - 1].index)
            assert_true(!addr_is_link_local(&face[i - 1].addr) || addr_is_link_local(&face[i].addr));
    }
    assert_int_equal(udp_interfaces(w->a, face, 1), 1);
    assert_int_equal(udp_interfaces(w->a, face, 0), 0);
}

/* What arrives by another interface than the named one is not even handed on. */
static void named_interfaces_only(void **state)
{
    struct world *w = *state;
    const char *const only[] = {"lo", NULL}, *const none[] = {"no-such-if", NULL};
    struct udp_interface face[UDP_INTERFACES_MAX];
    struct udp *lo = open_udp(w, only, false), *deaf = open_udp(w, none, false);
    size_t n = udp_interfaces(lo, face, UDP_INTERFACES_MAX);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(face[i].name, "lo");
    assert_int_equal(udp_interfaces(deaf, face, UDP_INTERFACES_MAX), 0);
    struct heard h = {0}, nothing = {0};
    udp_send(w->a, NULL, "x", 1); /* by lo and by all others */
    while (h.count == 0)
        assert_true(listen_for(lo, &h, PATIENCE_MS));
    while (listen_for(deaf, &nothing, 0))
        ;
    assert_int_equal(nothing.count, 0);
    udp_send(deaf, NULL, "y", 1); /* goes nowhere, harmlessly */
    udp_free(lo);
    udp_free(deaf);
}

static void without_beacons_only_what_is_addressed(void **state)
{
    struct world *w = *state;
    struct udp *quiet = open_udp(w, NULL, true);
    struct heard h = {0}, b = {0};
    assert_false(udp_hears(quiet));
    udp_send(w->a, NULL, "beacon", 6);
    while (b.count == 0)
        assert_true(listen_for(w->b, &b, PATIENCE_MS));
    assert_false(listen_for(quiet, &h, 0)); /* b has it, so it would be here */
    while (listen_for(w->b, &b, 0))
        ;
    udp_send(quiet, NULL, "silent", 6);
    udp_send(quiet, &b.from, "probe", 5);
    struct heard a = {0};
    while (a.n != 5)
        assert_true(listen_for(w->a, &a, PATIENCE_MS));
    udp_send(w->a, &a.from, "reply", 5);
    while (h.count == 0)
        assert_true(listen_for(quiet, &h, PATIENCE_MS));
    udp_free(quiet);
}

static struct addr loopback(uint16_t port)
{
    struct addr a = {.family = AF_INET, .ip = {127, 0, 0, 1}, .port = port};
    return a;
}

/* Empty datagrams and ones that are longer than any beacon are dropped; what comes after them is heard. */
static void p45_datagrams_of_wrong_size_are_dropped(void **state)
{
    struct world *w = *state;
    static uint8_t big[60000];
    udp_free(w->b); /* one hearer at the port: it gets what is sent to it alone */
    w->b = NULL;
    close(w->port_holder);
    w->port_holder = socket(AF_INET, SOCK_DGRAM, 0);
    struct addr to = loopback(w->port);
    struct sockaddr_storage sa;
    socklen_t n = addr_to_sockaddr(&to, &sa);
    const size_t sizes[] = {0, BEACON_BYTES_MAX + 1, sizeof big, BEACON_BYTES_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        assert_int_equal(sendto(w->port_holder, big, sizes[i], 0, (struct sockaddr *)&sa, n), sizes[i]);
    struct heard h = {0};
    while (h.count == 0)
        assert_true(listen_for(w->a, &h, PATIENCE_MS));
    assert_int_equal(h.count, 1);
    assert_int_equal(h.n, BEACON_BYTES_MAX);
}

/* A flood does not keep the reader: at most 64 a socket at once. */
static void s46_a_flood_is_read_in_portions(void **state)
{
    struct world *w = *state;
    udp_free(w->b);
    w->b = NULL;
    close(w->port_holder);
    w->port_holder = socket(AF_INET, SOCK_DGRAM, 0);
    struct addr to = loopback(w->port);
    struct sockaddr_storage sa;
    socklen_t n = addr_to_sockaddr(&to, &sa);
    for (int i = 0; i < 150; i++)
        assert_int_equal(sendto(w->port_holder, "flood", 5, 0, (struct sockaddr *)&sa, n), 5);
    struct heard h = {0};
    int before = 0;
    while (h.count < 150) {
        assert_true(listen_for(w->a, &h, PATIENCE_MS));
        assert_true(h.count - before <= 64);
        before = h.count;
    }
}

static void a_taken_port_is_no_end(void **state)
{
    struct world *w = *state;
    struct sockaddr_in sa = {.sin_family = AF_INET};
    struct sockaddr_in6 sa6 = {.sin6_family = AF_INET6};
    socklen_t n = sizeof sa;
    int hog = socket(AF_INET, SOCK_DGRAM, 0), hog6 = socket(AF_INET6, SOCK_DGRAM, 0); /* not shared */
    assert_int_equal(bind(hog, (struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(getsockname(hog, (struct sockaddr *)&sa, &n), 0);
    sa6.sin6_port = sa.sin_port;
    (void)!bind(hog6, (struct sockaddr *)&sa6, sizeof sa6);
    const struct udp_config config = {.beacon_port = ntohs(sa.sin_port), .own_port = ntohs(sa.sin_port)};
    struct udp *udp;
    assert_int_equal(udp_new(&config, &udp, &w->fault), 0);
    int fds[UDP_FDS];
    udp_fds(udp, fds);
    assert_int_equal(fds[0], -1);
    assert_true(fds[2] >= 0);
    udp_free(udp);
    close(hog);
    close(hog6);
}

/* Nothing but numbers and sizes are looked at here; a read without anything to read is fine. */
static void reading_nothing_is_fine(void **state)
{
    struct world *w = *state;
    struct heard h = {0};
    bool changed = true;
    udp_read(w->a, hear, &h, &changed);
    assert_false(changed);
    assert_int_equal(h.count, 0);
    udp_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_beacon_is_heard_by_others_and_by_oneself),
        TEST(the_source_of_a_beacon_can_be_answered),
        TEST(every_usable_way_is_taken),
        TEST(interfaces_are_in_order),
        TEST(named_interfaces_only),
        TEST(without_beacons_only_what_is_addressed),
        TEST(p45_datagrams_of_wrong_size_are_dropped),
        TEST(s46_a_flood_is_read_in_portions),
        TEST(a_taken_port_is_no_end),
        TEST(reading_nothing_is_fine),
    };
    return cmocka_run_group_tests_name("udp", tests, NULL, NULL);
}
