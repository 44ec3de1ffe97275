/* Whole commands, with a libweft that answers what the test laid down: what is asked of the node, what is printed where, and
 * the exit status. */
#include "err.h"
#include "fake_weft.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static void assert_asked(const struct fake *f, const char *kind)
{
    assert_int_equal(f->request_count, 1);
    assert_string_equal(weft_row_kind(f->requests[0]), kind);
}

static void answer_peer(struct fake *f, const char *name, const char *id)
{
    struct weft_row *row = fake_answer(f, "peer");

    weft_row_set_text(row, "name", name);
    weft_row_set_text(row, "id", id);
    weft_row_set_text(row, "state", "linked");
    weft_row_set_text(row, "trust", "unknown");
}

static void answer_share(struct fake *f, const char *peer, const char *name)
{
    struct weft_row *row = fake_answer(f, "share");

    weft_row_set_text(row, "peer", peer);
    weft_row_set_text(row, "name", name);
    weft_row_set_text(row, "kind", "dir");
    weft_row_set_int(row, "size", 1524713390);
}

static void answer_error(struct fake *f, int code, const char *text)
{
    struct weft_row *row = fake_answer(f, "error");

    weft_row_set_text(row, "code", err_name(code));
    weft_row_set_text(row, "text", text);
}

/* ---- without a node */

static void version_and_help_need_no_node(void **state)
{
    struct fake *f = *state;

    f->no_node = true;
    assert_int_equal(RUN(f, "--version"), 0);
    assert_string_equal(f->out, "weft " WEFT_VERSION "\n");
    assert_int_equal(RUN(f, "version", "--json"), 0);
    assert_string_equal(f->out, "{\"row\":\"version\",\"version\":\"" WEFT_VERSION "\",\"schema\":1}\n");
    assert_int_equal(RUN(f, "get", "-h"), 0);
    assert_says(f->out, "--if-exists");
    assert_int_equal(RUN(f, "help", "pipe", "ls"), 0);
    assert_says(f->out, "usage: weft pipe ls [PEER]");
    assert_int_equal(RUN(f, "help", "gte"), 2);
    assert_says(f->err, "did you mean get?");
    assert_int_equal(fake_run(f, "", (const char *const[]){NULL}), 2);
    assert_string_equal(f->out, "");
    assert_says(f->err, "usage: weft VERB");
}

static void the_id_needs_no_node(void **state)
{
    struct fake *f = *state;

    f->no_node = true;
    assert_int_equal(RUN(f, "id"), 0);
    assert_string_equal(f->out, "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst\n");
    assert_says(f->err, "abcd efgh ijkl");
    assert_int_equal(RUN(f, "id", "--json"), 0);
    assert_says(f->out, "\"short\":\"abcdefgh\",\"fingerprint\":\"abcd efgh");
}

static void no_node_tells_how_to_start_one(void **state)
{
    struct fake *f = *state;

    f->no_node = true;
    assert_int_equal(RUN(f, "peers"), 1);
    assert_says(f->err, "weft up");
    assert_string_equal(f->out, "");
    assert_int_equal(RUN(f, "--json", "get", "bob:x"), 1);
    assert_says(f->out, "{\"row\":\"error\",\"error\":\"no-node\",\"text\":");
    assert_says(f->out, "\"exit\":1}");
}

static void usage_errors_show_the_usage(void **state)
{
    struct fake *f = *state;

    assert_int_equal(RUN(f, "get"), 2);
    assert_says(f->err, "usage: weft get");
    assert_int_equal(RUN(f, "get", "/etc/passwd"), 2);
    assert_says(f->err, "PEER:SHARE/PATH");
    assert_int_equal(RUN(f, "get", "bob:x", "--if-exists", "maybe"), 2);
    assert_int_equal(RUN(f, "peers", "--color", "sometimes"), 2);
    assert_int_equal(RUN(f, "ping", "bob", "-c", "0"), 2);
    assert_int_equal(RUN(f, "invite", "--expire", "25h"), 2);
    assert_int_equal(RUN(f, "invite", "--expire", "soon"), 2);
    assert_int_equal(RUN(f, "share", "/tmp", "--public", "--to", "bob"), 2);
    assert_int_equal(RUN(f, "share", "/tmp", "--to", "bob,"), 2);
    assert_int_equal(RUN(f, "up", "--beacon-port", "65536"), 2);
    assert_int_equal(RUN(f, "up", "--role", "king"), 2);
    assert_int_equal(f->request_count, 0);
}

