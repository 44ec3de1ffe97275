/* The program on a terminal, a pseudo one with a person at its other end: questions, secrets, progress, colours. */
#include "err.h"
#include "fake_weft.h"

#include <pthread.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ID "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrsq"

/* Types `answer` as soon as `question` stands on the screen; sees all that comes, until the terminal is closed. */
struct person {
    int terminal;
    const char *question, *answer;
    char seen[8192];
};

struct scene {
    struct fake *fake;
    struct person person;
};

static void *sit_there(void *arg)
{
    struct person *p = arg;
    size_t n = 0;
    ssize_t got;

    while (n + 1 < sizeof p->seen && (got = read(p->terminal, p->seen + n, sizeof p->seen - n - 1)) > 0) {
        n += (size_t)got;
        p->seen[n] = '\0';
        if (p->question && strstr(p->seen, p->question)) {
            p->question = NULL;
            if (write(p->terminal, p->answer, strlen(p->answer)) < 0)
                break;
        }
    }
    return NULL;
}

static int run(struct scene *s, const char *const *words)
{
    pthread_t thread;
    int slave;
    struct winsize size = {.ws_row = 24, .ws_col = 60};

    assert_int_equal(openpty(&s->person.terminal, &slave, NULL, NULL, &size), 0);
    FILE *streams[3] = {fdopen(dup(slave), "r"), fdopen(dup(slave), "w"), fdopen(slave, "w")};
    assert_int_equal(pthread_create(&thread, NULL, sit_there, &s->person), 0);
    int status = fake_run_on(s->fake, streams, words);
    for (size_t i = 0; i < 3; i++)
        fclose(streams[i]);
    pthread_join(thread, NULL);
    close(s->person.terminal);
    return status;
}

#define RUN_THERE(scene, ...) run(scene, (const char *const[]){__VA_ARGS__, NULL})

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof *s);

    s->fake = fake_new();
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    fake_free(s->fake);
    free(s);
    return 0;
}

static void assert_saw(const struct scene *s, const char *text)
{
    if (!strstr(s->person.seen, text))
        fail_msg("the person did not see \"%s\" but:\n%s", text, s->person.seen);
}

static void answer_bob(struct scene *s)
{
    struct weft_row *row = fake_answer(s->fake, "peer");

    weft_row_set_text(row, "name", "bob");
    weft_row_set_text(row, "id", ID);
    fake_answer(s->fake, "done");
}

static void trust_asks_with_the_fingerprint(void **state)
{
    struct scene *s = *state;

    s->person.question = "[y/N]";
    s->person.answer = "y\n";
    answer_bob(s);
    answer_bob(s);
    assert_int_equal(RUN_THERE(s, "trust", "bob"), 0);
    assert_saw(s, "abcd efgh ijkl mnop qrst uvwx yz23 4567 abcd efgh ijkl mnop qrsq");
    assert_int_equal(s->fake->request_count, 2);
    assert_string_equal(weft_row_text(s->fake->requests[1], "peer", ""), ID);
}

static void no_trust_without_a_yes(void **state)
{
    struct scene *s = *state;

    s->person.question = "[y/N]";
    s->person.answer = "\n";
    answer_bob(s);
    assert_int_equal(RUN_THERE(s, "trust", "bob"), 4);
    assert_saw(s, "nothing was changed");
    assert_int_equal(s->fake->request_count, 1);
}

static void a_ticket_is_not_shown_while_it_is_typed(void **state)
{
    struct scene *s = *state;

    s->person.question = "Ticket: ";
    s->person.answer = "weft1secret\n";
    answer_bob(s);
    assert_int_equal(RUN_THERE(s, "join"), 0);
    assert_null(strstr(s->person.seen, "secret"));
    assert_string_equal(weft_row_text(s->fake->requests[0], "ticket", ""), "weft1secret");
}

static void answer_transfer(struct scene *s)
{
    struct weft_row *row = fake_answer(s->fake, "progress");

    weft_row_set_text(row, "phase", "data");
    weft_row_set_text(row, "name", "a-name-that-is-far-too-long-for-this-terminal\033[2J");
    weft_row_set_int(row, "files_total", 2);
    weft_row_set_int(row, "bytes_done", 50);
    weft_row_set_int(row, "bytes_total", 100);
    row = fake_answer(s->fake, "item");
    weft_row_set_text(row, "path", "x");
    weft_row_set_text(row, "text", "permission denied");
    row = fake_answer(s->fake, "done");
    weft_row_set_int(row, "files", 1);
    weft_row_set_int(row, "failed", 1);
}

