/* Fields of the messages between relays and their clients: RESERVE, OFFER, HANDLES, USE, NEXT, BRIDGE and their answers. See
 * msg.h.
 *
 * Noise messages and sealed bytes are carried here, not opened. */
#include "msg_codec.h"

#include "identity.h"

#include <assert.h>
#include <string.h>

const char *resource_kind_name(enum resource_kind kind)
{
    static const char *const names[RESOURCE_KIND_COUNT] = {"file", "dir", "tcp", "http", "command", "fifo"};
    return (unsigned)kind < RESOURCE_KIND_COUNT ? names[kind] : "unknown";
}

struct tag handle_of(const struct node_id *holder, const char *name)
{
    return tag_derive("weft handle 1", holder->b, sizeof holder->b, name, strlen(name));
}

static uint64_t session_read(struct mpr *r)
{
    uint64_t session = mpr_uint(r, INT64_MAX);
    must(r, session > 0);
    return session;
}

/* ---- reservations */

void reserve_write(struct mpw *w, const struct msg *m)
{
    mpw_bin(w, m->reserve.pipe.b, TAG_BYTES);
    mpw_uint(w, m->reserve.life_s);
    mpw_uint(w, m->reserve.sessions);
}

void reserve_read(struct mpr *r, struct msg *m)
{
    mpr_bin_of(r, m->reserve.pipe.b, TAG_BYTES);
    m->reserve.life_s = (uint32_t)mpr_uint(r, RELAY_LIFE_MAX_S);
    m->reserve.sessions = (uint32_t)mpr_uint(r, RELAY_SESSIONS_MAX);
}

void reserve_ok_write(struct mpw *w, const struct msg *m)
{
    mpw_uint(w, m->reserve_ok.life_s);
    mpw_uint(w, m->reserve_ok.sessions);
    mpw_uint(w, m->reserve_ok.bytes);
    mpw_uint(w, m->reserve_ok.rate);
    mpw_uint(w, m->reserve_ok.nexts);
}

void reserve_ok_read(struct mpr *r, struct msg *m)
{
    m->reserve_ok.life_s = (uint32_t)mpr_uint(r, RELAY_LIFE_MAX_S);
    m->reserve_ok.sessions = (uint32_t)mpr_uint(r, RELAY_SESSIONS_MAX);
    m->reserve_ok.bytes = mpr_uint(r, INT64_MAX);
    m->reserve_ok.rate = mpr_uint(r, INT64_MAX);
    m->reserve_ok.nexts = (uint8_t)mpr_uint(r, RELAY_NEXTS_MAX);
    must(r, m->reserve_ok.nexts > 0);
}

void offer_write(struct mpw *w, const struct msg *m)
{
    const struct msg_offer *o = &m->offer;
    mpw_str(w, o->name);
    mpw_uint(w, o->kind);
    mpw_bool(w, o->withdrawn);
    mpw_bool(w, o->is_public);
    node_ids_write(w, o->audience, o->audience_count, AUDIENCE_MAX);
}

void offer_read(struct mpr *r, struct msg *m)
{
    struct msg_offer *o = &m->offer;
    mpr_str(r, o->name, sizeof o->name);
    o->kind = (enum resource_kind)mpr_uint(r, RESOURCE_KIND_COUNT - 1);
    o->withdrawn = mpr_bool(r);
    o->is_public = mpr_bool(r);
    o->audience_count = (uint8_t)node_ids_read(r, o->audience, AUDIENCE_MAX);
    must(r, name_valid(o->name) && !(o->is_public && o->audience_count > 0));
}

void offer_ok_write(struct mpw *w, const struct msg *m)
{
    (void)w, (void)m; /* it has no fields */
}

void offer_ok_read(struct mpr *r, struct msg *m)
{
    (void)r, (void)m;
}

/* ---- HANDLES */

void handles_write(struct mpw *w, const struct msg *m)
{
    mpw_bin(w, m->handles.pipe.b, TAG_BYTES);
    mpw_bin(w, m->handles.after_holder.b, NODE_ID_BYTES);
    mpw_str(w, m->handles.after_name);
}

static bool empty_or_name(const char *name)
{
    return name[0] == 0 || name_valid(name);
}

