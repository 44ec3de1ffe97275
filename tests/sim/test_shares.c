/* Shares that are no files, in the simulated world: what may be shared and what is said of it, that each is a pipe of its
 * node's and of no program, who may use it, and that streams end with what they are streams of. */
#include "locator.h"
#include "resources.h"
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ANNA, BOB, CAROL, SARA, NODES };

/* ---- the world */

static void run(struct world *w, uint64_t time)
{
    world_run(w, world_now(w) + time);
}

static struct row *request(const char *verb, const char *key, const char *value)
{
    struct row *row = row_new(verb);
    row_text(row, key, value);
    return row;
}

static void trust(struct world *w, size_t a, size_t b)
{
    assert_true(world_call(w, a, request("trust", "peer", id_text(world_id(w, b)).s))->done);
    assert_true(world_call(w, b, request("trust", "peer", id_text(world_id(w, a)).s))->done);
}

/* All know each other; anna and bob trust each other; sara is a relay. */
static struct world *world_of(uint64_t seed)
{
    static const char *const names[NODES] = {"anna", "bob", "carol", "sara"};
    struct world *w = world_new(seed);
    for (size_t i = 0; i < NODES; i++) {
        world_add(w, names[i]);
        world_roles(w, i, i == SARA ? ROLE_RELAY : 0);
        world_start(w, i);
    }
    run(w, 2 * SECOND);
    trust(w, ANNA, BOB);
    return w;
}

static struct row *share(const char *target, const char *name)
{
    struct row *row = request("share", "target", target);
    row_text(row, "name", name);
    return row;
}

/* Bob shares it: the row that says so. */
static const struct row *assert_shared(struct world *w, struct row *row)
{
    const struct answer *a = world_call(w, BOB, row);
    if (!a->done)
        fail_msg("%s", row_get_text(answer_row(a, "error", 0), "text", "no error"));
    assert_int_equal(answer_count(a, "share"), 1);
    return answer_row(a, "share", 0);
}

static void assert_refused(struct world *w, struct row *row, const char *code, const char *word)
{
    const struct answer *a = world_call(w, BOB, row);
    const char *text = answer_count(a, "error") > 0 ? row_get_text(answer_row(a, "error", 0), "text", "") : "";
    if (a->done || strcmp(a->code, code) != 0 || !strstr(text, word))
        fail_msg("'%s: %s' is not '%s: ...%s...'", a->done ? "done" : a->code, text, code, word);
}

static struct pipe *pipe_of(struct world *w, const char *name)
{
    struct tag tag = pipe_owned(world_id(w, BOB), name);
    return pipe_find(world_core(w, BOB), &tag);
}

/* ---- a stream */

struct caller {
    struct program *program;
    bool connected, over;
    char code[32], text[FAULT_TEXT];
};

static void on_row(void *arg, const struct row *row)
{
    struct caller *c = arg;
    const char *kind = row_kind(row);
    c->connected = c->connected || strcmp(kind, "connected") == 0;
    if (strcmp(kind, "done") != 0 && strcmp(kind, "error") != 0)
        return;
    c->over = true;
    snprintf(c->code, sizeof c->code, "%s", row_get_text(row, "code", ""));
    snprintf(c->text, sizeof c->text, "%s", row_get_text(row, "text", ""));
}

static bool is_connected(struct world *w, void *arg)
{
    (void)w;
    return ((struct caller *)arg)->connected || ((struct caller *)arg)->over;
}

static bool is_over(struct world *w, void *arg)
{
    (void)w;
    return ((struct caller *)arg)->over;
}

static void await(struct world *w, bool (*check)(struct world *w, void *arg), struct caller *c)
{
    if (!world_run_until(w, check, c, world_now(w) + 120 * SECOND))
        fail_msg("%s", "nothing comes of it");
}

static void connect_to(struct world *w, struct caller *c, size_t node, const char *pipe)
{
    struct row *row = request("pipe-connect", "pipe", pipe);
    row_int(row, "wait_ms", 1000);
    *c = (struct caller){.program = world_program(w, node, on_row, c)};
    program_send(c->program, row);
    await(w, is_connected, c);
}

/* Says no more: all that comes is this, and the stream ends well. */
static void assert_came(struct world *w, struct caller *c, const char *text)
{
    size_t n;
    bool ended;
    program_shut(c->program);
    await(w, is_over, c);
    const uint8_t *bytes = program_read(c->program, &n, &ended);
    if (n != strlen(text) || (n > 0 && memcmp(bytes, text, n) != 0) || c->code[0])
        fail_msg("'%.*s' %s: %s", (int)n, (const char *)bytes, c->code, c->text);
    program_leave(c->program);
}

