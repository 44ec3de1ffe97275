/* The verbs of pipes, whole commands, with a libweft that has no node. What they print, and when they say that it is taken. */
#include "err.h"
#include "fake_weft.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int setup(void **state)
{
    struct fake *f = fake_new();

    f->pipe.code = ERR_CANCELLED; /* as Ctrl-C would end it */
    *state = f;
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

/* ---- send */

static void words_are_sent_as_echo_would_write_them(void **state)
{
    struct fake *f = *state;

    f->pipe.code = 0;
    assert_int_equal(RUN(f, "pipe", "send", "bob:in", "hello there", "x"), 0);
    assert_string_equal(f->pipe.name, "bob:in");
    assert_string_equal(f->pipe.sent, "hello there\nx\n");
    assert_int_equal(f->pipe.sent_count, 2);
    assert_string_equal(f->out, "");
    assert_says(f->err, "2 messages, 14 B in ");
    assert_says(f->err, ", bob)\n");
}

static void input_is_sent_line_by_line_and_byte_for_byte(void **state)
{
    struct fake *f = *state;

    f->pipe.code = 0;
    assert_int_equal(fake_run(f, "one\n\nthree\nno newline", (const char *const[]){"pipe", "send", "bob:in", NULL}), 0);
    assert_string_equal(f->pipe.sent, "one\n\nthree\nno newline");
    assert_int_equal(f->pipe.sent_count, 4);
    assert_int_equal(f->pipe.sizes[1], 1);
    assert_int_equal(f->pipe.sizes[3], 10);
}

static void long_lines_are_cut(void **state)
{
    struct fake *f = *state;
    char *input = malloc(100002);

    f->pipe.code = 0;
    memset(input, 'x', 100000);
    strcpy(input + 100000, "\n");
    assert_int_equal(fake_run(f, input, (const char *const[]){"pipe", "send", "bob:in", NULL}), 0);
    assert_int_equal(f->pipe.sent_count, 3);
    assert_int_equal(f->pipe.sizes[0], 49152);
    assert_string_equal(f->pipe.sent, input);
    free(f->pipe.sent);
    memset(&f->pipe, 0, sizeof f->pipe);
    assert_int_equal(fake_run(f, input, (const char *const[]){"pipe", "send", "--propagate", "in", NULL}), 0);
    assert_int_equal(f->pipe.sizes[0], 32768);
    assert_true(f->pipe.options.propagate);
    free(input);
}

static void nothing_to_send_is_fine(void **state)
{
    struct fake *f = *state;

    f->pipe.code = 0;
    assert_int_equal(RUN(f, "pipe", "send", "bob:in"), 0);
    assert_int_equal(f->pipe.sent_count, 0);
    assert_says(f->err, "0 messages, 0 B in ");
}

static void send_takes_its_options(void **state)
{
    struct fake *f = *state;

    f->pipe.code = 0;
    assert_int_equal(RUN(f, "pipe", "send", "bob:in", "--wait", "1m30s", "--transport", "tcp", "x"), 0);
    assert_int_equal(f->pipe.options.wait_ms, 90000);
    assert_string_equal(f->pipe.options.transport, "tcp");
    assert_int_equal(RUN(f, "pipe", "send", "bob:in", "--wait", "0", "x"), 0);
    assert_int_equal(f->pipe.options.wait_ms, 1);
    assert_int_equal(RUN(f, "pipe", "send", "bob:in", "--wait", "soon", "x"), 2);
    assert_int_equal(RUN(f, "pipe", "send", "bob:in", "--wait", "2d", "x"), 2);
    assert_int_equal(RUN(f, "pipe", "send", "bob:in", "--transport", "pigeon", "x"), 2);
    assert_int_equal(RUN(f, "pipe", "send"), 2);
}

static void every_end_of_a_send_has_its_status(void **state)
{
    static const struct {
        enum err code;
        int status;
    } table[] = {{ERR_NOT_FOUND, 6}, {ERR_REFUSED, 4}, {ERR_UNREACHABLE, 3}, {ERR_TIMEOUT, 10}, {ERR_IO, 1}};
    struct fake *f = *state;

    f->pipe.text = "the node's own sentence";
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        f->pipe.code = (int)table[i].code;
        assert_int_equal(RUN(f, "pipe", "send", "in", "x"), table[i].status);
        assert_says(f->err, "weft: the node's own sentence\n");
    }
    f->no_node = true;
    assert_int_equal(RUN(f, "pipe", "send", "in", "x"), 1);
    assert_says(f->err, "weft up");
}