/* ---- exit statuses */

static void every_error_ends_with_its_status(void **state)
{
    static const struct {
        enum err code;
        int status;
    } table[] = {{ERR_UNREACHABLE, 3}, {ERR_REFUSED, 4}, {ERR_PARTIAL, 5},  {ERR_NOT_FOUND, 6}, {ERR_VERIFY, 7},
                 {ERR_NOSPACE, 8},     {ERR_GUARD, 9},   {ERR_TIMEOUT, 10}, {ERR_IO, 1},        {ERR_USAGE, 2}};
    struct fake *f = *state;

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        answer_error(f, (int)table[i].code, "the node's own sentence");
        assert_int_equal(RUN(f, "status"), table[i].status);
        assert_says(f->err, "weft: the node's own sentence\n");
    }
}

static void interrupted_it_says_how_to_go_on(void **state)
{
    struct fake *f = *state;

    f->raises = true;
    assert_int_equal(RUN(f, "get", "bob:x"), 130);
    assert_says(f->err, "the same command again goes on");
    assert_int_equal(RUN(f, "peers"), 130);
    assert_string_equal(f->err, "weft: stopped\n");
}

static void a_mistyped_peer_is_suggested(void **state)
{
    struct fake *f = *state;

    answer_error(f, ERR_NOT_FOUND, "no peer 'bbo' is known here");
    answer_peer(f, "anna", ID);
    answer_peer(f, "bob", ID);
    fake_answer(f, "done");
    fake_answer(f, "done"); /* of this node's own name */
    assert_int_equal(RUN(f, "get", "bbo:folder"), 6);
    assert_says(f->err, "did you mean bob?");
    answer_error(f, ERR_NOT_FOUND, "bob shares nothing called flder");
    answer_peer(f, "bob", ID);
    fake_answer(f, "done");
    fake_answer(f, "done");
    assert_int_equal(RUN(f, "get", "bob:flder"), 6);
    assert_null(strstr(f->err, "did you mean"));
}

/* ---- lists */

static void ls_prints_what_can_be_typed(void **state)
{
    struct fake *f = *state;

    answer_peer(f, "bob", ID);
    answer_peer(f, "carol", ID);
    answer_share(f, "bob", "photos");
    answer_share(f, "bob", "a b");
    fake_answer(f, "done");
    assert_int_equal(RUN(f, "ls"), 0);
    assert_asked(f, "ls");
    assert_string_equal(f->out, "bob:photos\nbob:a b\ncarol:\n");
}

static void ls_long_aligns(void **state)
{
    struct fake *f = *state;

    answer_share(f, "bob", "photos");
    answer_share(f, "bob", "x");
    weft_row_set_text(f->answers[0], "to", "anna");
    weft_row_set_text(f->answers[0], "to", "carol");
    weft_row_set_bool(f->answers[1], "public", true);
    weft_row_set_bool(f->answers[1], "writable", true);
    fake_answer(f, "done");
    assert_int_equal(RUN(f, "ls", "-l", "bob"), 0);
    assert_string_equal(f->out, "KIND      SIZE  AUDIENCE    SHARE\n"
                                "dir   1.42 GiB  anna,carol  bob:photos\n"
                                "dir   1.42 GiB  public rw   bob:x\n");
    assert_string_equal(weft_row_text(f->requests[0], "target", weft_row_bytes(f->requests[0], "target", &(size_t){0})), "bob");
}

static void answer_entry(struct fake *f, const char *path, size_t n, const char *kind)
{
    struct weft_row *row = fake_answer(f, "entry");

    weft_row_set_bytes(row, "path", path, n);
    weft_row_set_text(row, "kind", kind);
    weft_row_set_int(row, "mode", 0644);
    weft_row_set_int(row, "size", 2048);
    weft_row_set_int(row, "mtime_s", 86400);
    if (strcmp(kind, "link") == 0)
        weft_row_set_text(row, "target", "../a\033b");
}