static void assert_not_connected(struct world *w, size_t node, const char *pipe, const char *code)
{
    struct caller c;
    connect_to(w, &c, node, pipe);
    if (c.connected || strcmp(c.code, code) != 0)
        fail_msg("%s: %s", c.code, c.text);
    program_leave(c.program);
}

/* ---- what may be shared */

static void relay_2_a_service_is_a_pipe_of_its_node(void **unused)
{
    (void)unused;
    struct world *w = world_of(1);
    struct caller c;
    struct row *row = share("tcp:localhost:22", "shell");
    row_text(row, "via", "sara");
    row_text(row, "via", "carol");
    row_text(row, "via", "sara"); /* once is enough */
    const struct row *shared = assert_shared(w, row);
    assert_string_equal(row_get_text(shared, "kind", ""), "tcp");
    size_t n;
    assert_string_equal(row_get_bytes(shared, "path", &n), "tcp:localhost:22");
    assert_int_equal(row_count(shared, "via"), 2);
    assert_string_equal(row_get_text_at(shared, "via", 0, ""), "sara");
    assert_int_equal(row_count(shared, "warning"), 1); /* of carol, who is no relay */
    assert_non_null(strstr(row_get_text(shared, "warning", ""), "'carol' is not known to be a relay"));
    const struct answer *pipes = world_call(w, BOB, row_new("pipe-ls"));
    assert_int_equal(answer_count(pipes, "pipe"), 1);
    assert_string_equal(row_get_text(answer_row(pipes, "pipe", 0), "share", ""), "tcp");
    assert_int_equal(row_get_int(answer_row(pipes, "pipe", 0), "readers", -1), 0);
    connect_to(w, &c, ANNA, "bob:shell");
    assert_true(c.connected);
    program_write(c.program, "hello", 5);
    assert_came(w, &c, "hello"); /* this world's services echo */
    run(w, SECOND);
    assert_null(world_core(w, BOB)->opened);
    world_free(w);
}

static void relay_2_each_kind_is_told_as_what_it_is(void **unused)
{
    (void)unused;
    struct world *w = world_of(2);
    struct caller c;
    static const char *const targets[] = {"tcp:h:1", "http://h/a", "cmd:/bin/date  -u"}, *const kinds[] = {"tcp", "http",
                                                                                                           "command"};
    for (size_t i = 0; i < 3; i++)
        assert_shared(w, share(targets[i], kinds[i]));
    const struct answer *ls = world_call(w, ANNA, request("ls", "target", "bob"));
    assert_int_equal(answer_count(ls, "share"), 3);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(row_get_text(answer_row(ls, "share", i), "kind", ""),
                            row_get_text(answer_row(ls, "share", i), "name", "-"));
    connect_to(w, &c, ANNA, "bob:http");
    assert_came(w, &c, "http://h/a"); /* this world's URLs bring what they are called */
    world_free(w);
}

