/* See session_ends.h. */
#include "session_ends.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- the port of an end */

static uint64_t port_now(void *self)
{
    return ((struct end *)self)->now;
}

static void port_random(void *self, void *buf, size_t n)
{
    memset(buf, (int)(++((struct end *)self)->randoms & 0xff), n);
}

static void port_timer_set(void *self, struct timer *t, uint64_t at)
{
    timers_set(&((struct end *)self)->timers, t, at);
}

static void port_timer_cancel(void *self, struct timer *t)
{
    timers_cancel(&((struct end *)self)->timers, t);
}

static int port_send(void *self, link_no link, const void *bytes, size_t n)
{
    struct end *e = self;
    struct msg *m = malloc(sizeof *m);
    assert_non_null(m);
    assert_int_equal(msg_decode(bytes, n, m), 0);
    if (link == e->link->no && m->type == MSG_NEXT) {
        assert_true(e->count < SAID_MAX);
        e->said[e->count++] = (struct said){.request = m->request, .part = m->part};
    }
    if (m->type == MSG_USE) {
        e->request = m->request;
        e->use = m->use;
    }
    free(m);
    return 0;
}

static void port_hangup(void *self, link_no link)
{
    (void)link;
    ((struct end *)self)->hangups++;
}

static void port_reply(void *self, uint64_t client, const struct row *row)
{
    ((struct end *)self)->warnings += client == 0 && strcmp(row_kind(row), "warning") == 0;
}

static void end_new(struct end *e, uint8_t seed)
{
    struct core_config config = {.identity = &e->identity, .name = "end", .incarnation = 1};
    uint8_t seeds[SEED_BYTES];
    memset(e, 0, sizeof *e);
    memset(seeds, seed, sizeof seeds);
    identity_from_seed(seeds, &e->identity);
    timers_init(&e->timers);
    e->now = SECOND;
    e->port = (struct port){.self = e,
                            .now = port_now,
                            .random = port_random,
                            .timer_set = port_timer_set,
                            .timer_cancel = port_timer_cancel,
                            .send = port_send,
                            .hangup = port_hangup,
                            .reply = port_reply};
    assert_int_equal(core_new(&config, &e->port, &e->core), 0);
}

static void end_free(struct end *e)
{
    core_free(e->core);
    timers_fini(&e->timers);
}

/* A carrier with a link that is up, to a relay of the same key for all ends. */
static void end_carrier(struct end *e)
{
    struct identity relay;
    uint8_t seed[SEED_BYTES] = {9};
    identity_from_seed(seed, &relay);
    e->carrier = carrier_get(e->core, &relay.id);
    assert_non_null(e->carrier);
    e->link = link_new(e->core, ++e->core->next_link, e->carrier->peer, true);
    assert_non_null(e->link);
    state_move(&e->link->state, LINK_UP, NULL);
    e->carrier->link = e->link;
}

void end_turn(struct end *e)
{
    timers_run(&e->timers, e->now);
}

/* ---- a pair */

/* Another session at the same two ends, open too. */
void open_session(struct ends *p, uint64_t number, struct session **sa, struct session **sb)
{
    struct tag handle = handle_of(&p->b.identity.id, "");
    struct noise_purpose purpose = {.prologue = "test", .prologue_n = 4};
    struct session *a = *sa = session_new(p->a.carrier, &handle, false);
    struct session *b = *sb = session_new(p->b.carrier, &handle, true);
    uint8_t first[NOISE_FIRST_BYTES];
    memset(purpose.ephemeral, (int)number, sizeof purpose.ephemeral);
    assert_int_equal(noise_start(&a->noise, &p->a.identity, p->b.identity.curve_public, &purpose, first), 0);
    memset(purpose.ephemeral, (int)number + 100, sizeof purpose.ephemeral);
    assert_int_equal(noise_accept(&b->noise, &p->b.identity, &purpose, first, b->curve, b->second), 0);
    assert_int_equal(noise_finish(&a->noise, &p->a.identity, b->second), 0);
    state_move(&a->state, SESSION_ASKING, NULL);
    state_move(&a->state, SESSION_OPEN, NULL);
    state_move(&b->state, SESSION_PROVING, NULL);
    state_move(&b->state, SESSION_OPEN, NULL);
    a->number = b->number = number;
    a->out.limit = b->out.limit = RELAY_WINDOW;
}

struct ends *ends_new(void)
{
    struct ends *p = calloc(1, sizeof *p);
    assert_non_null(p);
    end_new(&p->a, 1);
    end_new(&p->b, 2);
    end_carrier(&p->a);
    end_carrier(&p->b);
    open_session(p, 1, &p->a.session, &p->b.session);
    return p;
}

void ends_free(struct ends *p)
{
    end_free(&p->a);
    end_free(&p->b);
    free(p);
}

/* The next part that a session says; false: none. */
bool take_part(struct session *s, struct held *h)
{
    if (!session_part(s, &h->part))
        return false;
    memcpy(h->bytes, h->part.bytes ? h->part.bytes : h->bytes, h->part.len);
    h->part.bytes = h->bytes;
    session_said(s, &h->part);
    return true;
}

/* The parts that a message makes, in order. */
size_t parts_of(struct session *s, const void *bytes, size_t n, struct held *h, size_t max)
{
    size_t count = 0;
    assert_int_equal(session_queue(s, bytes, n), 0);
    while (count < max && take_part(s, &h[count]))
        count++;
    return count;
}

/* Says parts of `from` to `to` until there are no more, with the credit that comes back. */
void pass_parts(struct session *from, struct session *to)
{
    struct held *h = malloc(sizeof *h);
    assert_non_null(h);
    while (take_part(from, h)) {
        session_data(to, &h->part);
        assert_true(from->out.sent <= to->in.told); /* never more than was granted */
        while (take_part(to, h))
            session_data(from, &h->part);
    }
    free(h);
}

/* The message that waits at an end, which the link takes now. */
void assert_message(struct session *s, const void *bytes, size_t n)
{
    struct note *note = notes_pop(&s->in.whole);
    assert_non_null(note);
    assert_int_equal(note->n, n);
    assert_memory_equal(note->bytes, bytes, n);
    free(note);
}

uint8_t *pattern(size_t n, uint8_t seed)
{
    uint8_t *bytes = malloc(n);
    assert_non_null(bytes);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251 + seed);
    return bytes;
}
