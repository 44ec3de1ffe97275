/* Nodes inside one process, by libweft alone: they find each other, share, list, fetch; they stop in order; any number of
 * them live side by side. */
#include "weft.h"

#include <arpa/inet.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define NODES_MAX 12
#define PATIENCE_S 60
#define PATH 256

/* One node with what its events told. */
struct mate {
    struct world *world;
    char home[PATH], name[32];
    struct weft_node *node;
    struct weft *weft;
    int ready, stopping;
};

struct world {
    char dir[64];
    uint16_t beacon_port;
    int port_holder;
    pthread_mutex_t mutex; /* events come on the nodes' threads */
    struct mate mate[NODES_MAX];
};

static const char *at(const struct world *w, char path[PATH], const char *name)
{
    snprintf(path, PATH, "%s/%s", w->dir, name);
    return path;
}

static void on_event(void *arg, const struct weft_row *row)
{
    struct mate *m = arg;
    pthread_mutex_lock(&m->world->mutex);
    m->ready += strcmp(weft_row_kind(row), "ready") == 0;
    m->stopping += strcmp(weft_row_kind(row), "stopping") == 0;
    pthread_mutex_unlock(&m->world->mutex);
}

static void start(struct world *w, int i)
{
    struct mate *m = &w->mate[i];
    struct weft_error error = {0};
    m->world = w;
    char file[16];
    snprintf(file, sizeof file, "home%d", i);
    at(w, m->home, file);
    snprintf(m->name, sizeof m->name, "node%d", i);
    const struct weft_options options = {
        .home = m->home, .name = m->name, .beacon_port = w->beacon_port, .event = on_event, .arg = m};
    m->node = weft_node_start(&options, &error);
    if (!m->node)
        fail_msg("%s: %s", m->name, error.text);
    m->weft = weft_open(m->home, &error);
    if (!m->weft)
        fail_msg("%s: %s", m->name, error.text);
}

