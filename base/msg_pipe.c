/* Fields of the messages about where pipes are bound: QUERY and ANSWER, the endpoints in it, REGISTER and REGISTER_OK; and of
 * the list of a node's pipes: PIPES and PIPES_OK. See msg.h. */
#include "msg_codec.h"

#include <assert.h>

void endpoint_write(struct mpw *w, const struct endpoint *e)
{
    mpw_array(w, 4);
    mpw_uint(w, e->transport);
    mpw_str(w, e->text);
    mpw_str(w, e->iface);
    mpw_uint(w, e->scope);
}

void endpoint_read(struct mpr *r, struct endpoint *e)
{
    mpr_array_of(r, 4);
    e->transport = (enum transport)mpr_uint(r, TRANSPORT_COUNT - 1);
    mpr_str(r, e->text, sizeof e->text);
    mpr_str(r, e->iface, sizeof e->iface);
    e->scope = mpr_uint(r, UINT64_MAX);
    mpr_leave(r);
    must(r, r->err || endpoint_valid(e));
}

void node_ids_write(struct mpw *w, const struct node_id *ids, size_t count, size_t max)
{
    assert(count <= max);
    mpw_array(w, count);
    for (size_t i = 0; i < count; i++)
        mpw_bin(w, ids[i].b, NODE_ID_BYTES);
}

size_t node_ids_read(struct mpr *r, struct node_id *ids, size_t max)
{
    size_t count = mpr_array(r, max);
    for (size_t i = 0; i < count; i++)
        mpr_bin_of(r, ids[i].b, NODE_ID_BYTES);
    mpr_leave(r);
    return count;
}

static enum transport pipe_transport_read(struct mpr *r)
{
    return (enum transport)mpr_uint(r, TRANSPORT_WS); /* a relay's is none of a pipe's */
}

void query_write(struct mpw *w, const struct msg *m)
{
    const struct msg_query *q = &m->query;
    mpw_bin(w, q->query.b, TAG_BYTES);
    mpw_bin(w, q->pipe.b, TAG_BYTES);
    mpw_uint(w, q->type);
    mpw_uint(w, q->transport);
    mpw_uint(w, q->hops);
    mpw_bin(w, q->asker.b, NODE_ID_BYTES);
    node_ids_write(w, q->wanted, q->wanted_count, QUERY_VISITED_MAX);
    node_ids_write(w, q->visited, q->visited_count, QUERY_VISITED_MAX);
}

void query_read(struct mpr *r, struct msg *m)
{
    struct msg_query *q = &m->query;
    mpr_bin_of(r, q->query.b, TAG_BYTES);
    mpr_bin_of(r, q->pipe.b, TAG_BYTES);
    q->type = (enum pipe_type)mpr_uint(r, PIPE_TYPE_COUNT - 1);
    q->transport = pipe_transport_read(r);
    q->hops = (uint8_t)mpr_uint(r, QUERY_HOPS_MAX);
    mpr_bin_of(r, q->asker.b, NODE_ID_BYTES);
    q->wanted_count = (uint8_t)node_ids_read(r, q->wanted, QUERY_VISITED_MAX);
    q->visited_count = (uint8_t)node_ids_read(r, q->visited, QUERY_VISITED_MAX);
}

static void holder_write(struct mpw *w, const struct pipe_holder *h)
{
    assert(h->endpoint_count <= PIPE_ENDPOINTS_MAX);
    mpw_array(w, 5);
    mpw_uint(w, h->rank);
    mpw_uint(w, h->incarnation);
    mpw_uint(w, h->life_s);
    record_bytes_write(w, &h->record);
    mpw_array(w, h->endpoint_count);
    for (size_t i = 0; i < h->endpoint_count; i++)
        endpoint_write(w, &h->endpoint[i]);
}

static void holder_read(struct mpr *r, struct pipe_holder *h)
{
    mpr_array_of(r, 5);
    h->rank = (uint8_t)mpr_uint(r, UINT8_MAX);
    h->incarnation = mpr_uint(r, INT64_MAX);
    h->life_s = (uint32_t)mpr_uint(r, PIPE_ANSWER_LIFE_MAX_S);
    record_bytes_read(r, &h->record, false);
    h->endpoint_count = (uint8_t)mpr_array(r, PIPE_ENDPOINTS_MAX);
    for (size_t i = 0; i < h->endpoint_count; i++)
        endpoint_read(r, &h->endpoint[i]);
    mpr_leave(r);
    mpr_leave(r);
}

void answer_write(struct mpw *w, const struct msg *m)
{
    const struct msg_answer *a = &m->answer;
    assert(a->holder_count <= ANSWER_HOLDERS_MAX);
    mpw_bin(w, a->query.b, TAG_BYTES);
    mpw_bin(w, a->pipe.b, TAG_BYTES);
    mpw_uint(w, a->type);
    mpw_array(w, a->holder_count);
    for (size_t i = 0; i < a->holder_count; i++)
        holder_write(w, &a->holder[i]);
}

