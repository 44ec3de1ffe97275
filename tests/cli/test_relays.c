/* What a person sees of relays, whole commands with a libweft that has no node: shares with --via and what is no file, handles,
 * routes, a node that is a relay. */
#include "err.h"
#include "fake_weft.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ID "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrsq"

static int setup(void **state)
{
    *state = fake_new();
    return 0;
}

static int teardown(void **state)
{
    fake_free(*state);
    return 0;
}

static void assert_says(const char *text, const char *wanted)
{
    if (!strstr(text, wanted))
        fail_msg("this does not say \"%s\":\n%s", wanted, text);
}

/* ---- share */

static struct weft_row *answer_share(struct fake *f, const char *name, const char *kind, const char *path)
{
    struct weft_row *row = fake_answer(f, "share");

    weft_row_set_text(row, "peer", "bob");
    weft_row_set_text(row, "name", name);
    weft_row_set_text(row, "kind", kind);
    weft_row_set_bytes(row, "path", path, strlen(path));
    return row;
}

static void a_service_is_shared_by_its_target(void **state)
{
    struct fake *f = *state;

    answer_share(f, "ssh", "tcp", "127.0.0.1:22");
    fake_answer(f, "done");
    assert_int_equal(RUN(f, "share", "tcp:127.0.0.1:22", "--as", "ssh"), 0);
    assert_string_equal(weft_row_text(f->requests[0], "target", ""), "tcp:127.0.0.1:22");
    assert_string_equal(weft_row_text(f->requests[0], "name", ""), "ssh");
    assert_null(weft_row_bytes(f->requests[0], "path", &(size_t){0}));
    assert_string_equal(f->out, "ssh  tcp  127.0.0.1:22  trusted\n");
    assert_says(f->err, "weft pipe connect bob:ssh --listen 127.0.0.1:0");
}

static void what_has_no_path_is_shared_as_it_is_typed(void **state)
{
    static const char *const targets[] = {"http://127.0.0.1:8080/x", "https://a.example/", "cmd:df -h /", "tcp:[::1]:22"};
    struct fake *f = *state;

    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        answer_share(f, "x", i == 2 ? "command" : "http", targets[i]);
        fake_answer(f, "done");
        assert_int_equal(RUN(f, "share", targets[i], "--as", "x", "--dry-run"), 0);
        assert_string_equal(weft_row_text(f->requests[i], "target", ""), targets[i]);
        assert_true(weft_row_bool(f->requests[i], "dry_run", false));
        assert_says(f->out, "would share x  ");
        assert_says(f->out, targets[i]);
        assert_string_equal(f->err, "");
    }
}

static void via_says_through_whom_it_is_reached(void **state)
{
    struct fake *f = *state;
    struct weft_row *row = answer_share(f, "photos", "dir", "/tmp");

    weft_row_set_text(row, "via", "hub");
    weft_row_set_text(row, "via", "attic\033");
    weft_row_set_text(row, "warning", "'attic\033' is not known to be a relay");
    fake_answer(f, "done");
    assert_int_equal(RUN(f, "share", "/tmp", "--as", "photos", "--via", "hub,attic", "--via=cellar", "--to", "anna"), 0);
    assert_int_equal(weft_row_fields(f->requests[0]), 9);
    assert_string_equal(weft_row_field_bytes(f->requests[0], 6, &(size_t){0}), "hub");
    assert_string_equal(weft_row_field_bytes(f->requests[0], 7, &(size_t){0}), "attic");
    assert_string_equal(weft_row_field_bytes(f->requests[0], 8, &(size_t){0}), "cellar");
    assert_string_equal(f->out, "photos  dir  -  trusted  via hub,attic\\x1b\n");
    assert_string_equal(f->err, "weft: 'attic\\x1b' is not known to be a relay\n"
                                "Elsewhere: weft get bob:photos\n"
                                "Who cannot reach this node gets it through hub,attic\\x1b, by the same name.\n");
}

static void what_makes_no_sense_is_not_asked(void **state)
{
    struct fake *f = *state;

    assert_int_equal(RUN(f, "share", "tcp:127.0.0.1:22"), 2);
    assert_says(f->err, "--as");
    assert_int_equal(RUN(f, "share", "tcp:127.0.0.1:22", "--as", "ssh", "--writable"), 2);
    assert_int_equal(RUN(f, "share", "cmd:\xff", "--as", "x"), 2);
    assert_int_equal(RUN(f, "share", "/tmp", "--via", "hub,"), 2);
    assert_says(f->err, "--via needs the names of peers");
    assert_int_equal(RUN(f, "share", "./tcp:127.0.0.1:22"), 6); /* a path, though it does not look like one */
    assert_int_equal(f->request_count, 0);
}