static void interrupted_it_says_how_many_were_taken(void **state)
{
    struct fake *f = *state;

    f->raises = true;
    assert_int_equal(RUN(f, "pipe", "send", "in", "a", "b"), 130);
    assert_string_equal(f->err, "weft: stopped; 1 of 2 messages had been taken\n");
}

static void the_peer_of_a_pipe_is_suggested(void **state)
{
    struct fake *f = *state;

    f->pipe.code = ERR_NOT_FOUND;
    f->pipe.text = "no peer 'bbo' is known here";
    weft_row_set_text(fake_answer(f, "peer"), "name", "bob");
    fake_answer(f, "done");
    fake_answer(f, "done");
    assert_int_equal(RUN(f, "pipe", "send", "bbo:in", "x"), 6);
    assert_says(f->err, "did you mean bob?");
    assert_int_equal(RUN(f, "pipe", "sned", "bob:in"), 2);
    assert_says(f->err, "did you mean pipe send?");
}

static void send_ends_in_json_with_a_sum(void **state)
{
    struct fake *f = *state;

    f->pipe.code = 0;
    assert_int_equal(RUN(f, "pipe", "send", "--json", "in", "abc"), 0);
    assert_says(f->out, "{\"row\":\"done\",\"messages\":1,\"sent\":1,\"bytes\":4,\"elapsed_us\":");
    assert_says(f->out, "\"rebound\":0,\"peer\":\"bob\"}\n");
    f->pipe.code = ERR_REFUSED;
    assert_int_equal(RUN(f, "pipe", "send", "--json", "in", "abc"), 4);
    assert_says(f->out, "{\"row\":\"summary\",\"messages\":1,");
    assert_says(f->out, "{\"row\":\"error\",\"error\":\"refused\"");
}

/* ---- listen */

static void messages_are_printed_as_they_are_and_then_taken(void **state)
{
    struct fake *f = *state;

    fake_event(f, WEFT_PIPE_SENDER);
    fake_message(f, "one\n");
    fake_message(f, "two");
    fake_message(f, "\033[2Jthree\n");
    assert_int_equal(RUN(f, "pipe", "listen", "in"), 130);
    assert_string_equal(f->out, "one\ntwo\033[2Jthree\n");
    assert_int_equal(f->pipe.takes, 1); /* one write of all that was there */
    assert_int_equal(f->pipe.taken_at[0], 4);
    assert_null(f->pipe.take_channel);
    assert_true(f->pipe.options.hold);
    assert_says(f->err, "me:in is bound for trusted peers. Elsewhere: weft pipe send me:in\n");
    assert_says(f->err, "anna sends\n");
    assert_says(f->err, "3 messages, ");
}

static void what_could_not_be_printed_is_not_taken(void **state)
{
    struct fake *f = *state;
    FILE *streams[3] = {fopen("/dev/null", "r"), fopen("/dev/full", "w"), fopen("/dev/null", "w")};

    fake_message(f, "one\n");
    fake_message(f, "two\n");
    assert_int_equal(fake_run_on(f, streams, (const char *const[]){"pipe", "listen", "in", NULL}), 8);
    assert_int_equal(f->pipe.takes, 0);
    for (size_t i = 0; i < 3; i++)
        fclose(streams[i]);
}