static void progress_fits_and_makes_room_for_messages(void **state)
{
    struct scene *s = *state;

    answer_transfer(s);
    assert_int_equal(RUN_THERE(s, "get", "bob:x"), 5);
    assert_saw(s, "[0/2] a-name");
    assert_saw(s, "...  50 B / 100 B  50%  0 B/s  ETA --:--\033[K");
    assert_saw(s, "\033[K\r\033[Kweft: x: permission denied\r\n1 file, 0 B");
    assert_null(strstr(s->person.seen, "\033[2J"));
}

static void answer_phase(struct scene *s, const char *phase, int64_t done, int64_t sent)
{
    struct weft_row *row = fake_answer(s->fake, "progress");

    weft_row_set_text(row, "phase", phase);
    weft_row_set_text(row, "name", "/home/anna/x\033[2J.raw");
    weft_row_set_int(row, "files_total", 1);
    weft_row_set_int(row, "bytes_done", done);
    weft_row_set_int(row, "bytes_total", 100);
    weft_row_set_int(row, "bytes_sent", sent);
}

static void a_put_shows_its_phases(void **state)
{
    struct scene *s = *state;

    answer_phase(s, "connecting", 0, 0);
    answer_phase(s, "diff", 41, 0);
    answer_phase(s, "send", 50, 50);
    answer_phase(s, "gather", 99, 100);
    answer_phase(s, "finish", 100, 100);
    fake_answer(s->fake, "done");
    assert_int_equal(RUN_THERE(s, "put", "/", "bob:x"), 0);
    assert_saw(s, "\rx\\x1b[2J.raw  connecting\033[K");
    assert_saw(s, "\rx\\x1b[2J.raw  comparing  41%  ");
    assert_saw(s, "\rx\\x1b[2J.raw  50 B / 100 B  50%  ");
    assert_saw(s, "\rx\\x1b[2J.raw  building it there  99%  ");
    assert_saw(s, "\rx\\x1b[2J.raw  100 B  100%, making it safe on disk\033[K");
    assert_null(strstr(s->person.seen, "\033[2J"));
}

static void quiet_has_no_progress(void **state)
{
    struct scene *s = *state;

    answer_transfer(s);
    assert_int_equal(RUN_THERE(s, "-q", "get", "bob:x"), 5);
    assert_string_equal(s->person.seen, "weft: x: permission denied\r\n");
}

static void colours_are_for_terminals_unless_told_otherwise(void **state)
{
    struct scene *s = *state;

    assert_int_equal(RUN_THERE(s, "get", "here"), 2);
    assert_saw(s, "\033[31mweft:\033[0m ");
    setenv("NO_COLOR", "1", 1);
    assert_int_equal(RUN_THERE(s, "get", "here"), 2);
    assert_null(strchr(s->person.seen, '\033'));
    assert_int_equal(RUN_THERE(s, "--color", "always", "get", "here"), 2);
    assert_saw(s, "\033[31m");
}

static void json_on_a_terminal_is_ascii(void **state)
{
    struct scene *s = *state;

    weft_row_set_text(fake_answer(s->fake, "peer"), "name",
                      "b\xc3\xb6"
                      "b\xc2\x9b");
    fake_answer(s->fake, "done");
    assert_int_equal(RUN_THERE(s, "peers", "--json"), 0);
    assert_string_equal(s->person.seen, "{\"row\":\"peer\",\"name\":\"b\\u00F6b\\u009B\"}\r\n");
}

/* Anyone may be behind a public pipe. Where a terminal is, its bytes are shown; elsewhere they are passed on. */
static void p26_messages_do_not_drive_the_terminal(void **state)
{
    struct scene *s = *state;

    s->fake->pipe.code = ERR_CANCELLED;
    fake_message(s->fake, "a\033[2Jb\tc\n");
    fake_message(s->fake, "caf\xc3\xa9 \xff\xc2\x9b\r\n");
    assert_int_equal(RUN_THERE(s, "pipe", "listen", "in"), 130);
    assert_saw(s, "a\\x1b[2Jb");
    assert_saw(s, "caf\xc3\xa9 \\xff\\xc2\\x9b\\x0d\r\n");
    assert_null(strstr(s->person.seen, "\033[2J"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(trust_asks_with_the_fingerprint),
        TEST(no_trust_without_a_yes),
        TEST(a_ticket_is_not_shown_while_it_is_typed),
        TEST(progress_fits_and_makes_room_for_messages),
        TEST(a_put_shows_its_phases),
        TEST(quiet_has_no_progress),
        TEST(colours_are_for_terminals_unless_told_otherwise),
        TEST(json_on_a_terminal_is_ascii),
        TEST(p26_messages_do_not_drive_the_terminal),
    };

    return cmocka_run_group_tests_name("cli_terminal", tests, NULL, NULL);
}