/* ---- lists */

static void answer_handle(struct fake *f, const char *holder, const char *name, const char *state)
{
    struct weft_row *row = fake_answer(f, "handle");

    weft_row_set_text(row, "relay", "hub");
    weft_row_set_text(row, "holder", holder);
    weft_row_set_text(row, "id", ID);
    weft_row_set_text(row, "name", name);
    weft_row_set_text(row, "kind", "tcp");
    weft_row_set_text(row, "state", state);
    weft_row_set_bool(row, "public", true);
}

static void s32_a_relay_lists_its_handles_as_they_are_typed(void **state)
{
    struct fake *f = *state;

    for (int i = 0; i < 3; i++) {
        answer_share(f, "own", "dir", "/x");
        answer_handle(f, "carol", "ssh", "ready");
        answer_handle(f, "", "a\033[2J", "away");
        fake_answer(f, "done");
    }
    assert_int_equal(RUN(f, "ls", "hub"), 0);
    assert_string_equal(f->out, "bob:own\ncarol:ssh\n" ID ":a\\x1b[2J\n");
    assert_says(f->err, "1 of these cannot be had now");
    assert_int_equal(RUN(f, "ls", "-l", "hub"), 0);
    assert_string_equal(f->out, "KIND  SIZE  AUDIENCE  SHARE\n"
                                "dir      -  trusted   bob:own\n"
                                "\n"
                                "KIND  STATE  AUDIENCE  RELAY  HANDLE\n"
                                "tcp   ready  public    hub    carol:ssh\n"
                                "tcp   away   public    hub    " ID ":a\\x1b[2J\n");
    assert_int_equal(RUN(f, "ls", "--json", "hub"), 0);
    assert_says(f->out, "{\"row\":\"handle\",\"relay\":\"hub\",\"holder\":\"carol\",\"id\":\"" ID
                        "\",\"name\":\"ssh\",\"kind\":\"tcp\",\"state\":\"ready\",\"public\":true}\n");
    assert_says(f->out, "\"via\":[]");
}

static void answer_peer(struct fake *f, const char *name, const char *route)
{
    struct weft_row *row = fake_answer(f, "peer");

    weft_row_set_text(row, "name", name);
    weft_row_set_text(row, "id", ID);
    weft_row_set_text(row, "state", "linked");
    weft_row_set_text(row, "endpoint", strcmp(route, "direct") == 0 ? "tcp://192.0.2.7:1" : "relay://" ID);
    weft_row_set_text(row, "route", route);
}

static void s32_routes_stand_where_they_are_not_direct(void **state)
{
    struct fake *f = *state;

    answer_peer(f, "bob", "relay:hub\033");
    answer_peer(f, "carol", "direct");
    answer_share(f, "photos", "dir", "");
    fake_answer(f, "done");
    assert_int_equal(RUN(f, "ls", "-l"), 0);
    assert_string_equal(f->out, "KIND  SIZE  AUDIENCE  ROUTE          SHARE\n"
                                "dir      -  trusted   relay:hub\\x1b  bob:photos\n"
                                "carol:\n");
    answer_peer(f, "bob", "relay:hub\033");
    answer_peer(f, "carol", "direct");
    fake_answer(f, "done");
    assert_int_equal(RUN(f, "peers"), 0);
    assert_says(f->out, "SEEN  ROUTE          ENDPOINT");
    assert_says(f->out, "   -  relay:hub\\x1b");
    assert_null(strstr(f->out, "relay://")); /* which would say it twice */
    answer_peer(f, "carol", "direct");
    fake_answer(f, "done");
    assert_int_equal(RUN(f, "peers"), 0);
    assert_null(strstr(f->out, "ROUTE"));
    assert_null(strstr(f->out, "direct"));
}

static void s32_ping_says_the_route(void **state)
{
    struct fake *f = *state;
    struct weft_row *row = fake_answer(f, "pong");

    weft_row_set_int(row, "seq", 1);
    weft_row_set_int(row, "rtt_us", 412);
    weft_row_set_text(row, "transport", "relay");
    weft_row_set_text(row, "endpoint", "relay://" ID);
    weft_row_set_text(row, "route", "relay:\033hub");
    fake_answer(f, "done");
    assert_int_equal(RUN(f, "ping", "-c", "1", "bob"), 0);
    assert_string_equal(f->out, "1: 412 us  relay:\\x1bhub\n");
}

