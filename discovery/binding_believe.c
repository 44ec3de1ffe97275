/* The pipe binding protocol: what of an answer is believed. See binding.h.
 *
 * Invariant: nothing comes into the cache from a message but by binding_believe, which has checked it against the holder's
 * signature. What costs nothing is looked at first. */
#include "binding_internal.h"

#include <string.h>

static bool endpoint_in(const struct endpoint *e, const struct record *record)
{
    for (size_t i = 0; i < record->endpoint_count; i++)
        if (record->endpoint[i].scope == e->scope && strcmp(record->endpoint[i].text, e->text) == 0)
            return true;
    return false;
}

/* A way to the holder that begins at the holder. */
static bool leads_nowhere(const struct endpoint *e, const struct node_id *holder)
{
    struct node_id relay;
    return e->transport == TRANSPORT_RELAY && endpoint_relay(e->text, &relay) == 0 && id_equal(&relay, holder);
}

/* Are these endpoints of the holder's record, and such that speak the transport? */
static bool endpoints_true(const struct pipe_holder *h, const struct record *record, enum transport transport)
{
    for (size_t i = 0; i < h->endpoint_count; i++) {
        const struct endpoint *e = &h->endpoint[i];
        if (!endpoint_in(e, record) || (transport != TRANSPORT_ANY && e->transport != transport) ||
            leads_nowhere(e, &record->id))
            return false;
    }
    return h->endpoint_count > 0;
}

/* Would we, or the one who asks us, want this holder? */
static enum verdict wanted(struct binding *b, const struct binding_want *want, bool for_us, const struct node_id *id)
{
    if (want->owned && !id_equal(id, &want->owner))
        return VERDICT_LIE;
    if (id_equal(id, &b->host.self)) { /* what is bound here we know ourselves; but it may have been until a moment ago */
        b->counts.answers_refused++;
        return VERDICT_NO;
    }
    return want->owned || !for_us || b->host.trusted(b->host.arg, id) ? VERDICT_YES : VERDICT_NO;
}

/* How long it may be kept: a record that has run out vouches for nothing. */
static uint64_t life_of(const struct pipe_holder *h, const struct record *record)
{
    return (h->life_s < record->life_s ? h->life_s : record->life_s) * SECOND;
}

static enum verdict believe_holder(struct binding *b, const struct binding_want *want, bool for_us, const struct pipe_holder *h,
                                   struct pipe_entry *entry)
{
    memset(entry, 0, sizeof *entry);
    if (record_decode(&h->record, &entry->holder) != 0 || entry->holder.incarnation != h->incarnation)
        return VERDICT_LIE;
    enum verdict verdict = wanted(b, want, for_us, &entry->holder.id);
    if (verdict != VERDICT_YES)
        return verdict;
    if (!endpoints_true(h, &entry->holder, want->transport) ||
        b->host.take_record(b->host.arg, &h->record, &entry->holder) != 0)
        return VERDICT_LIE;
    entry->pipe = want->pipe;
    entry->type = want->type;
    entry->transport = want->transport;
    entry->rank = h->rank;
    entry->signed_holder = h->record;
    entry->count = h->endpoint_count;
    memcpy(entry->endpoint, h->endpoint, h->endpoint_count * sizeof *h->endpoint);
    entry->heard_at = binding_now(b);
    entry->expires = entry->heard_at + life_of(h, &entry->holder);
    return VERDICT_YES;
}

static bool note_answer(struct asked *asked, const struct node_id *from)
{
    for (size_t i = 0; i < asked->count; i++)
        if (id_equal(&asked->peer[i], from) && !asked->answered[i]) {
            asked->answers++;
            return asked->answered[i] = true;
        }
    return false;
}

/* The best that can be said of its holders; each that is believed is kept. */
static enum verdict believe_any(struct binding *b, const struct question *q, bool for_us, const struct node_id *from,
                                const struct msg_answer *a)
{
    enum verdict best = VERDICT_LIE;
    for (size_t i = 0; i < a->holder_count; i++) {
        struct pipe_entry entry;
        enum verdict verdict = believe_holder(b, &q->want, for_us, &a->holder[i], &entry);
        entry.told_by = *from;
        int err = verdict == VERDICT_YES ? pipe_cache_put(&b->cache, &entry) : 0;
        if (err) /* no memory, or its record is older than one that we have */
            verdict = err == ERR_STATE ? VERDICT_LIE : VERDICT_NO;
        if (verdict > best)
            best = verdict;
    }
    return best;
}

enum verdict binding_believe(struct binding *b, struct question *q, bool for_us, const struct node_id *from,
                             const struct msg_answer *a)
{
    if (!tag_equal(&q->want.pipe, &a->pipe) || !note_answer(&q->asked, from)) {
        b->counts.answers_refused++;
        return VERDICT_IGNORED;
    }
    if (a->holder_count == 0) {
        pipe_cache_drop(&b->cache, &a->pipe, from); /* it has not got the pipe bound itself, whatever others may have */
        return VERDICT_NO;
    }
    enum verdict verdict = a->type == q->want.type ? believe_any(b, q, for_us, from, a) : VERDICT_LIE;
    b->counts.answers_refused += verdict == VERDICT_LIE;
    q->found = q->found || verdict == VERDICT_YES;
    return verdict;
}