static void stop(struct mate *m)
{
    weft_close(m->weft);
    weft_node_free(m->node);
    m->weft = NULL;
    m->node = NULL;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct sockaddr_in sa = {.sin_family = AF_INET};
    socklen_t n = sizeof sa;
    int one = 1;
    strcpy(w->dir, "/tmp/weft-nodes-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    pthread_mutex_init(&w->mutex, NULL);
    w->port_holder = socket(AF_INET, SOCK_DGRAM, 0); /* keeps the beacon port this test's own */
    setsockopt(w->port_holder, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    assert_int_equal(bind(w->port_holder, (struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(getsockname(w->port_holder, (struct sockaddr *)&sa, &n), 0);
    w->beacon_port = ntohs(sa.sin_port);
    *state = w;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static int teardown(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < NODES_MAX; i++)
        if (w->mate[i].node)
            stop(&w->mate[i]);
    nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    close(w->port_holder);
    pthread_mutex_destroy(&w->mutex);
    free(w);
    return 0;
}

/* ---- calls */

/* What a call's rows told. */
struct told {
    const char *kind, *field, *value; /* rows of the kind in which the field has the value are counted */
    int count;
    int64_t files;
    char endpoint[128];
};

static void on_row(void *arg, const struct weft_row *row)
{
    struct told *t = arg;
    if (strcmp(weft_row_kind(row), t->kind) == 0 && (!t->field || strcmp(weft_row_text(row, t->field, ""), t->value) == 0))
        t->count++;
    if (strcmp(weft_row_kind(row), "done") == 0)
        t->files = weft_row_int(row, "files", -1);
    if (strcmp(weft_row_kind(row), "pipe") == 0)
        snprintf(t->endpoint, sizeof t->endpoint, "%s", weft_row_text(row, "endpoint", ""));
}

/* Calls a verb with up to two text arguments; the code. */
static int call(struct mate *m, const char *verb, const char *const args[4], struct told *told)
{
    struct weft_error error = {0};
    struct weft_row *request = weft_row_new(verb);
    for (int i = 0; args && i < 4 && args[i]; i += 2)
        weft_row_set_text(request, args[i], args[i + 1]);
    struct told none = {.kind = ""};
    int code = weft_call(m->weft, request, on_row, told ? told : &none, &error);
    weft_row_free(request);
    if (code)
        print_message("%s %s: %s\n", m->name, verb, error.text);
    return code;
}

/* Waits until m is linked to `count` others. */
static void await_links(struct mate *m, int count)
{
    time_t end = time(NULL) + PATIENCE_S;
    for (;;) {
        struct told t = {.kind = "peer", .field = "state", .value = "linked"};
        assert_int_equal(call(m, "peers", NULL, &t), 0);
        if (t.count >= count)
            return;
        if (time(NULL) > end)
            fail_msg("%s has %d links, not %d", m->name, t.count, count);
        poll(NULL, 0, 5);
    }
}

static void share(struct mate *m, const char *path)
{
    struct weft_error error;
    struct weft_row *request = weft_row_new("share");
    weft_row_set_text(request, "path", path);
    weft_row_set_bool(request, "public", true);
    assert_int_equal(weft_call(m->weft, request, NULL, NULL, &error), 0);
    weft_row_free(request);
}

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* ---- tests */

static void two_nodes_meet_share_list_and_fetch(void **state)
{
    struct world *w = *state;
    char path[PATH], dest[PATH], text[32] = "";
    start(w, 0);
    start(w, 1);
    pthread_mutex_lock(&w->mutex);
    assert_int_equal(w->mate[0].ready, 1); /* before weft_node_start returned */
    pthread_mutex_unlock(&w->mutex);
    await_links(&w->mate[0], 1);
    await_links(&w->mate[1], 1);
    assert_int_equal(call(&w->mate[1], "ping", (const char *const[4]){"peer", "node0"}, NULL), 0);

    mkdir(at(w, path, "photos"), 0755);
    write_text(at(w, path, "photos/one"), "first");
    write_text(at(w, path, "photos/two"), "second");
    share(&w->mate[0], at(w, path, "photos"));
    struct told listed = {.kind = "entry"};
    assert_int_equal(call(&w->mate[1], "ls", (const char *const[4]){"target", "node0:photos"}, &listed), 0);
    assert_int_equal(listed.count, 2);

    mkdir(at(w, dest, "copy"), 0755);
    struct told got = {.kind = "done"};
    assert_int_equal(call(&w->mate[1], "get", (const char *const[4]){"source", "node0:photos", "dest", dest}, &got), 0);
    assert_int_equal(got.files, 2);
    FILE *f = fopen(at(w, path, "copy/photos/two"), "r");
    assert_non_null(f);
    assert_non_null(fgets(text, sizeof text, f));
    assert_string_equal(text, "second");
    fclose(f);
}

static void pipe_1_ipc_tcp_and_ws_are_bound_at_once(void **state)
{
    struct world *w = *state;
    start(w, 0);
    start(w, 1);
    await_links(&w->mate[1], 1);
    struct told ipc = {.kind = "endpoint", .field = "transport", .value = "ipc"};
    struct told tcp = {.kind = "endpoint", .field = "transport", .value = "tcp"};
    struct told ws = {.kind = "endpoint", .field = "transport", .value = "ws"};
    const char *const args[4] = {"pipe", "node0:files"};
    assert_int_equal(call(&w->mate[1], "pipe-resolve", args, &ipc), 0);
    assert_int_equal(call(&w->mate[1], "pipe-resolve", args, &tcp), 0);
    assert_int_equal(call(&w->mate[1], "pipe-resolve", args, &ws), 0);
    assert_int_equal(ipc.count, 1);
    assert_true(tcp.count >= 1);
    assert_true(ws.count >= 1);
    assert_true(ipc.endpoint[0] != '\0');
}

static void a_home_has_one_node(void **state)
{
    struct world *w = *state;
    struct weft_error error = {0};
    start(w, 0);
    const struct weft_options options = {.home = w->mate[0].home};
    assert_null(weft_node_start(&options, &error));
    assert_string_equal(error.name, "locked");
    assert_int_equal(call(&w->mate[0], "status", NULL, NULL), 0);
}

static void down_returns_when_the_home_is_free(void **state)
{
    struct world *w = *state;
    struct weft_error error = {0};
    start(w, 0);
    struct mate *m = &w->mate[0];
    assert_int_equal(call(m, "down", NULL, NULL), 0);
    const struct weft_options options = {.home = m->home, .beacon_port = w->beacon_port};
    struct weft_node *again = weft_node_start(&options, &error);
    if (!again)
        fail_msg("%s", error.text);
    weft_node_free(again);
    assert_int_equal(weft_node_wait(m->node, &error), 0);
    assert_int_equal(m->stopping, 1);
    weft_node_stop(m->node); /* late, and harmless */
}

static void a_goodbye_is_heard(void **state)
{
    struct world *w = *state;
    start(w, 0);
    start(w, 1);
    await_links(&w->mate[0], 1);
    stop(&w->mate[1]);
    time_t begun = time(NULL);
    for (int linked = 1; linked > 0;) {
        struct told t = {.kind = "peer", .field = "state", .value = "linked"};
        assert_int_equal(call(&w->mate[0], "peers", NULL, &t), 0);
        linked = t.count;
        assert_true(time(NULL) - begun < PATIENCE_S);
        poll(NULL, 0, 5);
    }
}

static void many_nodes_live_in_one_process(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < NODES_MAX; i++)
        start(w, i);
    for (int i = 0; i < NODES_MAX; i++)
        await_links(&w->mate[i], NODES_MAX - 1);
    for (int i = 0; i < NODES_MAX; i++)
        weft_node_stop(w->mate[i].node);
}

/* Ids, names and ports stay over a restart; the shares too. */
static void a_node_comes_back_as_it_was(void **state)
{
    struct world *w = *state;
    char before[64], after[64], path[PATH];
    struct weft_error error;
    start(w, 0);
    mkdir(at(w, path, "kept"), 0755);
    share(&w->mate[0], path);
    assert_int_equal(weft_id(w->mate[0].home, before, sizeof before, &error), 0);
    stop(&w->mate[0]);
    start(w, 0);
    assert_int_equal(weft_id(w->mate[0].home, after, sizeof after, &error), 0);
    assert_string_equal(before, after);
    struct told t = {.kind = "share", .field = "name", .value = "kept"};
    assert_int_equal(call(&w->mate[0], "ls", NULL, &t), 0);
    assert_int_equal(t.count, 1);
}

static void seeds_that_make_no_sense_are_refused(void **state)
{
    struct world *w = *state;
    const char *const bad[] = {"", "host", "tcp://", "tcp://host", "x@tcp://h:1", "tcp://h:99999999", "inproc://x", "h:1:"};
    char home[PATH];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct weft_error error = {0};
        const char *const peers[] = {bad[i], NULL};
        const struct weft_options options = {.home = at(w, home, "seeds"), .peers = peers, .no_beacon = true};
        struct weft_node *node = weft_node_start(&options, &error);
        if (node)
            fail_msg("'%s' was taken", bad[i]);
        assert_string_equal(error.name, "usage");
    }
}

static void first_endpoint(void *arg, const struct weft_row *row)
{
    char *endpoint = arg;
    if (strcmp(weft_row_kind(row), "ready") == 0)
        snprintf(endpoint, 128, "%s", weft_row_text(row, "endpoint", ""));
}

/* By address alone: no beacons. */
static void a_seed_is_found(void **state)
{
    struct world *w = *state;
    struct weft_error error = {0};
    char home[PATH], endpoint[128] = "";
    const char *const listen[] = {"tcp://127.0.0.1:*", NULL}, *const peers[] = {endpoint, NULL};
    const struct weft_options seed = {.home = at(w, home, "seed"),
                                      .name = "seed",
                                      .listen = listen,
                                      .no_beacon = true,
                                      .event = first_endpoint,
                                      .arg = endpoint};
    struct weft_node *node = weft_node_start(&seed, &error);
    assert_non_null(node);
    assert_non_null(strstr(endpoint, "tcp://127.0.0.1:"));

    struct mate *m = &w->mate[0];
    at(w, m->home, "asker");
    strcpy(m->name, "asker");
    const struct weft_options asker = {.home = m->home, .name = m->name, .peers = peers, .no_beacon = true};
    assert_non_null(m->node = weft_node_start(&asker, &error));
    assert_non_null(m->weft = weft_open(m->home, &error));
    await_links(m, 1);
    weft_node_free(node);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(two_nodes_meet_share_list_and_fetch),
        TEST(pipe_1_ipc_tcp_and_ws_are_bound_at_once),
        TEST(a_home_has_one_node),
        TEST(down_returns_when_the_home_is_free),
        TEST(a_goodbye_is_heard),
        TEST(many_nodes_live_in_one_process),
        TEST(a_node_comes_back_as_it_was),
        TEST(seeds_that_make_no_sense_are_refused),
        TEST(a_seed_is_found),
    };
    return cmocka_run_group_tests_name("nodes", tests, NULL, NULL);
}