static void listen_takes_its_options(void **state)
{
    struct fake *f = *state;

    assert_int_equal(RUN(f, "pipe", "listen", "in", "--shared", "--to", "anna,bob", "--to", "carol", "--rank", "7",
                         "--transport", "ipc", "--propagate"),
                     130);
    assert_true(f->pipe.options.shared);
    assert_true(f->pipe.options.propagate);
    assert_int_equal(f->pipe.options.rank, 7);
    assert_string_equal(f->pipe.options.transport, "ipc");
    assert_string_equal(f->pipe.allow, "anna,bob,carol,");
    assert_int_equal(RUN(f, "pipe", "listen", "in", "--public"), 130);
    assert_true(f->pipe.options.is_public);
    assert_says(f->err, "for everyone");
    assert_int_equal(RUN(f, "pipe", "listen", "in", "--public", "--to", "bob"), 2);
    assert_int_equal(RUN(f, "pipe", "listen", "in", "--to", "bob,"), 2);
    assert_int_equal(RUN(f, "pipe", "listen", "in", "--rank", "256"), 2);
    assert_int_equal(RUN(f, "pipe", "listen", "in", "--once", "--propagate"), 2);
    assert_int_equal(RUN(f, "pipe", "listen", "in", "--once", "--keep"), 2);
    assert_int_equal(RUN(f, "pipe", "listen"), 2);
}

/* As for tar: only what the first one sent, and then the end. */
static void once_ends_with_the_first_sender(void **state)
{
    struct fake *f = *state;

    fake_event(f, WEFT_PIPE_SENDER);
    fake_message(f, "one\n");
    fake_event(f, WEFT_PIPE_SENDER)->channel = "c2";
    fake_message(f, "of another\n")->channel = "c2";
    fake_event(f, WEFT_PIPE_SENDER_ENDED)->channel = "c2";
    fake_message(f, "two\n");
    fake_event(f, WEFT_PIPE_OFFER);
    fake_event(f, WEFT_PIPE_SENDER_ENDED);
    fake_message(f, "three\n");
    assert_int_equal(RUN(f, "pipe", "listen", "--once", "in"), 0);
    assert_string_equal(f->out, "one\ntwo\n");
    assert_string_equal(f->pipe.take_channel, "some");
    assert_int_equal(f->pipe.refused, 1);
    assert_int_equal(f->pipe.event_next, 8);
}

static void once_says_when_the_sender_was_lost(void **state)
{
    struct fake *f = *state;

    fake_message(f, "one\n");
    fake_event(f, WEFT_PIPE_SENDER_LOST);
    assert_int_equal(RUN(f, "pipe", "listen", "--once", "in"), 3);
    assert_string_equal(f->out, "one\n");
    assert_says(f->err, "anna is gone, before all was sent\n");
}

static void a_stream_ends_it_unless_told_to_keep_on(void **state)
{
    struct fake *f = *state;

    f->pipe.moved[0] = 2048;
    fake_message(f, "before\n");
    fake_event(f, WEFT_PIPE_OFFER);
    fake_message(f, "behind\n");
    assert_int_equal(RUN(f, "pipe", "listen", "in"), 0);
    assert_int_equal(f->pipe.accepted, 1);
    assert_int_equal(f->pipe.taken_at[0], 2); /* written before the stream began */
    assert_string_equal(f->out, "before\n");
    assert_says(f->err, "2.00 KiB sent, 0 B received in ");
    f->pipe.event_next = 0;
    assert_int_equal(RUN(f, "pipe", "listen", "--keep", "in"), 130);
    assert_string_equal(f->out, "before\nbehind\n");
}

