/* Pipes as programs use them, against a node that is a control socket and says what the test lays down. */
#include "batch.h"
#include "control.h"
#include "err.h"
#include "scratch.h"
#include "weft.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "limits.h"

#define PATIENCE_MS 10000
#define CHANNEL "abcdefghijklmnopqrstuvwxyz"
#define LOTS (8 << 20)
#define HEARD_MAX 4096

/* The node runs on a thread of its own; the test may speak for it while it holds the lock. */
struct node {
    struct scratch scratch;
    struct home home;
    struct control *control;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int stop;
    uint64_t client, room;
    struct row *heard[HEARD_MAX]; /* all that clients have said */
    size_t count;
    int brought[2];
    bool deaf; /* answers nothing but the first row */
};

static struct row *copy_of(const struct row *row)
{
    static _Thread_local uint8_t buf[ROW_BYTES];
    struct row *copy;
    uint64_t seq;
    size_t n;
    assert_int_equal(row_encode(row, 0, buf, sizeof buf, &n), 0);
    assert_int_equal(row_decode(buf, n, &seq, &copy), 0);
    return copy;
}

static void say(struct node *node, struct row *row)
{
    control_send(node->control, node->client, row);
    row_free(row);
}

static void answer(struct node *node, const struct row *row)
{
    struct row *reply = NULL;
    if (strcmp(row_kind(row), "pipe-listen") == 0) {
        reply = row_new("bound");
        row_text(reply, "pipe", "me:in");
    } else if (strcmp(row_kind(row), "pipe-send") == 0) {
        reply = row_new("channel");
        row_text(reply, "state", "seeking");
        row_int(reply, "room", (int64_t)node->room);
    } else if (strcmp(row_kind(row), "finish") == 0 && !node->deaf) {
        reply = row_new("done");
        row_int(reply, "messages", 7);
        row_text(reply, "peer", "bob");
    }
    if (reply)
        say(node, reply);
}

static void request(void *arg, uint64_t client, const struct row *row)
{
    struct node *node = arg;
    node->client = client;
    node->heard[node->count++ % HEARD_MAX] = copy_of(row);
    if (strcmp(row_kind(row), "accept") == 0)
        control_take(node->control, client, node->brought);
    answer(node, row);
    pthread_cond_broadcast(&node->changed);
}

static void gone(void *arg, uint64_t client)
{
    struct node *node = arg;
    node->client = node->client == client ? 0 : node->client;
    pthread_cond_broadcast(&node->changed);
}

static void *run(void *arg)
{
    struct node *node = arg;
    struct pollfd p[2] = {{.fd = control_fd(node->control), .events = POLLIN}, {.fd = node->stop, .events = POLLIN}};
    while (poll(p, 2, PATIENCE_MS) > 0 && !p[1].revents) {
        pthread_mutex_lock(&node->lock);
        control_step(node->control);
        pthread_mutex_unlock(&node->lock);
    }
    return NULL;
}

static int setup(void **state)
{
    struct node *node = calloc(1, sizeof *node);
    struct fault fault;
    const struct control_config config = {.home = &node->home, .request = request, .gone = gone, .arg = node};
    scratch_make(&node->scratch);
    assert_int_equal(home_open(scratch_at(&node->scratch, "home").s, true, &node->home, &fault), 0);
    assert_int_equal(control_new(&config, &node->control, &fault), 0);
    pthread_mutex_init(&node->lock, NULL);
    pthread_cond_init(&node->changed, NULL);
    node->stop = eventfd(0, EFD_CLOEXEC);
    node->room = LOTS;
    node->brought[0] = node->brought[1] = -1;
    assert_int_equal(pthread_create(&node->thread, NULL, run, node), 0);
    *state = node;
    return 0;
}

static void stop(struct node *node)
{
    const uint64_t one = 1;
    if (!node->control)
        return;
    assert_int_equal(write(node->stop, &one, sizeof one), sizeof one);
    pthread_join(node->thread, NULL);
    control_free(node->control);
    node->control = NULL;
}

