/* Services and URLs as resources, opened for real: what comes is what they gave, a failure never looks like an end, and nothing
 * is left behind (resource_rig.h). */
#include "resource_rig.h"
#include "web.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- TCP */

static int listen_at(unsigned *port, int backlog)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, n), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &n), 0);
    if (backlog >= 0)
        assert_int_equal(listen(fd, backlog), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static void relay_2_a_service_both_ways(void **state)
{
    struct world *w = *state;
    static const char *const hosts[] = {"127.0.0.1", "localhost"};
    for (size_t i = 0; i < 2; i++) {
        char target[64], got[8] = "";
        unsigned port;
        int listener = listen_at(&port, 4);
        snprintf(target, sizeof target, "tcp:%s:%u", hosts[i], port);
        assert_int_equal(open_now(w, target), 0);
        int service = accept(listener, NULL, NULL);
        assert_int_equal(write(w->fd[1], "ping", 4), 4);
        assert_int_equal(shutdown(w->fd[1], SHUT_WR), 0);
        assert_int_equal(recv(service, got, 4, MSG_WAITALL), 4);
        assert_int_equal(recv(service, got, 4, 0), 0); /* half closed: the other half goes on */
        assert_int_equal(write(service, "pong", 4), 4);
        close(service);
        close(listener);
        assert_int_equal(assert_brings(w, "pong"), 0);
    }
}

static void a_service_that_refuses(void **state)
{
    struct world *w = *state;
    unsigned port;
    char target[64];
    int fd = listen_at(&port, -1); /* bound, but nobody listens */
    snprintf(target, sizeof target, "tcp:127.0.0.1:%u", port);
    assert_fails(w, target, ERR_UNREACHABLE, "refused");
    snprintf(target, sizeof target, "http://127.0.0.1:%u/", port);
    assert_fails(w, target, ERR_UNREACHABLE, "cannot be reached");
    close(fd);
}

/* A service whose queue is full does not answer at all. */
static void s31_a_service_that_does_not_answer(void **state)
{
    struct world *w = *state;
    const struct supply_limits limits = {.connect = SHORT, .silence = PATIENCE, .grace = SECOND, .bytes = MIB};
    unsigned port;
    char target[64];
    int listener = listen_at(&port, 0), fill[4];
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (size_t i = 0; i < 4; i++) {
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(fill[i], (struct sockaddr *)&address, sizeof address);
    }
    restart_with(w, &limits);
    snprintf(target, sizeof target, "tcp:127.0.0.1:%u", port);
    assert_fails(w, target, ERR_TIMEOUT, "does not answer");
    begin(w, target); /* and closed while it tries */
    close_now(w);
    for (size_t i = 0; i < 4; i++)
        close(fill[i]);
    close(listener);
}

static void a_name_that_is_nobodys(void **state)
{
    struct world *w = *state;
    static const char *const targets[] = {"tcp:nobody.invalid:80", "http://nobody.invalid/"};
    for (size_t i = 0; i < 2; i++) {
        int err = open_now(w, targets[i]);
        assert_true(err == ERR_UNREACHABLE || err == ERR_TIMEOUT);
        close_now(w);
        begin(w, targets[i]); /* and closed while it is looked up */
        close_now(w);
    }
}

/* ---- URLs */

struct site {
    struct web *web;
    char url[96];
};

static struct site site_new(void)
{
    struct site s = {.web = web_new()};
    return s;
}

static const char *at(struct site *s, const char *path)
{
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u%s", web_port(s->web), path);
    return s->url;
}

static void relay_2_a_url_is_fetched(void **state)
{
    struct world *w = *state;
    struct site s = site_new();
    char head[4096];
    setenv("http_proxy", "http://127.0.0.1:1/", 1); /* which nobody asked us to use */
    setenv("all_proxy", "http://127.0.0.1:1/", 1);
    assert_brings_all(w, at(&s, "/ok"), "hello");
    web_last(s.web, head, sizeof head);
    assert_non_null(strstr(head, "User-Agent: weft\r\n"));
    assert_null(strcasestr(head, "cookie"));
    assert_null(strcasestr(head, "authorization"));
    assert_brings_all(w, at(&s, "/empty"), "");
    assert_brings_all(w, at(&s, "/until-close"), "hello");
    assert_brings_all(w, at(&s, "/chunked"), "hello");
    assert_brings_all(w, at(&s, "/continue"), "hello");
    snprintf(s.url, sizeof s.url, "http://localhost:%u/ok", web_port(s.web));
    assert_brings_all(w, s.url, "hello");
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    web_free(s.web);
}

static void s26_a_url_that_leads_elsewhere_is_not_followed(void **state)
{
    struct world *w = *state;
    struct site s = site_new();
    assert_fails(w, at(&s, "/302"), ERR_REFUSED, "302");
    assert_fails(w, at(&s, "/302-file"), ERR_REFUSED, "leads elsewhere");
    assert_int_equal(web_asked(s.web, "/ok"), 0);
    web_free(s.web);
}

static void s33_an_answer_that_is_an_error_gives_no_byte(void **state)
{
    struct world *w = *state;
    struct site s = site_new();
    assert_fails(w, at(&s, "/404"), ERR_NOT_FOUND, "404");
    assert_fails(w, at(&s, "/500"), ERR_IO, "500");
    assert_null(strstr(w->r.fault.text, "secret"));
    assert_fails(w, at(&s, "/garbage"), ERR_UNREACHABLE, "");
    assert_fails(w, at(&s, "/nothing"), ERR_UNREACHABLE, "");
    web_free(s.web);
}

static void s16_a_url_that_breaks_off_is_a_failure(void **state)
{
    struct world *w = *state;
    struct site s = site_new();
    assert_ends_badly(w, at(&s, "/short"), "hello", ERR_IO, "not whole");
    assert_ends_badly(w, at(&s, "/broken-chunk"), "hello", ERR_IO, "not whole");
    web_free(s.web);
}

static void s31_a_url_that_hangs(void **state)
{
    struct world *w = *state;
    const struct supply_limits limits = {.connect = SHORT, .silence = SHORT, .grace = SECOND, .bytes = MIB};
    struct site s = site_new();
    restart_with(w, &limits);
    assert_fails(w, at(&s, "/hang"), ERR_TIMEOUT, "does not answer");
    web_free(s.web);
    s = site_new();
    const struct supply_limits later = {.connect = PATIENCE, .silence = SHORT, .grace = SECOND, .bytes = MIB};
    restart_with(w, &later);
    assert_ends_badly(w, at(&s, "/stall"), "hello", ERR_TIMEOUT, "silent");
    web_free(s.web);
}

static void p45_a_url_without_end_is_bounded(void **state)
{
    struct world *w = *state;
    const struct supply_limits limits = {.connect = PATIENCE, .silence = PATIENCE, .grace = SECOND, .bytes = 3 * MIB};
    struct site s = site_new();
    restart_with(w, &limits);
    assert_int_equal(open_now(w, at(&s, "/endless")), 0);
    struct text t = read_up_to(w, 8 * MIB);
    assert_true(t.n > 2 * MIB && t.n <= 3 * MIB);
    free(t.bytes);
    assert_int_equal(resource_verdict(&w->r, &w->fault), ERR_LIMIT);
    close_now(w);
    int err = open_now(w, at(&s, "/endless-head")); /* of which libcurl takes 300 KiB */
    assert_true(err == ERR_UNREACHABLE || err == ERR_TIMEOUT);
    close_now(w);
    web_free(s.web);
}

/* The server waits because the reader does: that is no silence. */
static void p44_a_reader_may_take_its_time(void **state)
{
    struct world *w = *state;
    const struct supply_limits limits = {.connect = PATIENCE, .silence = SHORT, .grace = SECOND, .bytes = 64 * MIB};
    struct site s = site_new();
    restart_with(w, &limits);
    const char *const targets[] = {at(&s, "/endless"), "cmd:/bin/cat /dev/zero"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(open_now(w, targets[i]), 0);
        for (int k = 0; k < 3; k++) {
            run_for(w, 2 * SHORT);
            struct text t = read_up_to(w, 4 * MIB);
            assert_int_equal(t.n, 4 * MIB);
            free(t.bytes);
        }
        close_now(w);
    }
    web_free(s.web);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(relay_2_a_service_both_ways),
        TEST(a_service_that_refuses),
        TEST(s31_a_service_that_does_not_answer),
        TEST(a_name_that_is_nobodys),
        TEST(relay_2_a_url_is_fetched),
        TEST(s26_a_url_that_leads_elsewhere_is_not_followed),
        TEST(s33_an_answer_that_is_an_error_gives_no_byte),
        TEST(s16_a_url_that_breaks_off_is_a_failure),
        TEST(s31_a_url_that_hangs),
        TEST(p45_a_url_without_end_is_bounded),
        TEST(p44_a_reader_may_take_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