void answer_read(struct mpr *r, struct msg *m)
{
    struct msg_answer *a = &m->answer;
    mpr_bin_of(r, a->query.b, TAG_BYTES);
    mpr_bin_of(r, a->pipe.b, TAG_BYTES);
    a->type = (enum pipe_type)mpr_uint(r, PIPE_TYPE_COUNT - 1);
    a->holder_count = (uint8_t)mpr_array(r, ANSWER_HOLDERS_MAX);
    for (size_t i = 0; i < a->holder_count; i++)
        holder_read(r, &a->holder[i]);
    mpr_leave(r);
}

/* ---- REGISTER */

static void registered_write(struct mpw *w, const struct registered_pipe *p)
{
    mpw_array(w, 4);
    mpw_bin(w, p->pipe.b, TAG_BYTES);
    mpw_uint(w, p->type);
    mpw_uint(w, p->transport);
    mpw_uint(w, p->rank);
}

static void registered_read(struct mpr *r, struct registered_pipe *p)
{
    mpr_array_of(r, 4);
    mpr_bin_of(r, p->pipe.b, TAG_BYTES);
    p->type = (enum pipe_type)mpr_uint(r, PIPE_TYPE_COUNT - 1);
    p->transport = pipe_transport_read(r);
    p->rank = (uint8_t)mpr_uint(r, UINT8_MAX);
    mpr_leave(r);
}

void register_write(struct mpw *w, const struct msg *m)
{
    const struct msg_register *reg = &m->registered;
    assert(reg->count <= REGISTER_PIPES_MAX);
    record_bytes_write(w, &reg->holder);
    mpw_uint(w, reg->life_s);
    mpw_array(w, reg->count);
    for (size_t i = 0; i < reg->count; i++)
        registered_write(w, &reg->pipe[i]);
}

void register_read(struct mpr *r, struct msg *m)
{
    struct msg_register *reg = &m->registered;
    record_bytes_read(r, &reg->holder, true);
    reg->life_s = (uint32_t)mpr_uint(r, LEASE_LIFE_MAX_S);
    reg->count = (uint16_t)mpr_array(r, REGISTER_PIPES_MAX);
    for (size_t i = 0; i < reg->count; i++)
        registered_read(r, &reg->pipe[i]);
    mpr_leave(r);
}

void register_ok_write(struct mpw *w, const struct msg *m)
{
    mpw_uint(w, m->registered_ok.life_s);
    mpw_uint(w, m->registered_ok.kept);
}

void register_ok_read(struct mpr *r, struct msg *m)
{
    m->registered_ok.life_s = (uint32_t)mpr_uint(r, LEASE_LIFE_MAX_S);
    m->registered_ok.kept = (uint32_t)mpr_uint(r, LOCAL_PIPES_MAX);
}

/* ---- PIPES */

void pipes_write(struct mpw *w, const struct msg *m)
{
    mpw_bin(w, m->pipes.pipe.b, TAG_BYTES);
    mpw_str(w, m->pipes.after);
}

void pipes_read(struct mpr *r, struct msg *m)
{
    mpr_bin_of(r, m->pipes.pipe.b, TAG_BYTES);
    mpr_str(r, m->pipes.after, sizeof m->pipes.after);
    must(r, m->pipes.after[0] == 0 || name_valid(m->pipes.after));
}

static void pipe_info_write(struct mpw *w, const struct pipe_info *p)
{
    mpw_array(w, 5);
    mpw_str(w, p->name);
    mpw_uint(w, p->type);
    mpw_uint(w, p->transport);
    mpw_bool(w, p->shared);
    mpw_uint(w, p->rank);
}

static void pipe_info_read(struct mpr *r, struct pipe_info *p)
{
    mpr_array_of(r, 5);
    mpr_str(r, p->name, sizeof p->name);
    p->type = (enum pipe_type)mpr_uint(r, PIPE_TYPE_COUNT - 1);
    p->transport = pipe_transport_read(r);
    p->shared = mpr_bool(r);
    p->rank = (uint8_t)mpr_uint(r, UINT8_MAX);
    mpr_leave(r);
    must(r, name_valid(p->name));
}

void pipes_ok_write(struct mpw *w, const struct msg *m)
{
    const struct msg_pipes_ok *ok = &m->pipes_ok;
    assert(ok->count <= PIPES_PAGE_MAX);
    mpw_bool(w, ok->more);
    mpw_array(w, ok->count);
    for (size_t i = 0; i < ok->count; i++)
        pipe_info_write(w, &ok->pipe[i]);
}

void pipes_ok_read(struct mpr *r, struct msg *m)
{
    struct msg_pipes_ok *ok = &m->pipes_ok;
    ok->more = mpr_bool(r);
    ok->count = (uint16_t)mpr_array(r, PIPES_PAGE_MAX);
    for (size_t i = 0; i < ok->count; i++)
        pipe_info_read(r, &ok->pipe[i]);
    mpr_leave(r);
    must(r, !ok->more || ok->count > 0); /* the next page is asked for by the last name of this one */
}