static void p26_names_are_escaped_in_text_and_exact_in_json(void **state)
{
    struct fake *f = *state;

    setenv("TZ", "UTC", 1);
    for (int i = 0; i < 2; i++) {
        answer_entry(f, "a\033[2Jb\nc", 8, "file");
        answer_entry(f, "\xff\xfex", 3, "dir");
        answer_entry(f, "l", 1, "link");
        fake_answer(f, "done");
    }
    assert_int_equal(RUN(f, "ls", "-l", "bob:x"), 0);
    assert_string_equal(f->out, "-rw-r--r--  2.00 KiB  1970-01-02 00:00  a\\x1b[2Jb\\x0ac\n"
                                "drw-r--r--         -  1970-01-02 00:00  \\xff\\xfex/\n"
                                "lrw-r--r--         -  1970-01-02 00:00  l -> ../a\\x1bb\n");
    assert_int_equal(RUN(f, "ls", "--json", "bob:x"), 0);
    assert_says(f->out, "{\"row\":\"entry\",\"path\":\"a\\u001B[2Jb\\nc\",\"kind\":\"file\",\"mode\":420,\"size\":2048,");
    assert_says(f->out, "\"path\":\"\xef\xbf\xbd\xef\xbf\xbdx\",\"path_b64\":\"//54\"");
    assert_null(strstr(f->out, "\"done\""));
}

static void ls_tells_which_folder_failed(void **state)
{
    struct fake *f = *state;
    struct weft_row *item = fake_answer(f, "item");

    weft_row_set_text(item, "path", "secret");
    weft_row_set_text(item, "code", "denied");
    weft_row_set_text(item, "text", "permission denied");
    fake_answer(f, "done");
    assert_int_equal(RUN(f, "ls", "-R", "bob:x"), 5);
    assert_string_equal(f->err, "weft: secret: permission denied\n");
}

static void peers_are_a_table_or_objects(void **state)
{
    struct fake *f = *state;

    for (int i = 0; i < 2; i++) {
        answer_peer(f, "bob\033", ID);
        weft_row_set_int(f->answers[2 * i], "rtt_us", 412);
        weft_row_set_int(f->answers[2 * i], "roles", 3);
        fake_answer(f, "done");
    }
    assert_int_equal(RUN(f, "peers"), 0);
    assert_says(f->out, "bob\\x1b  abcdefgh  linked  unknown  412 us     -            relay,hub");
    assert_int_equal(RUN(f, "peers", "--json"), 0);
    assert_string_equal(f->out, "{\"row\":\"peer\",\"name\":\"bob\\u001B\",\"id\":\"" ID
                                "\",\"state\":\"linked\",\"trust\":\"unknown\",\"rtt_us\":412,\"roles\":3}\n");
}

static void lists_that_repeat_are_arrays_always(void **state)
{
    struct fake *f = *state;

    answer_share(f, "bob", "x");
    fake_answer(f, "done");
    assert_int_equal(RUN(f, "ls", "--json"), 0);
    assert_says(f->out, "\"to\":[]");
    answer_share(f, "bob", "x");
    weft_row_set_text(f->answers[2], "to", "anna");
    fake_answer(f, "done");
    assert_int_equal(RUN(f, "ls", "--json"), 0);
    assert_says(f->out, "\"to\":[\"anna\"]");
    weft_row_set_text(fake_answer(f, "status"), "endpoint", "tcp://1");
    weft_row_set_text(f->answers[4], "endpoint", "tcp://2");
    fake_answer(f, "done");
    assert_int_equal(RUN(f, "status", "--json"), 0);
    assert_string_equal(f->out,
                        "{\"row\":\"status\",\"endpoint\":[\"tcp://1\",\"tcp://2\"],\"reservations\":[],\"sessions\":[]}\n");
}

static void status_shows_fields_of_newer_nodes_too(void **state)
{
    struct fake *f = *state;
    struct weft_row *row = fake_answer(f, "status");

    weft_row_set_text(row, "name", "bob");
    weft_row_set_int(row, "uptime_s", 3661);
    weft_row_set_int(row, "memory_bytes", 1048576);
    weft_row_set_bool(row, "flies", true);
    fake_answer(f, "done");
    assert_int_equal(RUN(f, "status"), 0);
    assert_string_equal(f->out, "name        bob\nup for      1 h 1 min\nmemory      1.00 MiB\nflies       yes\n");
}

/* ---- doctor and ping */