static int teardown(void **state)
{
    struct node *node = *state;
    stop(node);
    for (size_t i = 0; i < node->count && i < HEARD_MAX; i++)
        row_free(node->heard[i]);
    close(node->stop);
    home_close(&node->home);
    scratch_remove(&node->scratch);
    pthread_cond_destroy(&node->changed);
    pthread_mutex_destroy(&node->lock);
    free(node);
    return 0;
}

static const char *home_of(struct node *node)
{
    return node->home.path;
}

/* What the node says, at once. */
static void tell(struct node *node, struct row *row)
{
    pthread_mutex_lock(&node->lock);
    say(node, row);
    pthread_mutex_unlock(&node->lock);
}

/* The n-th row (from 0) of a kind that a client has said, waited for. */
static const struct row *heard(struct node *node, const char *kind, size_t n)
{
    struct timespec end;
    const struct row *found = NULL;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += PATIENCE_MS / 1000;
    pthread_mutex_lock(&node->lock);
    while (!found) {
        for (size_t i = 0, seen = 0; i < node->count && !found; i++)
            if (strcmp(row_kind(node->heard[i]), kind) == 0 && seen++ == n)
                found = node->heard[i];
        if (!found && pthread_cond_timedwait(&node->changed, &node->lock, &end) != 0)
            break;
    }
    pthread_mutex_unlock(&node->lock);
    if (!found)
        fail_msg("no row \"%s\" came", kind);
    return found;
}

static size_t count_of(struct node *node, const char *kind)
{
    size_t count = 0;
    pthread_mutex_lock(&node->lock);
    for (size_t i = 0; i < node->count; i++)
        count += strcmp(row_kind(node->heard[i]), kind) == 0;
    pthread_mutex_unlock(&node->lock);
    return count;
}

/* Until the node has seen that the client is gone: it has heard all then. */
static void await_gone(struct node *node)
{
    pthread_mutex_lock(&node->lock);
    while (node->client)
        pthread_cond_wait(&node->changed, &node->lock);
    pthread_mutex_unlock(&node->lock);
}

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

/* ---- sending */

static struct weft_pipe *open_pipe(struct node *node, size_t queue)
{
    struct weft_error error = {0};
    const struct weft_pipe_options options = {.queue_bytes = queue};
    struct weft_pipe *pipe = weft_pipe_open(home_of(node), "bob:in", &options, &error);
    if (!pipe)
        fail_msg("%s", error.text);
    return pipe;
}

/* All messages of all batches that came, checked to be numbered. */
static uint64_t numbered(struct node *node, size_t size)
{
    uint64_t next = 0, number;
    for (size_t i = 0; i < count_of(node, "batch"); i++) {
        struct batch batch;
        size_t n, at = 0;
        const uint8_t *bytes;
        const char *row = row_get_bytes(heard(node, "batch", i), "batch", &n);
        assert_int_equal(batch_read(row, n, &batch), 0);
        while (batch_next(&batch, &at, &bytes, &n)) {
            assert_int_equal(n, size);
            memcpy(&number, bytes, sizeof number);
            assert_int_equal(number, next++);
        }
    }
    return next;
}

static void messages_are_gathered_and_keep_their_order(void **state)
{
    struct node *node = *state;
    struct weft_pipe *pipe = open_pipe(node, 0);
    struct weft_pipe_status status;
    uint8_t message[256] = {0};
    for (uint64_t i = 0; i < 10000; i++) {
        memcpy(message, &i, sizeof i);
        assert_int_equal(weft_pipe_send(pipe, message, sizeof message, -1, NULL), 0);
    }
    assert_int_equal(weft_pipe_finish(pipe, NULL), 0);
    assert_int_equal(weft_pipe_finish(pipe, NULL), 0);
    assert_int_equal(numbered(node, sizeof message), 10000);
    assert_true(count_of(node, "batch") < 60);
    assert_int_equal(weft_pipe_send(pipe, message, 1, -1, NULL), ERR_STATE);
    weft_pipe_status(pipe, &status);
    assert_int_equal(status.sent, 10000);
    assert_int_equal(status.taken, 7);
    assert_string_equal(status.peer, "bob");
    weft_pipe_close(pipe);
}

