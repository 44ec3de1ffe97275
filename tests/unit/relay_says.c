/* What clients of a relay usually say: see relay_node.h. */
#include "relay_node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

void node_reserve(struct relay_node *n, size_t client)
{
    struct msg *m = node_msg(n, MSG_RESERVE, node_number(n));
    m->reserve = (struct msg_reserve){.pipe = pipe_owned(node_self(n), "relay"), .life_s = RELAY_LIFE_MAX_S};
    node_say(n, client, m);
}

void node_reserve_ok(struct relay_node *n, size_t client)
{
    node_reserve(n, client);
    node_hear_a(n, client, MSG_RESERVE_OK);
}

static void say_offer(struct relay_node *n, size_t client, const char *name, bool is_public, bool withdrawn)
{
    struct msg *m = node_msg(n, MSG_OFFER, node_number(n));
    snprintf(m->offer.name, sizeof m->offer.name, "%s", name);
    m->offer.is_public = is_public;
    m->offer.withdrawn = withdrawn;
    node_say(n, client, m);
}

void node_offer(struct relay_node *n, size_t client, const char *name, bool is_public)
{
    say_offer(n, client, name, is_public, false);
}

void node_offer_ok(struct relay_node *n, size_t client, const char *name, bool is_public)
{
    say_offer(n, client, name, is_public, false);
    node_hear_a(n, client, MSG_OFFER_OK);
}

void node_withdraw_ok(struct relay_node *n, size_t client, const char *name)
{
    say_offer(n, client, name, false, true);
    node_hear_a(n, client, MSG_OFFER_OK);
}

static struct msg *next(struct relay_node *n, enum part_kind kind, uint64_t session)
{
    struct msg *m = node_msg(n, MSG_NEXT, node_number(n));
    m->part.kind = kind;
    m->part.session = session;
    return m;
}

uint64_t node_next(struct relay_node *n, size_t client)
{
    const struct msg *m = next(n, PART_NONE, 0);
    node_say(n, client, m);
    return m->request;
}

void node_nexts(struct relay_node *n, size_t client, unsigned count)
{
    while (count-- > 0)
        node_next(n, client);
}

uint64_t node_use(struct relay_node *n, size_t user, size_t holder, const char *name)
{
    struct msg *m = node_msg(n, MSG_USE, node_number(n));
    m->use = (struct msg_use){.pipe = pipe_owned(node_self(n), "relay"), .holder = *node_id_of(n, holder)};
    m->use.handle = handle_of(&m->use.holder, name);
    m->use.credit = RELAY_WINDOW;
    memset(m->use.noise, 'u', sizeof m->use.noise);
    node_say(n, user, m);
    return m->request;
}

void node_accept(struct relay_node *n, size_t holder, uint64_t session)
{
    struct msg *m = next(n, PART_ACCEPT, session);
    m->part.credit = RELAY_WINDOW;
    memset(m->part.noise, 'h', NOISE_SECOND_BYTES);
    node_say(n, holder, m);
}

void node_data(struct relay_node *n, size_t client, uint64_t session, size_t bytes)
{
    static uint8_t piece[RELAY_PART_MAX];
    struct msg *m = next(n, PART_DATA, session);
    assert_true(bytes <= sizeof piece);
    memset(piece, 'a' + (int)(m->request % 26), bytes);
    m->part.bytes = piece;
    m->part.len = (uint16_t)bytes;
    node_say(n, client, m);
}

void node_credit(struct relay_node *n, size_t client, uint64_t session, uint64_t credit)
{
    struct msg *m = next(n, PART_DATA, session);
    m->part.credit = credit;
    node_say(n, client, m);
}

void node_close(struct relay_node *n, size_t client, uint64_t session, enum err code, const char *text)
{
    struct msg *m = next(n, PART_CLOSE, session);
    m->part.code = code;
    snprintf(m->part.text, sizeof m->part.text, "%s", text);
    node_say(n, client, m);
}

const struct relay_part *node_part(struct relay_node *n, size_t client, enum part_kind kind)
{
    const struct msg *m = node_hear_a(n, client, MSG_NEXT_OK);
    assert_int_equal(m->part.kind, kind);
    return &m->part;
}

uint64_t node_session(struct relay_node *n, size_t user, size_t holder, const char *name)
{
    const struct msg *m;
    node_next(n, holder);
    uint64_t request = node_use(n, user, holder, name);
    do /* some of its NEXTs may have been one too many */
        m = node_hear_a(n, holder, MSG_NEXT_OK);
    while (m->part.kind == PART_NONE);
    assert_int_equal(m->part.kind, PART_USE);
    uint64_t session = m->part.session;
    node_accept(n, holder, session);
    m = node_hear_a(n, user, MSG_USE_OK);
    assert_int_equal(m->request, request);
    assert_int_equal(m->use_ok.session, session);
    return session;
}

/* ---- people */

struct relay_node *relay_people(const struct relay_quota *quota)
{
    struct relay_node *n = node_new(quota);
    node_join(n, "bob", true);
    node_join(n, "anna", true);
    node_join(n, "carl", true);
    node_join(n, "eve", false);
    node_reserve_ok(n, BOB);
    node_offer_ok(n, BOB, "pictures", true);
    return n;
}

void assert_nothing_left(struct relay_node *n)
{
    const struct relay *relay = node_relay(n);
    assert_int_equal(relay->session_count, 0);
    assert_null(relay->sessions);
    for (size_t i = 0; i < RELAY_BUCKETS; i++)
        assert_null(relay->by_number[i]);
    for (size_t i = 0; i < relay->client_count; i++) {
        assert_int_equal(relay->client[i]->sessions, 0);
        assert_int_equal(relay->client[i]->strangers, 0);
        for (struct relay_line *line = relay->client[i]->lines; line; line = line->next)
            assert_null(line->turn);
    }
}