static void events_are_json(void **state)
{
    struct fake *f = *state;

    fake_event(f, WEFT_PIPE_SENDER);
    fake_message(f, "caf\xc3\xa9\n");
    fake_message(f, "\xff\xfe")->again = true;
    fake_message(f, "a")->n = 2; /* with a NUL */
    fake_event(f, WEFT_PIPE_OFFER);
    fake_event(f, WEFT_PIPE_DROPPED)->seq = 5;
    fake_event(f, WEFT_PIPE_SENDER_ENDED);
    assert_int_equal(RUN(f, "pipe", "listen", "--json", "--shared", "in"), 130);
    assert_string_equal(
        f->out,
        "{\"event\":\"bound\",\"pipe\":\"me:in\",\"shared\":true,\"propagate\":false,\"transport\":\"any\",\"rank\":0}\n"
        "{\"event\":\"sender-began\",\"from\":\"anna\",\"id\":\"zzzz\",\"channel\":\"c1\"}\n"
        "{\"event\":\"message\",\"from\":\"anna\",\"id\":\"zzzz\",\"channel\":\"c1\",\"seq\":2,\"again\":false,\"text\":"
        "\"caf\xc3\xa9\\n\"}\n"
        "{\"event\":\"message\",\"from\":\"anna\",\"id\":\"zzzz\",\"channel\":\"c1\",\"seq\":3,\"again\":true,\"data\":\"//"
        "4=\"}\n"
        "{\"event\":\"message\",\"from\":\"anna\",\"id\":\"zzzz\",\"channel\":\"c1\",\"seq\":4,\"again\":false,\"text\":"
        "\"a\\u0000\"}\n"
        "{\"event\":\"stream-refused\",\"from\":\"anna\",\"id\":\"zzzz\"}\n"
        "{\"event\":\"dropped\",\"messages\":5}\n"
        "{\"event\":\"sender-ended\",\"from\":\"anna\",\"id\":\"zzzz\",\"channel\":\"c1\"}\n");
    assert_int_equal(f->pipe.refused, 1);
}

static void the_end_of_the_node_is_an_error(void **state)
{
    struct fake *f = *state;

    f->pipe.code = ERR_NO_NODE;
    f->pipe.text = "the node has ended";
    fake_message(f, "one\n");
    assert_int_equal(RUN(f, "pipe", "listen", "in"), 1);
    assert_string_equal(f->out, "one\n");
    assert_says(f->err, "the node has ended");
    f->raises = true;
    assert_int_equal(RUN(f, "pipe", "listen", "in"), 130);
}

/* ---- connect, ls, resolve */

static void connect_says_what_was_moved(void **state)
{
    struct fake *f = *state;

    f->pipe.code = 0;
    f->pipe.moved[0] = 1;
    f->pipe.moved[1] = 2;
    assert_int_equal(RUN(f, "pipe", "connect", "bob:shell", "--wait", "2s"), 0);
    assert_string_equal(f->pipe.name, "bob:shell");
    assert_int_equal(f->pipe.options.wait_ms, 2000);
    assert_string_equal(f->out, "");
    assert_says(f->err, "1 B sent, 2 B received in ");
    f->pipe.code = ERR_REFUSED;
    f->pipe.text = "busy";
    assert_int_equal(RUN(f, "pipe", "connect", "bob:shell"), 4);
    f->pipe.code = ERR_CANCELLED;
    assert_int_equal(RUN(f, "pipe", "connect", "bob:shell"), 130);
    assert_int_equal(RUN(f, "pipe", "connect", "--json", "bob:shell"), 2);
}

static struct weft_row *answer_pipe(struct fake *f, const char *name)
{
    struct weft_row *row = fake_answer(f, "pipe");

    weft_row_set_text(row, "pipe", name);
    weft_row_set_text(row, "type", "unicast");
    weft_row_set_text(row, "transport", "any");
    weft_row_set_bool(row, "shared", !strchr(name, ':'));
    weft_row_set_int(row, "rank", 3);
    return row;
}