static void a_flush_hands_over_what_is_there(void **state)
{
    struct node *node = *state;
    struct weft_pipe *pipe = open_pipe(node, 0);
    size_t n;
    assert_int_equal(weft_pipe_flush(pipe, NULL), 0);
    assert_int_equal(weft_pipe_send(pipe, "a", 1, 0, NULL), 0);
    assert_int_equal(weft_pipe_send(pipe, NULL, 0, 0, NULL), 0);
    assert_int_equal(weft_pipe_flush(pipe, NULL), 0);
    assert_memory_equal(row_get_bytes(heard(node, "batch", 0), "batch", &n), "\0\0\0\1a\0\0\0\0", 9);
    assert_int_equal(n, 9);
    weft_pipe_close(pipe);
    await_gone(node);
    assert_int_equal(count_of(node, "batch"), 1);
    assert_int_equal(count_of(node, "finish"), 0);
}

/* What the node has no room for waits here up to queue_bytes; then the sender is told. */
static void p44_full_is_said_and_room_is_shown(void **state)
{
    struct node *node = *state;
    node->room = 0;
    struct weft_pipe *pipe = open_pipe(node, 2 * BATCH_BYTES_MAX);
    struct weft_error error;
    struct pollfd p = {.fd = weft_pipe_fd(pipe), .events = POLLIN};
    uint8_t message[1000] = {0};
    uint64_t sent = 0;
    while (weft_pipe_send(pipe, message, sizeof message, 0, &error) == 0) {
        sent++;
        memcpy(message, &sent, sizeof sent);
    }
    assert_int_equal(error.code, ERR_FULL);
    assert_int_equal(sent, 2 * (BATCH_BYTES_MAX / 1004));
    assert_int_equal(weft_pipe_send(pipe, message, sizeof message, 1, &error), ERR_FULL);
    assert_int_equal(weft_pipe_flush(pipe, &error), ERR_FULL);
    assert_int_equal(poll(&p, 1, 0), 0);
    struct row *row = row_new("channel");
    row_int(row, "room", LOTS);
    tell(node, row);
    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
    assert_int_equal(weft_pipe_send(pipe, message, sizeof message, 0, &error), 0);
    assert_int_equal(weft_pipe_finish(pipe, NULL), 0);
    assert_int_equal(numbered(node, sizeof message), sent + 1);
    weft_pipe_close(pipe);
}

static void room_is_never_exceeded(void **state)
{
    struct node *node = *state;
    uint64_t cost = 0;
    node->room = 100000;
    struct weft_pipe *pipe = open_pipe(node, 0);
    for (int i = 0; i < 5000; i++)
        assert_int_equal(weft_pipe_send(pipe, "x", 1, 0, NULL), 0);
    assert_int_equal(weft_pipe_flush(pipe, NULL), ERR_FULL);
    weft_pipe_close(pipe);
    await_gone(node);
    for (size_t i = 0; i < count_of(node, "batch"); i++) {
        struct batch batch;
        size_t n;
        const char *bytes = row_get_bytes(heard(node, "batch", i), "batch", &n);
        assert_int_equal(batch_read(bytes, n, &batch), 0);
        cost += batch_cost(&batch);
    }
    assert_true(cost <= 100000);
}

static void p45_a_message_has_a_limit(void **state)
{
    struct node *node = *state;
    static uint8_t big[PIPE_MESSAGE_MAX + 1];
    struct weft_error error;
    struct weft_pipe *pipe = open_pipe(node, 0);
    assert_int_equal(weft_pipe_send(pipe, big, PIPE_MESSAGE_MAX, -1, NULL), 0);
    assert_int_equal(weft_pipe_send(pipe, big, PIPE_MESSAGE_MAX + 1, -1, &error), ERR_LIMIT);
    assert_non_null(strstr(error.text, "49152"));
    assert_int_equal(weft_pipe_finish(pipe, NULL), 0);
    weft_pipe_close(pipe);
}