static void doctor_ends_with_1_when_something_is_wrong(void **state)
{
    static const char *const levels[] = {"ok", "warning", "error"};
    struct fake *f = *state;

    for (size_t i = 0; i < 3; i++) {
        struct weft_row *row = fake_answer(f, "check");
        weft_row_set_text(row, "name", "clock");
        weft_row_set_text(row, "level", levels[i]);
        weft_row_set_text(row, "text", "it is late");
        weft_row_set_text(row, "advice", i ? "go to bed" : NULL);
        fake_answer(f, "done");
        assert_int_equal(RUN(f, "doctor"), i == 2);
    }
    assert_string_equal(f->out, "error    clock: it is late\n         -> go to bed\n");
    assert_string_equal(f->err, "1 errors, 0 warnings.\n");
}

static void ping_sums_up(void **state)
{
    struct fake *f = *state;

    for (int i = 1; i <= 2; i++) {
        struct weft_row *row = fake_answer(f, "pong");
        weft_row_set_int(row, "seq", i);
        weft_row_set_int(row, "rtt_us", 200 * i);
        weft_row_set_text(row, "transport", "tcp");
        weft_row_set_text(row, "endpoint", "tcp://192.0.2.7:1");
        weft_row_set_text(row, "iface", "eth0");
    }
    fake_answer(f, "done");
    assert_int_equal(RUN(f, "ping", "-c", "2", "bob"), 0);
    assert_int_equal(weft_row_int(f->requests[0], "count", 0), 2);
    assert_string_equal(f->out, "1: 200 us  tcp tcp://192.0.2.7:1 on eth0\n2: 400 us  tcp tcp://192.0.2.7:1 on eth0\n");
    assert_string_equal(f->err, "2 answers: least 200 us, mean 300 us, most 400 us\n");
}

/* ---- trust */

static void a_ticket_is_alone_on_stdout(void **state)
{
    struct fake *f = *state;
    struct weft_row *row = fake_answer(f, "ticket");

    weft_row_set_text(row, "ticket", "weft1abc");
    weft_row_set_int(row, "expires_s", 5400);
    fake_answer(f, "done");
    assert_int_equal(RUN(f, "invite", "--expire", "1h30m"), 0);
    assert_int_equal(weft_row_int(f->requests[0], "expire_s", 0), 5400);
    assert_string_equal(f->out, "weft1abc\n");
    assert_says(f->err, "1 h 30 min");
}

static void join_reads_its_ticket(void **state)
{
    struct fake *f = *state;

    for (int i = 0; i < 3; i++) {
        answer_peer(f, "bob", ID);
        fake_answer(f, "done");
    }
    assert_int_equal(RUN(f, "join", "weft1abc"), 0);
    assert_says(f->out, "bob");
    assert_int_equal(fake_run(f, "  weft1def \r\n", (const char *const[]){"join", NULL}), 0);
    assert_int_equal(fake_run(f, "weft1ghi", (const char *const[]){"join", "-", NULL}), 0);
    assert_string_equal(weft_row_text(f->requests[0], "ticket", ""), "weft1abc");
    assert_string_equal(weft_row_text(f->requests[1], "ticket", ""), "weft1def");
    assert_string_equal(weft_row_text(f->requests[2], "ticket", ""), "weft1ghi");
    assert_int_equal(RUN(f, "join"), 2);
    assert_int_equal(RUN(f, "join", "hello"), 2);
    assert_says(f->err, "weft1");
    assert_int_equal(f->request_count, 3);
}

static void trust_without_a_terminal_wants_the_whole_id(void **state)
{
    struct fake *f = *state;

    assert_int_equal(RUN(f, "trust", "bob"), 2);
    assert_says(f->err, "--yes");
    assert_int_equal(f->request_count, 0);
    answer_peer(f, "bob", ID);
    fake_answer(f, "done");
    assert_int_equal(RUN(f, "trust", ID), 0);
    assert_asked(f, "trust");
    assert_string_equal(weft_row_text(f->requests[0], "peer", ""), ID);
}

static void trust_sends_the_id_and_not_the_name(void **state)
{
    struct fake *f = *state;

    answer_peer(f, "anna", "zzzz");
    answer_peer(f, "bob", ID);
    fake_answer(f, "done");
    answer_peer(f, "bob", ID);
    fake_answer(f, "done");
    assert_int_equal(RUN(f, "trust", "--yes", "bob"), 0);
    assert_string_equal(weft_row_kind(f->requests[1]), "trust");
    assert_string_equal(weft_row_text(f->requests[1], "peer", ""), ID);
}

