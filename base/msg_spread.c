/* Fields of the messages of propagate pipes: SPREAD, SPREAD_HAVE, SPREAD_WANT, SPREAD_PRUNE. See msg.h.
 *
 * A signature is carried here, not checked. */
#include "msg_codec.h"

#include <assert.h>

void spread_write(struct mpw *w, const struct msg *m)
{
    const struct msg_spread *s = &m->spread;
    mpw_bin(w, s->pipe.b, TAG_BYTES);
    mpw_bin(w, s->origin.b, NODE_ID_BYTES);
    mpw_uint(w, s->incarnation);
    mpw_uint(w, s->number);
    mpw_uint(w, s->hops);
    node_ids_write(w, s->visited, s->visited_count, QUERY_VISITED_MAX);
    mpw_bin(w, s->bytes, s->len);
    mpw_bin(w, s->signature, sizeof s->signature);
}

void spread_read(struct mpr *r, struct msg *m)
{
    struct msg_spread *s = &m->spread;
    size_t n;
    mpr_bin_of(r, s->pipe.b, TAG_BYTES);
    mpr_bin_of(r, s->origin.b, NODE_ID_BYTES);
    s->incarnation = mpr_uint(r, INT64_MAX);
    s->number = mpr_uint(r, INT64_MAX);
    s->hops = (uint8_t)mpr_uint(r, SPREAD_HOPS_MAX);
    s->visited_count = (uint8_t)node_ids_read(r, s->visited, QUERY_VISITED_MAX);
    s->bytes = mpr_bin(r, SPREAD_BYTES_MAX, &n);
    s->len = (uint16_t)n;
    mpr_bin_of(r, s->signature, sizeof s->signature);
}

void spread_ids_write(struct mpw *w, const struct msg *m)
{
    const struct msg_spread_ids *ids = &m->spread_ids;
    assert(ids->count <= SPREAD_IDS_MAX);
    mpw_array(w, ids->count);
    for (size_t i = 0; i < ids->count; i++)
        mpw_bin(w, ids->id[i].b, TAG_BYTES);
}

void spread_ids_read(struct mpr *r, struct msg *m)
{
    struct msg_spread_ids *ids = &m->spread_ids;
    ids->count = (uint8_t)mpr_array(r, SPREAD_IDS_MAX);
    for (size_t i = 0; i < ids->count; i++)
        mpr_bin_of(r, ids->id[i].b, TAG_BYTES);
    mpr_leave(r);
    must(r, ids->count > 0 || m->type == MSG_SPREAD_WANT);
}

void spread_prune_write(struct mpw *w, const struct msg *m)
{
    mpw_bool(w, m->spread_prune.ids);
}

void spread_prune_read(struct mpr *r, struct msg *m)
{
    m->spread_prune.ids = mpr_bool(r);
}