static struct row *error_row(int code, const char *text)
{
    struct row *row = row_new("error");
    row_text(row, "code", err_name(code));
    row_text(row, "text", text);
    return row;
}

/* "full" as the node's own last word must not be taken for a queue that will have room. */
static void the_nodes_error_is_the_end(void **state)
{
    static const int codes[] = {ERR_NOT_FOUND, ERR_REFUSED, ERR_FULL, ERR_TIMEOUT};
    struct node *node = *state;
    node->deaf = true;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        struct weft_error error;
        struct weft_pipe *pipe = open_pipe(node, 0);
        assert_int_equal(weft_pipe_send(pipe, "x", 1, 0, NULL), 0);
        tell(node, error_row(codes[i], "nobody has it bound"));
        assert_int_equal(weft_pipe_finish(pipe, &error), codes[i]);
        assert_string_equal(error.text, "nobody has it bound");
        assert_int_equal(weft_pipe_send(pipe, "x", 1, -1, NULL), codes[i]);
        assert_int_equal(weft_pipe_flush(pipe, NULL), codes[i]);
        weft_pipe_close(pipe);
        await_gone(node);
    }
}

static void an_error_can_be_the_first_answer(void **state)
{
    struct node *node = *state;
    struct weft_error error;
    stop(node);
    assert_null(weft_pipe_open(home_of(node), "x", NULL, &error));
    assert_int_equal(error.code, ERR_NO_NODE);
    assert_null(weft_pipe_listen(home_of(node), "x", NULL, NULL));
}

static void *interrupt_it(void *pipe)
{
    weft_pipe_interrupt(pipe);
    return NULL;
}

static void an_interrupt_ends_what_waits_or_the_next_one(void **state)
{
    struct node *node = *state;
    struct weft_event event;
    pthread_t thread;
    node->deaf = true;
    struct weft_pipe *pipe = open_pipe(node, 0);
    assert_int_equal(pthread_create(&thread, NULL, interrupt_it, pipe), 0);
    assert_int_equal(weft_pipe_finish(pipe, NULL), ERR_CANCELLED);
    pthread_join(thread, NULL);
    weft_pipe_interrupt(pipe);
    assert_int_equal(weft_pipe_finish(pipe, NULL), ERR_CANCELLED);
    weft_pipe_close(pipe);
    await_gone(node);
    pipe = weft_pipe_listen(home_of(node), "in", NULL, NULL);
    weft_pipe_interrupt(pipe);
    struct pollfd p = {.fd = weft_pipe_fd(pipe), .events = POLLIN};
    assert_int_equal(poll(&p, 1, 0), 1);
    assert_int_equal(weft_pipe_receive(pipe, &event, -1, NULL), ERR_CANCELLED);
    assert_int_equal(poll(&p, 1, 0), 0);
    assert_int_equal(weft_pipe_receive(pipe, &event, 0, NULL), ERR_TIMEOUT);
    weft_pipe_close(pipe);
}

/* ---- receiving */

static struct weft_pipe *listen_pipe(struct node *node, bool hold)
{
    struct weft_error error = {0};
    const struct weft_pipe_options options = {.hold = hold, .allow = (const char *const[]){"anna", "bob", NULL}, .rank = 3};
    struct weft_pipe *pipe = weft_pipe_listen(home_of(node), "in", &options, &error);
    if (!pipe)
        fail_msg("%s", error.text);
    return pipe;
}

/* A row of `count` messages numbered from `seq`, the numbers as text. */
static struct row *messages(const char *channel, uint64_t seq, unsigned count, uint64_t until)
{
    static uint8_t bytes[BATCH_BYTES_MAX];
    char text[32];
    size_t used = 0;
    for (unsigned i = 0; i < count; i++) {
        int n = snprintf(text, sizeof text, "%llu", (unsigned long long)seq + i);
        assert_int_equal(batch_add(bytes, sizeof bytes, &used, text, (size_t)n), 0);
    }
    struct row *row = row_new("messages");
    row_text(row, "channel", channel);
    row_text(row, "from", "anna");
    row_text(row, "id", "zzz");
    row_int(row, "seq", (int64_t)seq);
    row_int(row, "count", count);
    row_bool(row, "again", seq == 1);
    row_int(row, "until", (int64_t)until);
    row_data(row, "batch", bytes, used);
    return row;
}

