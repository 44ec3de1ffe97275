/* Fields of the pipe binding protocol: QUERY and ANSWER, and the endpoints in it. See msg.h. */
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

static void ids_write(struct mpw *w, const struct node_id *ids, size_t count)
{
    assert(count <= QUERY_VISITED_MAX);
    mpw_array(w, count);
    for (size_t i = 0; i < count; i++)
        mpw_bin(w, ids[i].b, NODE_ID_BYTES);
}

static uint8_t ids_read(struct mpr *r, struct node_id ids[QUERY_VISITED_MAX])
{
    size_t count = mpr_array(r, QUERY_VISITED_MAX);
    for (size_t i = 0; i < count; i++)
        mpr_bin_of(r, ids[i].b, NODE_ID_BYTES);
    mpr_leave(r);
    return (uint8_t)count;
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
    ids_write(w, q->wanted, q->wanted_count);
    ids_write(w, q->visited, q->visited_count);
}

void query_read(struct mpr *r, struct msg *m)
{
    struct msg_query *q = &m->query;
    mpr_bin_of(r, q->query.b, TAG_BYTES);
    mpr_bin_of(r, q->pipe.b, TAG_BYTES);
    q->type = (enum pipe_type)mpr_uint(r, PIPE_TYPE_COUNT - 1);
    q->transport = (enum transport)mpr_uint(r, TRANSPORT_COUNT - 1);
    q->hops = (uint8_t)mpr_uint(r, QUERY_HOPS_MAX);
    mpr_bin_of(r, q->asker.b, NODE_ID_BYTES);
    q->wanted_count = ids_read(r, q->wanted);
    q->visited_count = ids_read(r, q->visited);
}

void answer_write(struct mpw *w, const struct msg *m)
{
    const struct msg_answer *a = &m->answer;
    assert(a->endpoint_count <= PIPE_ENDPOINTS_MAX);
    mpw_bin(w, a->query.b, TAG_BYTES);
    mpw_bin(w, a->pipe.b, TAG_BYTES);
    mpw_bool(w, a->found);
    mpw_uint(w, a->type);
    mpw_uint(w, a->incarnation);
    mpw_uint(w, a->life_s);
    record_bytes_write(w, &a->holder);
    mpw_array(w, a->endpoint_count);
    for (size_t i = 0; i < a->endpoint_count; i++)
        endpoint_write(w, &a->endpoint[i]);
}

void answer_read(struct mpr *r, struct msg *m)
{
    struct msg_answer *a = &m->answer;
    mpr_bin_of(r, a->query.b, TAG_BYTES);
    mpr_bin_of(r, a->pipe.b, TAG_BYTES);
    a->found = mpr_bool(r);
    a->type = (enum pipe_type)mpr_uint(r, PIPE_TYPE_COUNT - 1);
    a->incarnation = mpr_uint(r, INT64_MAX);
    a->life_s = (uint32_t)mpr_uint(r, PIPE_ANSWER_LIFE_MAX_S);
    record_bytes_read(r, &a->holder, !a->found);
    a->endpoint_count = (uint8_t)mpr_array(r, PIPE_ENDPOINTS_MAX);
    for (size_t i = 0; i < a->endpoint_count; i++)
        endpoint_read(r, &a->endpoint[i]);
    mpr_leave(r);
    must(r, a->found || (a->holder.len == 0 && a->endpoint_count == 0));
}
