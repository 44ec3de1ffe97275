/* See handout.h.
 *
 * Invariants: (1) a channel stands here just while something of it is out; (2) its batches are in order of their numbers;
 * (3) `cost` is the sum over all batches of all channels. A batch counts until all of it is taken. */
#include "handout.h"

#include "err.h"

#include <stdlib.h>

struct handout_batch {
    struct handout_batch *next;
    uint64_t end; /* number of the first message behind it */
    uint64_t cost;
};

struct handout_channel {
    struct handout_channel *next;
    struct tag tag;
    struct handout_batch *first, *last;
};

static struct handout_channel **find(struct handout *h, const struct tag *tag)
{
    struct handout_channel **at = &h->channels;
    while (*at && !tag_equal(&(*at)->tag, tag))
        at = &(*at)->next;
    return at;
}

static void drop_first(struct handout *h, struct handout_channel *c)
{
    struct handout_batch *b = c->first;
    h->cost -= b->cost;
    c->first = b->next;
    free(b);
}

static void channel_free(struct handout *h, struct handout_channel **at)
{
    struct handout_channel *c = *at;
    *at = c->next;
    while (c->first)
        drop_first(h, c);
    free(c);
}

void handout_fini(struct handout *h)
{
    while (h->channels)
        channel_free(h, &h->channels);
}

static struct handout_channel *find_or_add(struct handout *h, const struct tag *tag)
{
    struct handout_channel *c = *find(h, tag);
    if (c || !(c = calloc(1, sizeof *c)))
        return c;
    c->tag = *tag;
    c->next = h->channels;
    h->channels = c;
    return c;
}

int handout_add(struct handout *h, const struct tag *channel, uint64_t next, uint64_t cost)
{
    struct handout_batch *b = malloc(sizeof *b);
    struct handout_channel *c = b ? find_or_add(h, channel) : NULL;
    if (!c) {
        free(b);
        return ERR_NOMEM;
    }
    *b = (struct handout_batch){.end = next, .cost = cost};
    if (c->first)
        c->last->next = b;
    else
        c->first = b;
    c->last = b;
    h->cost += cost;
    return 0;
}

int handout_taken(struct handout *h, const struct tag *channel, uint64_t next)
{
    struct handout_channel **at = find(h, channel), *c = *at;
    if (!c)
        return ERR_NOT_FOUND;
    if (next > c->last->end)
        return ERR_USAGE;
    while (c->first && c->first->end <= next)
        drop_first(h, c);
    if (!c->first)
        channel_free(h, at);
    return 0;
}

void handout_forget(struct handout *h, const struct tag *channel)
{
    struct handout_channel **at = find(h, channel);
    if (*at)
        channel_free(h, at);
}
