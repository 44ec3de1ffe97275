/* A hostile peer. See hostile.h. */
#include "hostile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct world *hostile_world(uint64_t seed)
{
    struct world *w = world_new(seed);
    world_add(w, "anna");
    world_add(w, "bob");
    world_add_raw(w, "mallory");
    world_add_raw(w, "eve");
    for (size_t i = 0; i < 4; i++)
        world_start(w, i);
    world_run(w, world_now(w) + SECOND);
    return w;
}

struct core *anna(struct world *w)
{
    return world_core(w, ANNA);
}

struct peer *known(struct world *w, size_t node)
{
    return peers_find(anna(w)->peers, world_id(w, node));
}

void soon(struct world *w)
{
    world_run(w, world_now(w) + 50 * MILLISECOND);
}

bool bob_is_linked(struct world *w)
{
    return known(w, BOB) && link_to(anna(w), known(w, BOB));
}

struct record_bytes record_of(const struct identity *identity, const char *name, uint64_t incarnation, size_t at)
{
    struct record r = {.id = identity->id, .incarnation = incarnation, .seq = 1, .life_s = 600, .endpoint_count = 1};
    struct record_bytes bytes;
    snprintf(r.name, sizeof r.name, "%s", name);
    r.endpoint[0] = (struct endpoint){.transport = TRANSPORT_TCP, .iface = "sim0"};
    snprintf(r.endpoint[0].text, ENDPOINT_TEXT, "tcp://10.0.%zu.%zu:7000", at >> 8, at & 255);
    assert_int_equal(record_sign(&r, identity, &bytes), 0);
    return bytes;
}

const char *name_of(size_t raw)
{
    return raw == MALLORY ? "mallory" : "eve";
}

void say(struct world *w, size_t raw, link_no link, const struct msg *m)
{
    uint8_t *buf = malloc(MSG_BYTES_MAX);
    size_t n;
    assert_non_null(buf);
    assert_int_equal(msg_encode(m, buf, MSG_BYTES_MAX, &n), 0);
    raw_say(w, raw, link, buf, n);
    free(buf);
}

struct msg *message(enum msg_type type, uint64_t request)
{
    struct msg *m = calloc(1, sizeof *m);
    assert_non_null(m);
    m->type = type;
    m->request = request;
    return m;
}

void say_new(struct world *w, size_t raw, link_no link, struct msg *m)
{
    say(w, raw, link, m);
    free(m);
}

void say_hello(struct world *w, size_t raw, link_no link, enum msg_type type, const struct record_bytes *record)
{
    struct msg *m = message(type, 0);
    m->hello.version = PROTOCOL_VERSION;
    m->hello.record = *record;
    say_new(w, raw, link, m);
}

link_no greet(struct world *w, size_t raw)
{
    struct record_bytes record = record_of(raw_identity(w, raw), name_of(raw), 1, raw);
    link_no link = raw_dial(w, raw, ANNA);
    say_hello(w, raw, link, MSG_HELLO, &record);
    soon(w);
    return link;
}

size_t heard(struct world *w, size_t raw, link_no link, enum msg_type type, struct msg *last)
{
    struct msg *m = message(type, 0);
    size_t n = 0;
    for (size_t i = 0; i < raw_heard_count(w, raw); i++) {
        const struct heard *h = raw_heard(w, raw, i);
        if (h->opened || (link && h->link != link))
            continue;
        assert_int_equal(msg_decode(h->bytes, h->n, m), 0);
        if (m->type != type)
            continue;
        n++;
        if (last)
            *last = *m; /* names in it point into what was heard */
    }
    free(m);
    return n;
}

size_t errors(struct world *w, size_t raw, enum err code)
{
    struct msg *m = message(MSG_ERROR, 0);
    size_t n = 0;
    for (size_t i = 0; i < raw_heard_count(w, raw); i++) {
        const struct heard *h = raw_heard(w, raw, i);
        n += !h->opened && msg_decode(h->bytes, h->n, m) == 0 && m->type == MSG_ERROR && m->error.code == code;
    }
    free(m);
    return n;
}