static void trust_refuses_to_choose_between_two_of_one_name(void **state)
{
    struct fake *f = *state;

    answer_peer(f, "bob", "zzzz");
    answer_peer(f, "bob", ID);
    fake_answer(f, "done");
    assert_int_equal(RUN(f, "trust", "--yes", "bob"), 2);
    assert_says(f->err, "2 peers");
    assert_int_equal(f->request_count, 1);
}

/* ---- share and get */

static void share_sends_the_real_path_and_the_typed_name(void **state)
{
    char folder[] = "/tmp/weft-cli-XXXXXX", link[64], path[64];
    struct fake *f = *state;
    size_t n;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/v42", folder);
    snprintf(link, sizeof link, "%s/current", folder);
    fclose(fopen(path, "w"));
    assert_int_equal(symlink("v42", link), 0);
    answer_share(f, "me", "current");
    fake_answer(f, "done");
    assert_int_equal(RUN(f, "share", link, "--to", "anna,bob", "--to=carol", "--writable"), 0);
    assert_string_equal(weft_row_bytes(f->requests[0], "path", &n), path);
    assert_string_equal(weft_row_text(f->requests[0], "name", ""), "current");
    assert_true(weft_row_bool(f->requests[0], "writable", false));
    assert_false(weft_row_bool(f->requests[0], "public", true));
    assert_int_equal(weft_row_fields(f->requests[0]), 8);
    unlink(link);
    unlink(path);
    rmdir(folder);
    assert_int_equal(RUN(f, "share", path), 6);
    assert_says(f->err, path);
}

static void answer_done(struct fake *f, int64_t bytes, int64_t moved, int64_t failed)
{
    struct weft_row *row = fake_answer(f, "done");

    weft_row_set_int(row, "files", 3);
    weft_row_set_int(row, "bytes", bytes);
    weft_row_set_int(row, "bytes_moved", moved);
    weft_row_set_int(row, "present", 2);
    weft_row_set_int(row, "failed", failed);
    weft_row_set_int(row, "elapsed_us", 2100000);
    weft_row_set_text(row, "route", "direct");
}

static void get_ends_with_one_line(void **state)
{
    struct fake *f = *state;
    size_t n;

    fake_answer(f, "progress");
    answer_done(f, 1524713390, 1524713390, 0);
    assert_int_equal(RUN(f, "get", "bob:photos/", "anna:x/y", "/"), 0);
    assert_string_equal(f->out, "");
    assert_string_equal(f->err, "3 files, 1.42 GiB in 2.1 s (692 MiB/s, direct), 2 already there\n");
    assert_string_equal(weft_row_bytes(f->requests[0], "source", &n), "bob:photos");
    assert_string_equal(weft_row_bytes(f->requests[0], "dest", &n), "/");
    assert_null(weft_row_bytes(f->requests[0], "top", &n));
    assert_string_equal(weft_row_text(f->requests[0], "if_exists", ""), "refuse");
}

static void get_tells_what_was_here_and_what_failed(void **state)
{
    struct fake *f = *state;
    struct weft_row *item = fake_answer(f, "item");

    weft_row_set_text(item, "path", "a\rb");
    weft_row_set_text(item, "text", "permission denied");
    answer_done(f, 2048, 1024, 1);
    assert_int_equal(RUN(f, "get", "bob:photos"), 5);
    assert_says(f->err, "weft: a\\x0db: permission denied\n");
    assert_says(f->err, ", 1.00 KiB of it without being sent, 2 already there, 1 failed\n");
}

static void get_under_a_new_name(void **state)
{
    struct fake *f = *state;
    size_t n;

    answer_done(f, 1, 1, 0);
    assert_int_equal(RUN(f, "get", "-n", "bob:photos", "/weft-new-name"), 0);
    assert_string_equal(weft_row_bytes(f->requests[0], "dest", &n), "/");
    assert_string_equal(weft_row_bytes(f->requests[0], "top", &n), "weft-new-name");
    assert_true(weft_row_bool(f->requests[0], "dry_run", false));
    assert_says(f->err, "would fetch 3 files, 1 B");
}

static void get_streams_json(void **state)
{
    struct fake *f = *state;

    weft_row_set_int(fake_answer(f, "progress"), "bytes_done", 5);
    answer_done(f, 1, 1, 0);
    assert_int_equal(RUN(f, "get", "--json", "-q", "bob:photos"), 0);
    assert_says(f->out, "{\"row\":\"progress\",\"bytes_done\":5}\n{\"row\":\"done\",\"files\":3,");
    assert_string_equal(f->err, "");
}