static void expect_message(struct weft_pipe *pipe, const char *channel, uint64_t seq)
{
    struct weft_event event;
    struct weft_error error;
    char text[32];
    if (weft_pipe_receive(pipe, &event, PATIENCE_MS, &error) != 0)
        fail_msg("%s", error.text);
    int n = snprintf(text, sizeof text, "%llu", (unsigned long long)seq);
    assert_int_equal(event.kind, WEFT_PIPE_MESSAGE);
    assert_string_equal(event.channel, channel);
    assert_string_equal(event.from, "anna");
    assert_int_equal(event.seq, seq);
    assert_int_equal(event.n, n);
    assert_memory_equal(event.bytes, text, event.n);
}

static void expect_nothing(struct weft_pipe *pipe)
{
    struct weft_event event;
    assert_int_equal(weft_pipe_receive(pipe, &event, 0, NULL), ERR_TIMEOUT);
}

static void expect_taken(struct node *node, size_t n, const char *channel, uint64_t seq)
{
    const struct row *row = heard(node, "taken", n);
    assert_string_equal(row_get_text(row, "channel", ""), channel);
    assert_int_equal(row_get_int(row, "seq", 0), seq);
}

static void the_request_says_who_may_send(void **state)
{
    struct node *node = *state;
    struct weft_pipe_status status;
    struct weft_pipe *pipe = listen_pipe(node, false);
    const struct row *row = heard(node, "pipe-listen", 0);
    assert_string_equal(row_get_text(row, "pipe", ""), "in");
    assert_string_equal(row_get_text_at(row, "to", 1, ""), "bob");
    assert_int_equal(row_get_int(row, "rank", 0), 3);
    assert_false(row_get_bool(row, "public", true));
    weft_pipe_status(pipe, &status);
    assert_string_equal(status.name, "me:in");
    weft_pipe_close(pipe);
}

static void a_message_is_taken_when_the_next_is_asked_for(void **state)
{
    struct node *node = *state;
    struct weft_pipe *pipe = listen_pipe(node, false);
    tell(node, messages(CHANNEL, 1, 1000, 0));
    tell(node, messages(CHANNEL, 1001, 1000, 0));
    for (uint64_t i = 1; i <= 2000; i++)
        expect_message(pipe, CHANNEL, i);
    expect_nothing(pipe);
    expect_taken(node, 0, CHANNEL, 2001);
    tell(node, messages(CHANNEL, 2001, 3, 0));
    expect_message(pipe, CHANNEL, 2001);
    expect_message(pipe, CHANNEL, 2002);
    weft_pipe_close(pipe);
    expect_taken(node, 1, CHANNEL, 2002);
    await_gone(node);
    assert_int_equal(count_of(node, "taken"), 2);
}

static void held_messages_are_taken_when_it_is_said(void **state)
{
    struct node *node = *state;
    struct weft_pipe *pipe = listen_pipe(node, true);
    tell(node, messages(CHANNEL, 1, 10, 0));
    tell(node, messages("other", 5, 10, 0));
    for (uint64_t i = 1; i <= 10; i++)
        expect_message(pipe, CHANNEL, i);
    expect_message(pipe, "other", 5);
    assert_int_equal(weft_pipe_take(pipe, "other", NULL), 0);
    expect_taken(node, 0, "other", 6);
    assert_int_equal(weft_pipe_take(pipe, NULL, NULL), 0);
    expect_taken(node, 1, CHANNEL, 11);
    expect_message(pipe, "other", 6);
    weft_pipe_close(pipe);
    await_gone(node);
    assert_int_equal(count_of(node, "taken"), 2);
}