static void answer_status(struct fake *f)
{
    struct weft_row *row = fake_answer(f, "status");

    weft_row_set_text(row, "name", "anna");
    weft_row_set_int(row, "relay_reservations", 2);
    weft_row_set_int(row, "relay_bytes", 3 << 20);
    row = fake_answer(f, "reservation");
    weft_row_set_text(row, "relay", "hub");
    weft_row_set_text(row, "state", "held");
    weft_row_set_int(row, "sessions", 1);
    weft_row_set_int(row, "expires_s", 500);
    weft_row_set_int(row, "offers", 3);
    row = fake_answer(f, "session");
    weft_row_set_text(row, "peer", "bob\033");
    weft_row_set_text(row, "relay", "hub");
    weft_row_set_text(row, "direction", "in");
    weft_row_set_text(row, "handle", "");
    weft_row_set_int(row, "bytes_in", 2048);
    weft_row_set_int(row, "bytes_out", -5);
    weft_row_set_int(row, "idle_ms", 1500);
    fake_answer(f, "done");
}

static void s32_status_shows_relays_and_what_goes_through_them(void **state)
{
    struct fake *f = *state;

    answer_status(f);
    assert_int_equal(RUN(f, "status"), 0);
    assert_string_equal(f->out, "name        anna\n"
                                "relay for   2\n"
                                "carried     3.00 MiB\n"
                                "\n"
                                "RELAY  STATE  SHARES  SESSIONS    GOOD FOR\n"
                                "hub    held        3         1  8 min 20 s\n"
                                "\n"
                                "PEER     RELAY  WAY  SHARE        IN  OUT   IDLE\n"
                                "bob\\x1b  hub    in   -      2.00 KiB  0 B  1.5 s\n");
    answer_status(f);
    assert_int_equal(RUN(f, "status", "--json"), 0);
    assert_string_equal(f->out,
                        "{\"row\":\"status\",\"name\":\"anna\",\"relay_reservations\":2,\"relay_bytes\":3145728,"
                        "\"endpoint\":[],\"reservations\":[{\"relay\":\"hub\",\"state\":\"held\",\"sessions\":1,"
                        "\"expires_s\":500,\"offers\":3}],\"sessions\":[{\"peer\":\"bob\\u001B\",\"relay\":\"hub\","
                        "\"direction\":\"in\",\"handle\":\"\",\"bytes_in\":2048,\"bytes_out\":-5,\"idle_ms\":1500}]}\n");
    fake_answer(f, "done");
    assert_int_equal(RUN(f, "status"), 1);
    assert_says(f->err, "another version");
}

/* ---- up */

static void answer_ready(struct fake *f)
{
    struct weft_row *row = fake_answer(f, "ready");

    weft_row_set_text(row, "id", ID);
    weft_row_set_text(row, "name", "hub\033");
}

static void a_relay_says_what_to_type_next(void **state)
{
    struct fake *f = *state;

    answer_ready(f);
    assert_int_equal(RUN(f, "up", "--role", "relay", "--relay-sessions", "8", "--relay-bytes", "20G", "--relay-rate=512K"), 0);
    assert_true(f->started.relay);
    assert_int_equal(f->started.relay_sessions, 8);
    assert_int_equal(f->started.relay_bytes, UINT64_C(20) << 30);
    assert_int_equal(f->started.relay_rate, 512 * 1024);
    assert_says(f->out, "weft invite\n");
    assert_says(f->out, "weft share FOLDER --via hub\\x1b\n");
    answer_ready(f);
    assert_int_equal(RUN(f, "up"), 0);
    assert_int_equal(f->started.relay_sessions, 0);
    assert_null(strstr(f->out, "--via"));
}

static void quotas_are_numbers_with_units(void **state)
{
    static const char *const wrong[][2] = {
        {"--relay-sessions", "0"},     {"--relay-sessions", "1025"}, {"--relay-sessions", "5K"},
        {"--relay-bytes", "0"},        {"--relay-bytes", "5KB"},     {"--relay-bytes", "-5"},
        {"--relay-bytes", "2000000T"}, {"--relay-rate", "fast"},     {"--relay-rate", ""}};
    struct fake *f = *state;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(RUN(f, "up", "--role", "relay", wrong[i][0], wrong[i][1]), 2);
    assert_int_equal(RUN(f, "up", "--relay-bytes", "5G"), 2);
    assert_says(f->err, "--role relay");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_service_is_shared_by_its_target),
        TEST(what_has_no_path_is_shared_as_it_is_typed),
        TEST(via_says_through_whom_it_is_reached),
        TEST(what_makes_no_sense_is_not_asked),
        TEST(s32_a_relay_lists_its_handles_as_they_are_typed),
        TEST(s32_routes_stand_where_they_are_not_direct),
        TEST(s32_ping_says_the_route),
        TEST(s32_status_shows_relays_and_what_goes_through_them),
        TEST(a_relay_says_what_to_type_next),
        TEST(quotas_are_numbers_with_units),
    };

    return cmocka_run_group_tests_name("cli_relays", tests, NULL, NULL);
}