static void ls_is_a_table_or_objects(void **state)
{
    struct fake *f = *state;

    for (int i = 0; i < 2; i++) {
        weft_row_set_int(answer_pipe(f, "me:in"), "channels", 2);
        answer_pipe(f, "work\033");
        fake_answer(f, "done");
    }
    assert_int_equal(RUN(f, "pipe", "ls", "bob"), 0);
    assert_string_equal(weft_row_text(f->requests[0], "peer", ""), "bob");
    assert_string_equal(f->out, "PIPE      TYPE     KIND    TRANSPORT  RANK  SENDERS\n"
                                "me:in     unicast  owned   any           3        2\n"
                                "work\\x1b  unicast  shared  any           3        -\n");
    assert_int_equal(RUN(f, "pipe", "ls", "--json"), 0);
    assert_says(f->out, "{\"row\":\"pipe\",\"pipe\":\"me:in\",\"type\":\"unicast\"");
    fake_answer(f, "done");
    assert_int_equal(RUN(f, "pipe", "ls"), 0);
    assert_says(f->err, "weft pipe listen NAME");
}

static void resolve_shows_all_holders(void **state)
{
    struct fake *f = *state;

    weft_row_set_text(answer_pipe(f, "work"), "answered_by", "bob");
    for (int i = 0; i < 2; i++) {
        struct weft_row *row = fake_answer(f, "holder");
        weft_row_set_text(row, "peer", i ? "carol" : "bob");
        weft_row_set_text(row, "id", "abcdefghijkl");
        weft_row_set_int(row, "rank", i);
        weft_row_set_text(row, "answered_by", "bob");
        weft_row_set_int(row, "expires_s", 90);
        weft_row_set_bool(row, "chosen", i == 0);
    }
    fake_answer(f, "done");
    assert_int_equal(RUN(f, "pipe", "resolve", "--transport", "tcp", "work"), 0);
    assert_string_equal(weft_row_text(f->requests[0], "transport", ""), "tcp");
    assert_says(f->out, "type        unicast\n");
    assert_says(f->out, "  * bob abcdefgh, rank 0, answered by bob, good for 1 min 30 s\n"
                        "    carol abcdefgh, rank 1, answered by bob, good for 1 min 30 s\n");
    assert_int_equal(RUN(f, "pipe", "resolve", "--transport", "x", "work"), 2);
}

static void completion_knows_pipes(void **state)
{
    struct fake *f = *state;

    answer_pipe(f, "me:in");
    answer_pipe(f, "a\033b");
    fake_answer(f, "done");
    weft_row_set_text(fake_answer(f, "peer"), "name", "bob");
    weft_row_set_text(f->answers[3], "id", "zzzz");
    weft_row_set_text(f->answers[3], "state", "linked");
    weft_row_set_text(fake_answer(f, "peer"), "name", "gone");
    fake_answer(f, "done");
    answer_pipe(f, "bob:log");
    fake_answer(f, "done");
    assert_int_equal(RUN(f, "completion", "pipes"), 0);
    assert_string_equal(f->out, "me:in\nbob:log\n");
    assert_string_equal(weft_row_text(f->requests[2], "peer", ""), "zzzz");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(words_are_sent_as_echo_would_write_them),
        TEST(input_is_sent_line_by_line_and_byte_for_byte),
        TEST(long_lines_are_cut),
        TEST(nothing_to_send_is_fine),
        TEST(send_takes_its_options),
        TEST(every_end_of_a_send_has_its_status),
        TEST(interrupted_it_says_how_many_were_taken),
        TEST(the_peer_of_a_pipe_is_suggested),
        TEST(send_ends_in_json_with_a_sum),
        TEST(messages_are_printed_as_they_are_and_then_taken),
        TEST(what_could_not_be_printed_is_not_taken),
        TEST(listen_takes_its_options),
        TEST(once_ends_with_the_first_sender),
        TEST(once_says_when_the_sender_was_lost),
        TEST(a_stream_ends_it_unless_told_to_keep_on),
        TEST(events_are_json),
        TEST(the_end_of_the_node_is_an_error),
        TEST(connect_says_what_was_moved),
        TEST(ls_is_a_table_or_objects),
        TEST(resolve_shows_all_holders),
        TEST(completion_knows_pipes),
    };

    return cmocka_run_group_tests_name("cli_pipes", tests, NULL, NULL);
}