/* What was received long ago is told even when the reader never waits. */
static void much_is_told_before_it_waits(void **state)
{
    struct node *node = *state;
    struct weft_pipe *pipe = listen_pipe(node, false);
    static uint8_t bytes[BATCH_BYTES_MAX], big[PIPE_MESSAGE_MAX];
    struct weft_event event;
    for (int i = 1; i <= 8; i++) {
        struct row *row = row_new("messages");
        size_t used = 0;
        batch_add(bytes, sizeof bytes, &used, big, sizeof big);
        row_text(row, "channel", CHANNEL);
        row_int(row, "seq", i);
        row_data(row, "batch", bytes, used);
        tell(node, row);
    }
    for (int i = 1; i <= 7; i++)
        assert_int_equal(weft_pipe_receive(pipe, &event, PATIENCE_MS, NULL), 0);
    assert_in_range(row_get_int(heard(node, "taken", 0), "seq", 0), 2, 7);
    weft_pipe_close(pipe);
}

static struct row *about(const char *kind, const char *channel, uint64_t until)
{
    struct row *row = row_new(kind);
    row_text(row, "channel", channel);
    if (until)
        row_int(row, "until", (int64_t)until);
    return row;
}

/* What a frozen binder wakes up with may be elsewhere by now. */
static void s48_nothing_is_handed_out_without_a_lease(void **state)
{
    struct node *node = *state;
    struct weft_pipe *pipe = listen_pipe(node, false);
    tell(node, messages(CHANNEL, 1, 2, now() - 1));
    tell(node, messages("other", 1, 1, now() + 60 * SECOND));
    expect_message(pipe, "other", 1); /* which does not wait for it */
    expect_nothing(pipe);
    tell(node, about("lease", CHANNEL, now() + 60 * SECOND));
    expect_message(pipe, CHANNEL, 1);
    tell(node, about("lease", CHANNEL, 1));
    tell(node, messages("other", 2, 1, now() + 60 * SECOND));
    expect_message(pipe, CHANNEL, 2); /* was in hand before the word came */
    expect_message(pipe, "other", 2);
    weft_pipe_close(pipe);
}

static void s48_a_void_channel_is_forgotten(void **state)
{
    struct node *node = *state;
    struct weft_pipe *pipe = listen_pipe(node, false);
    tell(node, messages(CHANNEL, 1, 3, now() - 1));
    tell(node, messages(CHANNEL, 4, 3, now() - 1));
    expect_nothing(pipe);
    tell(node, about("void", CHANNEL, 0));
    expect_nothing(pipe);
    tell(node, messages(CHANNEL, 2, 2, now() + 60 * SECOND)); /* it came back */
    expect_message(pipe, CHANNEL, 2);
    expect_message(pipe, CHANNEL, 3);
    expect_nothing(pipe);
    expect_taken(node, 0, CHANNEL, 4);
    weft_pipe_close(pipe);
}

static void nothing_is_handed_out_once_the_node_is_gone(void **state)
{
    struct node *node = *state;
    struct weft_event event;
    struct weft_pipe *pipe = listen_pipe(node, false);
    tell(node, messages(CHANNEL, 1, 3, 0));
    tell(node, messages(CHANNEL, 4, 3, 0));
    stop(node);
    assert_int_equal(weft_pipe_receive(pipe, &event, -1, NULL), ERR_NO_NODE);
    assert_int_equal(weft_pipe_receive(pipe, &event, -1, NULL), ERR_NO_NODE);
    weft_pipe_close(pipe);
}

static void senders_come_and_go(void **state)
{
    static const struct {
        const char *state;
        enum weft_event_kind kind;
    } cases[] = {{"began", WEFT_PIPE_SENDER}, {"ended", WEFT_PIPE_SENDER_ENDED}, {"lost", WEFT_PIPE_SENDER_LOST}};
    struct node *node = *state;
    struct weft_event event;
    struct weft_pipe *pipe = listen_pipe(node, false);
    for (size_t i = 0; i < 3; i++) {
        struct row *row = about("sender", CHANNEL, 0);
        row_text(row, "from", "anna");
        row_text(row, "state", cases[i].state);
        tell(node, row);
        assert_int_equal(weft_pipe_receive(pipe, &event, PATIENCE_MS, NULL), 0);
        assert_int_equal(event.kind, cases[i].kind);
        assert_string_equal(event.from, "anna");
    }
    tell(node, messages(CHANNEL, 1, 1, now() - 1));
    struct row *row = about("sender", CHANNEL, 0);
    row_text(row, "state", "lost");
    tell(node, row);
    assert_int_equal(weft_pipe_receive(pipe, &event, PATIENCE_MS, NULL), 0);
    assert_int_equal(event.kind, WEFT_PIPE_SENDER_LOST); /* without what its lease no longer covered */
    expect_nothing(pipe);
    weft_pipe_close(pipe);
}