static void pipe_resolve_shows_the_way(void **state)
{
    struct fake *f = *state;
    struct weft_row *row = fake_answer(f, "pipe");

    weft_row_set_text(row, "pipe", "bob:files");
    weft_row_set_text(row, "answered_by", "bob");
    weft_row_set_int(row, "elapsed_us", 900);
    row = fake_answer(f, "endpoint");
    weft_row_set_text(row, "endpoint", "tcp://192.0.2.7:1");
    weft_row_set_text(row, "iface", "eth0");
    weft_row_set_int(row, "rank", 1);
    weft_row_set_bool(row, "chosen", true);
    fake_answer(f, "done");
    assert_int_equal(RUN(f, "pipe", "resolve", "bob:files"), 0);
    assert_asked(f, "pipe-resolve");
    assert_says(f->out, "answered by bob, in 900 us\n");
    assert_says(f->out, "  * 1 tcp://192.0.2.7:1 on eth0\n");
}

/* ---- up */

static void up_begins_with_ready(void **state)
{
    struct fake *f = *state;

    for (int i = 0; i < 2; i++) {
        struct weft_row *row = fake_answer(f, "ready");
        weft_row_set_text(row, "id", ID);
        weft_row_set_text(row, "name", "bob");
        weft_row_set_text(row, "endpoint", "tcp://192.0.2.7:1");
        answer_peer(f, "anna\033", "zzzz");
        assert_int_equal(i ? RUN(f, "up", "--json") : RUN(f, "up", "--role", "hub", "--listen", "tcp://*:1"), 0);
        if (i == 0)
            assert_says(f->out, "bob is up, abcdefgh\n  tcp://192.0.2.7:1\nNext: weft share");
        if (i == 0)
            assert_says(f->out, "peer anna\\x1b unknown linked\n");
    }
    assert_says(f->out, "{\"event\":\"ready\",\"id\":\"" ID "\",\"name\":\"bob\",\"endpoints\":[\"tcp://192.0.2.7:1\"]}\n"
                        "{\"event\":\"peer\",\"name\":\"anna\\u001B\"");
}

static void a_second_node_on_one_home_is_refused(void **state)
{
    struct fake *f = *state;

    f->no_node = true;
    assert_int_equal(RUN(f, "up"), 1);
    assert_says(f->err, "already");
}

static void completion_leaves_out_what_cannot_be_typed(void **state)
{
    struct fake *f = *state;

    answer_share(f, "bob", "photos");
    answer_share(f, "bob", "a\033b");
    fake_answer(f, "done");
    assert_int_equal(RUN(f, "completion", "sources"), 0);
    assert_string_equal(f->out, "bob:photos\n");
    assert_int_equal(RUN(f, "completion", "tcsh"), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(version_and_help_need_no_node),
        TEST(the_id_needs_no_node),
        TEST(no_node_tells_how_to_start_one),
        TEST(usage_errors_show_the_usage),
        TEST(every_error_ends_with_its_status),
        TEST(interrupted_it_says_how_to_go_on),
        TEST(a_mistyped_peer_is_suggested),
        TEST(ls_prints_what_can_be_typed),
        TEST(ls_long_aligns),
        TEST(p26_names_are_escaped_in_text_and_exact_in_json),
        TEST(ls_tells_which_folder_failed),
        TEST(peers_are_a_table_or_objects),
        TEST(lists_that_repeat_are_arrays_always),
        TEST(status_shows_fields_of_newer_nodes_too),
        TEST(doctor_ends_with_1_when_something_is_wrong),
        TEST(ping_sums_up),
        TEST(a_ticket_is_alone_on_stdout),
        TEST(join_reads_its_ticket),
        TEST(trust_without_a_terminal_wants_the_whole_id),
        TEST(trust_sends_the_id_and_not_the_name),
        TEST(trust_refuses_to_choose_between_two_of_one_name),
        TEST(share_sends_the_real_path_and_the_typed_name),
        TEST(get_ends_with_one_line),
        TEST(get_tells_what_was_here_and_what_failed),
        TEST(get_under_a_new_name),
        TEST(get_streams_json),
        TEST(pipe_resolve_shows_the_way),
        TEST(up_begins_with_ready),
        TEST(a_second_node_on_one_home_is_refused),
        TEST(completion_leaves_out_what_cannot_be_typed),
    };

    return cmocka_run_group_tests_name("cli_program", tests, NULL, NULL);
}