void handles_read(struct mpr *r, struct msg *m)
{
    mpr_bin_of(r, m->handles.pipe.b, TAG_BYTES);
    mpr_bin_of(r, m->handles.after_holder.b, NODE_ID_BYTES);
    mpr_str(r, m->handles.after_name, sizeof m->handles.after_name);
    must(r, empty_or_name(m->handles.after_name));
}

static void handle_write(struct mpw *w, const struct handle_info *h)
{
    mpw_array(w, 6);
    mpw_bin(w, h->holder.b, NODE_ID_BYTES);
    mpw_str(w, h->holder_name);
    mpw_str(w, h->name);
    mpw_uint(w, h->kind);
    mpw_uint(w, h->state);
    mpw_bool(w, h->is_public);
}

static void handle_read(struct mpr *r, struct handle_info *h)
{
    mpr_array_of(r, 6);
    mpr_bin_of(r, h->holder.b, NODE_ID_BYTES);
    mpr_str(r, h->holder_name, sizeof h->holder_name);
    mpr_str(r, h->name, sizeof h->name);
    h->kind = (enum resource_kind)mpr_uint(r, RESOURCE_KIND_COUNT - 1);
    h->state = (enum handle_state)mpr_uint(r, HANDLE_STATE_COUNT - 1);
    h->is_public = mpr_bool(r);
    mpr_leave(r);
    must(r, empty_or_name(h->holder_name) && name_valid(h->name));
}

void handles_ok_write(struct mpw *w, const struct msg *m)
{
    const struct msg_handles_ok *ok = &m->handles_ok;
    assert(ok->count <= HANDLES_PAGE_MAX);
    mpw_bool(w, ok->more);
    mpw_array(w, ok->count);
    for (size_t i = 0; i < ok->count; i++)
        handle_write(w, &ok->handle[i]);
}

void handles_ok_read(struct mpr *r, struct msg *m)
{
    struct msg_handles_ok *ok = &m->handles_ok;
    ok->more = mpr_bool(r);
    ok->count = (uint16_t)mpr_array(r, HANDLES_PAGE_MAX);
    for (size_t i = 0; i < ok->count; i++)
        handle_read(r, &ok->handle[i]);
    mpr_leave(r);
    must(r, !ok->more || ok->count > 0); /* the next page is asked for by the last handle of this one */
}

/* ---- sessions */

void use_write(struct mpw *w, const struct msg *m)
{
    mpw_bin(w, m->use.pipe.b, TAG_BYTES);
    mpw_bin(w, m->use.holder.b, NODE_ID_BYTES);
    mpw_bin(w, m->use.handle.b, TAG_BYTES);
    mpw_uint(w, m->use.credit);
    mpw_bin(w, m->use.noise, NOISE_FIRST_BYTES);
}

void use_read(struct mpr *r, struct msg *m)
{
    mpr_bin_of(r, m->use.pipe.b, TAG_BYTES);
    mpr_bin_of(r, m->use.holder.b, NODE_ID_BYTES);
    mpr_bin_of(r, m->use.handle.b, TAG_BYTES);
    m->use.credit = mpr_uint(r, INT64_MAX);
    mpr_bin_of(r, m->use.noise, NOISE_FIRST_BYTES);
}

void use_ok_write(struct mpw *w, const struct msg *m)
{
    mpw_uint(w, m->use_ok.session);
    mpw_uint(w, m->use_ok.credit);
    mpw_bin(w, m->use_ok.noise, NOISE_SECOND_BYTES);
}

void use_ok_read(struct mpr *r, struct msg *m)
{
    m->use_ok.session = session_read(r);
    m->use_ok.credit = mpr_uint(r, INT64_MAX);
    mpr_bin_of(r, m->use_ok.noise, NOISE_SECOND_BYTES);
}

/* A part is [kind, session, credit, body]. Each kind has a body of its own, flows one way or both, and has or lacks a session
 * and credit, which then are 0. */
typedef void part_write(struct mpw *w, const struct relay_part *part);
typedef void part_read(struct mpr *r, struct relay_part *part);

static void nothing_write(struct mpw *w, const struct relay_part *part)
{
    (void)part;
    mpw_nil(w);
}

static void nothing_read(struct mpr *r, struct relay_part *part)
{
    (void)part;
    mpr_nil(r);
}