static void what_was_dropped_is_told(void **state)
{
    struct node *node = *state;
    struct weft_event event;
    struct weft_pipe *pipe = listen_pipe(node, false);
    struct row *row = row_new("dropped");
    row_int(row, "messages", 12);
    tell(node, row);
    assert_int_equal(weft_pipe_receive(pipe, &event, PATIENCE_MS, NULL), 0);
    assert_int_equal(event.kind, WEFT_PIPE_DROPPED);
    assert_int_equal(event.seq, 12);
    expect_nothing(pipe);
    assert_int_equal(count_of(node, "refuse"), 0);
    weft_pipe_close(pipe);
}

static void malformed_rows_are_an_error(void **state)
{
    struct node *node = *state;
    struct weft_event event;
    struct weft_pipe *pipe = listen_pipe(node, false);
    struct row *row = row_new("messages");
    row_text(row, "channel", CHANNEL);
    row_data(row, "batch", "\0\0\0\5abc", 7);
    tell(node, row);
    tell(node, row_new("of-the-future"));
    tell(node, messages("a-channel-name-that-is-longer-than-any", 1, 1, 0));
    tell(node, messages(CHANNEL, 1, 0, 0));
    assert_int_equal(weft_pipe_receive(pipe, &event, PATIENCE_MS, NULL), ERR_MALFORMED);
    assert_int_equal(weft_pipe_receive(pipe, &event, PATIENCE_MS, NULL), ERR_MALFORMED);
    expect_nothing(pipe);
    weft_pipe_close(pipe);
}

/* ---- streams */

static void offer(struct node *node, struct weft_pipe *pipe, int number)
{
    struct weft_event event;
    struct row *row = row_new("offer");
    row_int(row, "number", number);
    row_text(row, "from", "anna");
    tell(node, row);
    assert_int_equal(weft_pipe_receive(pipe, &event, PATIENCE_MS, NULL), 0);
    assert_int_equal(event.kind, WEFT_PIPE_OFFER);
    assert_string_equal(event.from, "anna");
}

static void *end_stream(void *arg)
{
    struct node *node = arg;
    heard(node, "accept", 0);
    struct row *row = row_new("stream");
    row_int(row, "number", 9);
    row_text(row, "state", "joined");
    tell(node, row);
    tell(node, messages(CHANNEL, 1, 1, 0));
    row = row_new("stream");
    row_int(row, "number", 9);
    row_text(row, "state", "done");
    row_int(row, "bytes_in", 5);
    row_int(row, "bytes_out", 6);
    tell(node, row);
    return NULL;
}

static void an_accepted_stream_gets_the_descriptors(void **state)
{
    struct node *node = *state;
    struct weft_pipe *pipe = listen_pipe(node, false);
    struct weft_error error;
    uint64_t moved[2];
    pthread_t thread;
    char byte = 0;
    int fd[2];
    assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
    assert_int_equal(weft_pipe_accept(pipe, fd[0], fd[1], NULL, &error), ERR_STATE);
    offer(node, pipe, 9);
    assert_int_equal(pthread_create(&thread, NULL, end_stream, node), 0);
    assert_int_equal(weft_pipe_accept(pipe, fd[0], fd[1], moved, &error), 0);
    pthread_join(thread, NULL);
    assert_int_equal(moved[0], 5);
    assert_int_equal(moved[1], 6);
    assert_int_equal(write(node->brought[1], "x", 1), 1);
    assert_int_equal(read(fd[0], &byte, 1), 1);
    assert_int_equal(byte, 'x');
    for (int i = 0; i < 2; i++) {
        close(fd[i]);
        close(node->brought[i]);
    }
    expect_message(pipe, CHANNEL, 1); /* waited meanwhile */
    weft_pipe_close(pipe);
}