static void what_makes_no_sense_is_refused(void **unused)
{
    (void)unused;
    char name[NAME_MAX_BYTES + 2];
    struct world *w = world_of(3);
    static const char *const bad[] = {"", "tcp:h", "http://u:p@h/", "cmd:a | b", "/etc/passwd", "ftp://h/"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(w, share(bad[i], "a"), "usage", "");
    struct row *row = request("share", "target", "tcp:h:1");
    assert_refused(w, row, "usage", "--as NAME");
    row = share("tcp:h:1", "a");
    row_bool(row, "writable", true);
    assert_refused(w, row, "usage", "writable");
    row = share("tcp:h:1", "a");
    row_text(row, "path", "/a");
    assert_refused(w, row, "usage", "not both");
    row = row_new("share");
    row_data(row, "target", "tcp:h:1\0x", 9);
    row_text(row, "name", "a");
    assert_refused(w, row, "usage", "");
    assert_refused(w, share("tcp:h:1", "a/b"), "usage", "cannot be the name");
    snprintf(name, sizeof name, "%0*d", NAME_MAX_BYTES + 1, 1);
    assert_refused(w, share("tcp:h:1", name), "usage", "has 1 to");
    assert_refused(w, share("tcp:h:1", "files"), "usage", "service");
    row = share("tcp:h:1", "a");
    row_text(row, "via", "nobody");
    assert_refused(w, row, "not-found", "nobody");
    assert_null(world_core(w, BOB)->shares);
    assert_null(world_core(w, BOB)->pipes);
    world_free(w);
}

static void s31_at_most_so_many_relays(void **unused)
{
    (void)unused;
    struct world *w = world_new(4);
    struct row *row = share("tcp:h:1", "a");
    for (size_t i = 0; i < RELAYS_PER_NODE_MAX + 3; i++) {
        char name[8];
        snprintf(name, sizeof name, "n%zu", i);
        world_start(w, world_add(w, name));
        if (i != BOB)
            row_text(row, "via", name);
    }
    run(w, 3 * SECOND);
    assert_refused(w, row, "limit", "at most 4 relays");
    world_free(w);
}

static void a_dry_run_shares_nothing(void **unused)
{
    (void)unused;
    struct world *w = world_of(5);
    struct row *row = share("tcp:h:1", "a");
    row_bool(row, "dry_run", true);
    assert_shared(w, row);
    assert_null(world_core(w, BOB)->shares);
    assert_null(pipe_of(w, "a"));
    world_free(w);
}

/* ---- names */

struct listener {
    struct program *program;
    bool bound;
    char code[32], text[FAULT_TEXT];
};

static void listener_row(void *arg, const struct row *row)
{
    struct listener *l = arg;
    l->bound = l->bound || strcmp(row_kind(row), "bound") == 0;
    if (strcmp(row_kind(row), "error") != 0)
        return;
    snprintf(l->code, sizeof l->code, "%s", row_get_text(row, "code", ""));
    snprintf(l->text, sizeof l->text, "%s", row_get_text(row, "text", ""));
}

static void listen_as(struct world *w, struct listener *l, const char *pipe)
{
    *l = (struct listener){.program = world_program(w, BOB, listener_row, l)};
    program_send(l->program, request("pipe-listen", "pipe", pipe));
    run(w, 100 * MILLISECOND);
}

static void a_name_is_a_shares_or_a_programs(void **unused)
{
    (void)unused;
    struct world *w = world_of(6);
    struct listener l;
    listen_as(w, &l, "a");
    assert_true(l.bound);
    assert_refused(w, share("tcp:h:1", "a"), "exists", "a program of this node listens on 'a'");
    assert_null(world_core(w, BOB)->shares);
    program_leave(l.program);
    run(w, SECOND);
    assert_shared(w, share("tcp:h:1", "a"));
    listen_as(w, &l, "a");
    assert_false(l.bound);
    assert_string_equal(l.code, "exists");
    assert_non_null(strstr(l.text, "'a' is a share of this node"));
    program_leave(l.program);
    assert_refused(w, share("tcp:h:2", "a"), "exists", "another share");
    assert_true(world_call(w, BOB, request("unshare", "name", "a"))->done);
    listen_as(w, &l, "a");
    assert_true(l.bound);
    program_leave(l.program);
    world_free(w);
}

/* Between the question whether it may and the answer that it is kept, a program was quicker. */
static void a_program_that_is_quicker_keeps_its_pipe(void **unused)
{
    (void)unused;
    struct world *w = world_of(7);
    struct listener l = {.program = world_program(w, BOB, listener_row, &l)};
    program_send(l.program, request("pipe-listen", "pipe", "a"));
    struct share_row row = {.name = "a", .path = "tcp:h:1", .kind = RESOURCE_TCP};
    run(w, 100 * MILLISECOND);
    assert_int_equal(share_put(world_core(w, BOB), &row, NULL), ERR_EXISTS);
    assert_true(l.bound);
    assert_null(share_find(world_core(w, BOB), "a")->pipe);
    program_leave(l.program);
    run(w, SECOND);
    assert_shared(w, share("tcp:h:1", "a")); /* once more, and it is offered */
    assert_non_null(pipe_of(w, "a"));
    world_free(w);
}

static void it_is_there_again_after_a_restart(void **unused)
{
    (void)unused;
    struct world *w = world_of(8);
    struct caller c;
    assert_shared(w, share("tcp:h:1", "a"));
    world_stop(w, BOB);
    run(w, SECOND);
    world_start(w, BOB);
    run(w, 5 * SECOND);
    connect_to(w, &c, ANNA, "bob:a");
    assert_came(w, &c, "");
    world_free(w);
}

/* ---- who may use it */

static void s20_only_those_whom_it_is_for(void **unused)
{
    (void)unused;
    struct world *w = world_of(9);
    struct caller c;
    struct row *row = share("http://h/named", "named");
    row_text(row, "to", "carol");
    assert_shared(w, row);
    row = share("http://h/public", "public");
    row_bool(row, "public", true);
    assert_shared(w, row);
    assert_shared(w, share("http://h/trusted", "trusted"));
    static const size_t who[] = {ANNA, CAROL, BOB};
    static const char *const pipes[] = {"bob:named", "bob:public", "bob:trusted"};
    static const bool may[][3] = {{false, true, true}, {true, true, false}, {true, true, true}};
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < 3; k++) {
            char url[32];
            snprintf(url, sizeof url, "http://h/%s", pipes[k] + strlen("bob:"));
            if (!may[i][k]) {
                assert_not_connected(w, who[i], pipes[k], "refused");
                continue;
            }
            connect_to(w, &c, who[i], pipes[k]);
            assert_came(w, &c, url);
        }
    world_free(w);
}

/* ---- failures and ends */