static void wanted_write(struct mpw *w, const struct relay_part *part)
{
    mpw_array(w, 3);
    mpw_bin(w, part->handle.b, TAG_BYTES);
    mpw_bin(w, part->user.b, NODE_ID_BYTES);
    mpw_bin(w, part->noise, NOISE_FIRST_BYTES);
}

static void wanted_read(struct mpr *r, struct relay_part *part)
{
    mpr_array_of(r, 3);
    mpr_bin_of(r, part->handle.b, TAG_BYTES);
    mpr_bin_of(r, part->user.b, NODE_ID_BYTES);
    mpr_bin_of(r, part->noise, NOISE_FIRST_BYTES);
    mpr_leave(r);
}

static void accepted_write(struct mpw *w, const struct relay_part *part)
{
    mpw_bin(w, part->noise, NOISE_SECOND_BYTES);
}

static void accepted_read(struct mpr *r, struct relay_part *part)
{
    mpr_bin_of(r, part->noise, NOISE_SECOND_BYTES);
}

static void sealed_write(struct mpw *w, const struct relay_part *part)
{
    mpw_bin(w, part->bytes, part->len);
}

static void sealed_read(struct mpr *r, struct relay_part *part)
{
    size_t n;
    part->bytes = mpr_bin(r, RELAY_PART_MAX, &n);
    part->len = (uint16_t)n;
}

static void closed_write(struct mpw *w, const struct relay_part *part)
{
    mpw_array(w, 2);
    code_write(w, part->code);
    mpw_str(w, part->text);
}

static void closed_read(struct mpr *r, struct relay_part *part)
{
    mpr_array_of(r, 2);
    part->code = code_read(r);
    mpr_str(r, part->text, sizeof part->text);
    mpr_leave(r);
}

static const struct part_shape {
    part_write *write;
    part_read *read;
    bool to_relay, to_client;
    bool has_session, has_credit;
} part_shapes[PART_KIND_COUNT] = {
    [PART_NONE] = {nothing_write, nothing_read, true, true, false, false},
    [PART_USE] = {wanted_write, wanted_read, false, true, true, true},
    [PART_ACCEPT] = {accepted_write, accepted_read, true, false, true, true},
    [PART_DATA] = {sealed_write, sealed_read, true, true, true, true},
    [PART_CLOSE] = {closed_write, closed_read, true, true, true, false},
    [PART_DRAIN] = {nothing_write, nothing_read, false, true, false, false},
};

void next_write(struct mpw *w, const struct msg *m)
{
    const struct relay_part *part = &m->part;
    assert((unsigned)part->kind < PART_KIND_COUNT);
    mpw_uint(w, part->kind);
    mpw_uint(w, part->session);
    mpw_uint(w, part->credit);
    part_shapes[part->kind].write(w, part);
}

void next_read(struct mpr *r, struct msg *m)
{
    struct relay_part *part = &m->part;
    part->kind = (enum part_kind)mpr_uint(r, PART_KIND_COUNT - 1);
    const struct part_shape *shape = &part_shapes[part->kind];
    part->session = mpr_uint(r, INT64_MAX);
    part->credit = mpr_uint(r, INT64_MAX);
    shape->read(r, part);
    must(r, m->type == MSG_NEXT ? shape->to_relay : shape->to_client);
    must(r, (part->session > 0) == shape->has_session && (part->credit == 0 || shape->has_credit));
}

/* ---- BRIDGE */

void bridge_write(struct mpw *w, const struct msg *m)
{
    mpw_uint(w, m->bridge.session);
    mpw_uint(w, m->bridge.streams);
}

void bridge_read(struct mpr *r, struct msg *m)
{
    m->bridge.session = session_read(r);
    m->bridge.streams = (uint8_t)mpr_uint(r, STREAMS_MAX);
    must(r, m->bridge.streams > 0);
}

void bridge_ok_write(struct mpw *w, const struct msg *m)
{
    way_write(w, &m->bridge_ok.own);
    way_write(w, &m->bridge_ok.other);
    mpw_uint(w, m->bridge_ok.deadline_s);
}

void bridge_ok_read(struct mpr *r, struct msg *m)
{
    way_read(r, &m->bridge_ok.own);
    way_read(r, &m->bridge_ok.other);
    m->bridge_ok.deadline_s = (uint32_t)mpr_uint(r, RECEPTION_DEADLINE_S);
    must(r, m->bridge_ok.deadline_s > 0);
}