static void an_offer_that_is_passed_over_is_refused(void **state)
{
    struct node *node = *state;
    struct weft_pipe *pipe = listen_pipe(node, false);
    offer(node, pipe, 1);
    expect_nothing(pipe);
    assert_int_equal(row_get_int(heard(node, "refuse", 0), "number", 0), 1);
    offer(node, pipe, 2);
    assert_int_equal(weft_pipe_refuse(pipe, "not now", NULL), 0);
    assert_string_equal(row_get_text(heard(node, "refuse", 1), "text", ""), "not now");
    assert_int_equal(weft_pipe_refuse(pipe, "not now", NULL), ERR_STATE);
    expect_nothing(pipe);
    weft_pipe_close(pipe);
}

static void *interrupt_stream(void *arg)
{
    heard(((void **)arg)[0], "accept", 0);
    weft_pipe_interrupt(((void **)arg)[1]);
    return NULL;
}

static void an_interrupt_ends_a_stream(void **state)
{
    struct node *node = *state;
    struct weft_pipe *pipe = listen_pipe(node, false);
    void *both[2] = {node, pipe};
    pthread_t thread;
    offer(node, pipe, 4);
    assert_int_equal(pthread_create(&thread, NULL, interrupt_stream, both), 0);
    assert_int_equal(weft_pipe_accept(pipe, 0, 1, NULL, NULL), ERR_CANCELLED);
    pthread_join(thread, NULL);
    assert_int_equal(row_get_int(heard(node, "refuse", 0), "number", 0), 4);
    weft_pipe_close(pipe);
    await_gone(node);
    close(node->brought[0]);
    close(node->brought[1]);
}

static void each_direction_has_its_calls(void **state)
{
    struct node *node = *state;
    struct weft_event event;
    struct weft_pipe *in = listen_pipe(node, false);
    assert_int_equal(weft_pipe_send(in, "x", 1, 0, NULL), ERR_STATE);
    assert_int_equal(weft_pipe_finish(in, NULL), ERR_STATE);
    weft_pipe_close(in);
    await_gone(node);
    struct weft_pipe *out = open_pipe(node, 0);
    assert_int_equal(weft_pipe_receive(out, &event, 0, NULL), ERR_STATE);
    assert_int_equal(weft_pipe_take(out, NULL, NULL), ERR_STATE);
    weft_pipe_close(out);
    weft_pipe_close(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(messages_are_gathered_and_keep_their_order),
        TEST(a_flush_hands_over_what_is_there),
        TEST(p44_full_is_said_and_room_is_shown),
        TEST(room_is_never_exceeded),
        TEST(p45_a_message_has_a_limit),
        TEST(the_nodes_error_is_the_end),
        TEST(an_error_can_be_the_first_answer),
        TEST(an_interrupt_ends_what_waits_or_the_next_one),
        TEST(the_request_says_who_may_send),
        TEST(a_message_is_taken_when_the_next_is_asked_for),
        TEST(held_messages_are_taken_when_it_is_said),
        TEST(much_is_told_before_it_waits),
        TEST(s48_nothing_is_handed_out_without_a_lease),
        TEST(s48_a_void_channel_is_forgotten),
        TEST(nothing_is_handed_out_once_the_node_is_gone),
        TEST(senders_come_and_go),
        TEST(what_was_dropped_is_told),
        TEST(malformed_rows_are_an_error),
        TEST(an_accepted_stream_gets_the_descriptors),
        TEST(an_offer_that_is_passed_over_is_refused),
        TEST(an_interrupt_ends_a_stream),
        TEST(each_direction_has_its_calls),
    };
    return cmocka_run_group_tests_name("client_pipe", tests, NULL, NULL);
}