static void s33_one_that_fails_does_not_look_like_one_that_ends(void **unused)
{
    (void)unused;
    struct world *w = world_of(10);
    struct caller c;
    assert_shared(w, share("cmd:/failing", "late"));
    assert_shared(w, share("http://missing/", "missing"));
    connect_to(w, &c, ANNA, "bob:late");
    assert_true(c.connected);
    await(w, is_over, &c);
    assert_string_equal(c.code, "io");
    program_leave(c.program);
    assert_not_connected(w, ANNA, "bob:missing", "unreachable");
    run(w, 60 * SECOND);
    assert_null(world_core(w, BOB)->opened);
    world_free(w);
}

static void p38_streams_end_with_their_share(void **unused)
{
    (void)unused;
    struct world *w = world_of(11);
    struct caller c[3];
    for (size_t i = 0; i < 3; i++) {
        assert_shared(w, share("tcp:h:1", "a"));
        if (i == 0) {
            connect_to(w, &c[0], ANNA, "bob:a");
            connect_to(w, &c[1], ANNA, "bob:a"); /* any number at once */
            connect_to(w, &c[2], BOB, "bob:a");
            assert_true(c[0].connected && c[1].connected && c[2].connected);
        }
        if (i == 1) /* shared anew: who uses it may not be among those it is for now */
            for (size_t k = 0; k < 3; k++) {
                await(w, is_over, &c[k]);
                assert_string_not_equal(c[k].code, "");
                program_leave(c[k].program);
            }
    }
    connect_to(w, &c[0], ANNA, "bob:a");
    assert_true(c[0].connected);
    assert_true(world_call(w, BOB, request("unshare", "name", "a"))->done);
    await(w, is_over, &c[0]);
    assert_string_not_equal(c[0].code, "");
    program_leave(c[0].program);
    assert_null(pipe_of(w, "a"));
    run(w, 60 * SECOND);
    assert_null(world_core(w, BOB)->opened);
    assert_not_connected(w, ANNA, "bob:a", "not-found");
    world_free(w);
}

static void p38_the_node_stops_while_streams_are_open(void **unused)
{
    (void)unused;
    for (int how = 0; how < 2; how++) {
        struct world *w = world_of(12);
        struct caller c;
        assert_shared(w, share("tcp:h:1", "a"));
        connect_to(w, &c, ANNA, "bob:a");
        assert_true(c.connected);
        if (how == 0)
            world_stop(w, BOB);
        else
            world_crash(w, BOB);
        await(w, is_over, &c);
        assert_string_not_equal(c.code, "");
        program_leave(c.program);
        world_free(w);
    }
}

static void s31_as_many_at_once_as_the_node_allows(void **unused)
{
    (void)unused;
    struct world *w = world_of(13);
    struct core *core = world_core(w, BOB);
    struct share_row fifo = {.name = "fifo", .path = "/fifo", .kind = RESOURCE_FIFO};
    assert_shared(w, share("tcp:h:1", "a"));
    assert_int_equal(share_put(core, &fifo, NULL), 0);
    assert_int_equal(resources_offer(pipe_of(w, "fifo"), 1000), 0);
    assert_int_equal(resources_offer(pipe_of(w, "fifo"), 1001), ERR_FULL); /* two readers would each get a part */
    for (uint64_t i = 0; i < RESOURCES_MAX - 1; i++)
        assert_int_equal(resources_offer(pipe_of(w, "a"), i), 0);
    assert_int_equal(resources_offer(pipe_of(w, "a"), 2000), ERR_FULL);
    resources_close(core, 7); /* before it is open */
    resources_close(core, 7);
    assert_int_equal(resources_offer(pipe_of(w, "a"), 2000), 0);
    run(w, SECOND); /* all are opened, for streams that nobody knows */
    resources_close(core, 1000);
    assert_int_equal(resources_offer(pipe_of(w, "fifo"), 1002), 0);
    world_free(w); /* the rest goes with the node */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(relay_2_a_service_is_a_pipe_of_its_node),
        cmocka_unit_test(relay_2_each_kind_is_told_as_what_it_is),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(s31_at_most_so_many_relays),
        cmocka_unit_test(a_dry_run_shares_nothing),
        cmocka_unit_test(a_name_is_a_shares_or_a_programs),
        cmocka_unit_test(a_program_that_is_quicker_keeps_its_pipe),
        cmocka_unit_test(it_is_there_again_after_a_restart),
        cmocka_unit_test(s20_only_those_whom_it_is_for),
        cmocka_unit_test(s33_one_that_fails_does_not_look_like_one_that_ends),
        cmocka_unit_test(p38_streams_end_with_their_share),
        cmocka_unit_test(p38_the_node_stops_while_streams_are_open),
        cmocka_unit_test(s31_as_many_at_once_as_the_node_allows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