bool parted(struct world *w, size_t raw, link_no link)
{
    struct msg *bye = message(MSG_BYE, 0);
    bool is = heard(w, raw, link, MSG_BYE, bye) == 1 && bye->bye.reason == BYE_REFUSED;
    free(bye);
    return is;
}

bool is_up(struct world *w, size_t raw)
{
    return known(w, raw) && known(w, raw)->up > 0;
}

struct row *request(const char *verb, const char *key, const char *value)
{
    struct row *row = row_new(verb);
    assert_non_null(row);
    if (key)
        row_text(row, key, value);
    return row;
}

const struct answer *ok(struct world *w, size_t node, struct row *r)
{
    const struct answer *a = world_call(w, node, r);
    assert_true(a->done);
    return a;
}

void share(struct world *w, const char *path, bool is_public)
{
    struct row *r = request("share", "path", path);
    row_bool(r, "public", is_public);
    ok(w, ANNA, r);
}

void anna_still_serves_bob(struct world *w)
{
    if (!share_find(anna(w), "open"))
        share(w, "/srv/open", true);
    assert_true(bob_is_linked(w));
    assert_int_equal(answer_count(ok(w, BOB, request("ls", "target", "anna:open")), "entry"), 5);
}

struct msg *asking(struct world *w, enum msg_type type, uint64_t number, const char *share_name)
{
    struct msg *m = message(type, number);
    struct tag files = pipe_owned(world_id(w, ANNA), "files");
    if (type == MSG_SHARES) {
        m->shares.pipe = files;
    } else if (type == MSG_LIST) {
        m->list.pipe = files;
        strcpy(m->list.at.share, share_name);
    } else {
        m->fetch.pipe = files;
        strcpy(m->fetch.at.share, share_name);
        m->fetch.reception.streams = 1;
        m->fetch.reception.deadline_s = 1;
    }
    return m;
}

link_no fetch(struct world *w, size_t raw, link_no link, uint64_t number)
{
    struct msg *m = asking(w, MSG_FETCH, number, "open");
    raw_receives(w, raw, ANNA, &m->fetch.reception);
    say_new(w, raw, link, m);
    return link;
}

void serve(struct world *w, size_t raw, const struct heard *h, void *server)
{
    struct server *s = server;
    struct msg *m = message(0, 0), *a = message(MSG_ANSWER, 0);
    if (!h->opened && msg_decode(h->bytes, h->n, m) == 0 && m->type == MSG_QUERY) {
        a->answer.query = m->query.query;
        a->answer.pipe = m->query.pipe;
        struct pipe_holder *holder = &a->answer.holder[a->answer.holder_count++];
        *holder = (struct pipe_holder){.incarnation = 1, .life_s = 60, .endpoint_count = 1};
        holder->record = record_of(raw_identity(w, raw), name_of(raw), 1, raw);
        holder->endpoint[0] = (struct endpoint){.transport = TRANSPORT_TCP, .iface = "sim0"};
        snprintf(holder->endpoint[0].text, ENDPOINT_TEXT, "tcp://10.0.0.%zu:7000", raw);
        say(w, raw, h->link, a);
    } else if (!h->opened && m->type == MSG_HELLO) {
        struct record_bytes own = record_of(raw_identity(w, raw), name_of(raw), 1, raw);
        say_hello(w, raw, h->link, MSG_WELCOME, &own);
    } else if (!h->opened && m->type == MSG_PING) {
        m->type = MSG_PONG;
        say(w, raw, h->link, m);
    } else if (!h->opened && m->type != MSG_WELCOME && m->type != MSG_RECORDS) {
        s->asked++;
        s->other(w, raw, h->link, m);
    }
    free(m);
    free(a);
}
