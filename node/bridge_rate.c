/* The rate of an account: a token bucket that holds a tenth of a second's bytes. It gives nothing rather than very little. */
#include "bridge_internal.h"

#include <stdlib.h>

#define BURST_PART 10            /* of a second's bytes */
#define LEAST_TURN (16u * 1024u) /* worth waking up for */

static double burst(const struct account *a)
{
    double part = (double)a->rate / BURST_PART;
    return part > LEAST_TURN ? part : LEAST_TURN;
}

int account_take(struct bridges *bridges, struct span *span, uint64_t now)
{
    struct account *a;

    if (span->rate == 0)
        return 0;
    LIST_FOREACH(a, &bridges->accounts, link)
    if (a->id == span->b->account)
        break;
    if (a == NULL) {
        a = calloc(1, sizeof *a);
        if (a == NULL)
            return ERR_NOMEM;
        a->id = span->b->account;
        a->rate = span->rate;
        a->level = burst(a);
        a->at = now;
        TAILQ_INIT(&a->waiting);
        LIST_INSERT_HEAD(&bridges->accounts, a, link);
    }
    a->rate = span->rate;
    a->spans++;
    span->account = a;
    return 0;
}

void account_give(struct span *span)
{
    struct account *a = span->account;

    span->account = NULL;
    if (a == NULL || --a->spans > 0)
        return;
    LIST_REMOVE(a, link);
    free(a);
}

size_t account_allows(struct account *a, size_t wanted, uint64_t now)
{
    a->level += (double)a->rate * (double)(now - a->at) / (double)SECOND;
    if (a->level > burst(a))
        a->level = burst(a);
    a->at = now;
    if (a->level < LEAST_TURN && a->level < (double)wanted)
        return 0;
    return a->level < (double)wanted ? (size_t)a->level : wanted;
}

void account_charge(struct account *a, size_t bytes)
{
    a->level -= (double)bytes;
}

uint64_t account_due(const struct account *a)
{
    double missing = LEAST_TURN - a->level;
    return missing <= 0 ? a->at : a->at + (uint64_t)(missing * (double)SECOND / (double)a->rate) + 1;
}
