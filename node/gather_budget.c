/* What may be built for a peer: a token bucket of bytes each (claims GATHER-7). See openings_internal.h.
 *
 * A message of a few bytes can make this node copy gigabytes, so what is built is charged before it begins. What a peer sends
 * in literals buys GATHER_BUDGET_PER_BYTE times as much, and time some more.
 *
 * Invariant: an account is dropped only when its peer has nothing open and the budget is whole, so that leaving and coming back
 * changes nothing; hence at most ACCOUNTS_MAX peers can have used theirs at once. */
#include "openings_internal.h"

#include <stdlib.h>

static void refill(struct core *core, struct bucket *b)
{
    uint64_t now = core_now(core);
    b->level += (double)(now - b->at) / (double)SECOND * b->rate;
    b->level = b->level < b->burst ? b->level : b->burst;
    b->at = now;
}

/* Drops those that say nothing any more. How many are left? */
static size_t sweep(struct openings *os)
{
    size_t n = 0;
    for (struct account **at = &os->accounts; *at;) {
        struct account *a = *at;
        refill(os->core, &a->budget);
        if (a->openings == 0 && a->budget.level >= a->budget.burst) {
            *at = a->next;
            free(a);
            continue;
        }
        at = &a->next;
        n++;
    }
    return n;
}

struct account *account_of(struct openings *os, const struct node_id *id)
{
    for (struct account *a = os->accounts; a; a = a->next)
        if (id_equal(&a->id, id))
            return a;
    struct account *a = sweep(os) < ACCOUNTS_MAX ? calloc(1, sizeof *a) : NULL;
    if (!a)
        return NULL;
    a->id = *id;
    bucket_init(&a->budget, (double)GATHER_BUDGET_PER_S, (double)GATHER_BUDGET, core_now(os->core));
    a->next = os->accounts;
    os->accounts = a;
    return a;
}

void account_limits(struct core *core, struct account *a, struct gather_limits *limits)
{
    refill(core, &a->budget);
    *limits = (struct gather_limits){
        .regions = GATHER_REGIONS_MAX, .bytes = GATHER_BYTES_MAX, .size = GATHER_SIZE_MAX, .budget = (uint64_t)a->budget.level};
}

bool account_spend(struct core *core, struct account *a, uint64_t bytes, uint32_t *wait_ms)
{
    struct bucket *b = &a->budget;
    refill(core, b);
    if (b->level >= (double)bytes) {
        b->level -= (double)bytes;
        return true;
    }
    *wait_ms = (uint32_t)(((double)bytes - b->level) / b->rate * 1000) + 1;
    return false;
}

void account_credit(struct core *core, struct account *a, uint64_t bytes)
{
    a->budget.level += (double)bytes * GATHER_BUDGET_PER_BYTE;
    refill(core, &a->budget);
}

void accounts_free(struct openings *os)
{
    while (os->accounts) {
        struct account *a = os->accounts;
        os->accounts = a->next;
        free(a);
    }
}
