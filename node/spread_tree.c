/* Plumtree. See spread_tree.h.
 *
 * Invariants: (1) a message is pushed to at most SPREAD_BRANCHES neighbours, the ones we have chosen first; (2) what a
 * neighbour was not sent it is told of, at the latest HAVE_DELAY after; (3) the timer is set to the first thing that is to
 * happen, and idle when nothing is. */
#include "spread_tree.h"

#include "err.h"
#include "spread_branches.h"
#include "spread_store.h"

#include <stdlib.h>
#include <string.h>

#define HAVE_DELAY (20 * MILLISECOND)  /* ids are gathered that long */
#define WANT_DELAY (100 * MILLISECOND) /* after an id was announced: the message may be on its way in the tree */
#define STRAY_WAITS 9                  /* times that long, for a neighbour to have it too, before another is asked */
#define SHAPE_AGE (200 * MILLISECOND)  /* messages younger than that are under way at once; */
#define SHAPE_MAX 64                   /* at most that many are looked at */
#define PRUNE_AGAIN SECOND             /* PRUNE may have crossed what it was to prevent */
#define NEW_BRANCH_AGE (2 * SECOND)    /* who was no neighbour is told of messages up to this old */
#define HELD_MAX 4                     /* links that are kept for what they brought */

struct spread_tree {
    struct spread_host host;
    struct branches branches;
    struct spread_store store;
    struct timer timer;
    uint64_t have_at;     /* when ids are to be told, or TIMER_NEVER */
    struct node_id stray; /* the last peer that heard ids without being a neighbour */
};

static uint64_t now_of(const struct spread_tree *t)
{
    return t->host.port->now(t->host.port->self);
}

static void tell(struct spread_tree *t, const struct branch *b, enum spread_tell what, const struct tag *ids, size_t count)
{
    t->host.tell(t->host.arg, &b->id, what, ids, count);
}

static void arm(struct spread_tree *t)
{
    const struct spread_entry *oldest = TAILQ_FIRST(&t->store.here), *missing = TAILQ_FIRST(&t->store.missing);
    uint64_t at = t->have_at;
    if (oldest && oldest->at + SPREAD_KEEP < at)
        at = oldest->at + SPREAD_KEEP;
    if (missing && missing->at < at)
        at = missing->at;
    if (at == TIMER_NEVER)
        t->host.port->timer_cancel(t->host.port->self, &t->timer);
    else if (t->timer.slot == TIMER_IDLE || t->timer.at != at)
        t->host.port->timer_set(t->host.port->self, &t->timer, at);
}

/* ---- neighbours */

/* The number up to which a link that is new to us need not be told. */
static uint64_t told_to_new(const struct spread_tree *t)
{
    uint64_t now = now_of(t);
    const struct spread_entry *e = TAILQ_LAST(&t->store.here, spread_list);
    while (e && now - e->at < NEW_BRANCH_AGE)
        e = TAILQ_PREV(e, spread_list, list);
    if (e)
        return e->no;
    e = TAILQ_FIRST(&t->store.here);
    return e ? e->no - 1 : t->store.newest;
}

static void tell_later(struct spread_tree *t)
{
    if (t->have_at == TIMER_NEVER)
        t->have_at = now_of(t) + HAVE_DELAY;
    arm(t);
}

static void become_near(struct spread_tree *t, struct branch *b)
{
    b->in_tree = true;
    b->told = told_to_new(t);
    if (b->told < t->store.newest)
        tell_later(t);
}

static void choose(struct spread_tree *t, struct branch *b, bool chosen)
{
    bool was_near = branch_near(b);
    if (b->mine == chosen)
        return;
    b->mine = chosen;
    tell(t, b, chosen ? TELL_WANT : TELL_LEAVE, NULL, 0);
    if (chosen && !was_near)
        become_near(t, b);
}

static void choose_all(struct spread_tree *t)
{
    size_t place[SPREAD_BRANCHES], count = branches_choose(&t->branches, &t->host.self, place);
    for (size_t i = 0; i < t->branches.count; i++) {
        struct branch *b = &t->branches.branch[i];
        bool wanted = b->held;
        for (size_t p = 0; p < count; p++)
            wanted |= place[p] == i;
        choose(t, b, b->trusted && wanted);
    }
}

void spread_tree_link(struct spread_tree *t, const struct node_id *id, uint64_t life, bool trusted)
{
    struct branch *b = branch_find(&t->branches, id);
    if (b && b->life != life)
        branch_drop(&t->branches, id);
    else if (b && b->mine && trusted) /* over another link: the far end may have lost the earlier one */
        tell(t, b, TELL_WANT, NULL, 0);
    b = branch_add(&t->branches, id);
    if (!b)
        return;
    bool was_near = branch_near(b);
    b->life = life;
    b->trusted = trusted;
    b->held &= trusted;
    if (branch_near(b) && !was_near)
        become_near(t, b);
    choose_all(t);
}

void spread_tree_unlink(struct spread_tree *t, const struct node_id *id)
{
    branch_drop(&t->branches, id);
    choose_all(t);
}

size_t spread_tree_linked(const struct spread_tree *t)
{
    return branches_trusted(&t->branches);
}

/* It has what no neighbour has: it is one from now on. */
static void hold(struct spread_tree *t, struct branch *b)
{
    struct branch *oldest = NULL;
    size_t held = 0;
    for (size_t i = 0; i < t->branches.count; i++) {
        struct branch *other = &t->branches.branch[i];
        held += other->held;
        if (other->held && (!oldest || other->held_at < oldest->held_at))
            oldest = other;
    }
    b->held = true;
    b->held_at = now_of(t);
    if (oldest && held >= HELD_MAX)
        oldest->held = false;
    choose_all(t);
}

/* ---- messages */

/* Is it the message that shapes the tree? Of several under way at once each comes another way, and were what is double for any
 * of them pruned, the tree would fall apart; so it is the one with the lowest id among the newest. */
static bool shapes(const struct spread_entry *e, const struct spread_tree *t, uint64_t now)
{
    const struct spread_entry *other = TAILQ_LAST(&t->store.here, spread_list);
    for (size_t i = 0; other && i < SHAPE_MAX && now - other->at < SHAPE_AGE; i++) {
        if (memcmp(&other->id, &e->id, sizeof e->id) < 0)
            return false;
        other = TAILQ_PREV(other, spread_list, list);
    }
    return true;
}

/* A message that is here has come by `b` too: is that link to leave the tree? Only while the one it came by first is in it. */
static bool may_prune(const struct spread_tree *t, const struct spread_entry *e, const struct branch *b, uint64_t now)
{
    const struct branch *first = branch_find(&t->branches, &e->from);
    bool ours = id_equal(&e->from, &t->host.self);
    if (first == b || (!ours && (!first || !first->in_tree)))
        return false;
    return (b->in_tree || now - b->pruned_at >= PRUNE_AGAIN) && shapes(e, t, now);
}

bool spread_tree_again(struct spread_tree *t, const struct node_id *from, const struct tag *id)
{
    const struct spread_entry *e = spread_find(&t->store, id);
    struct branch *b = branch_find(&t->branches, from);
    uint64_t now = now_of(t);
    if (!e || !e->here)
        return false;
    if (b && may_prune(t, e, b, now)) {
        b->in_tree = false;
        b->pruned_at = now;
        tell(t, b, TELL_PRUNE, NULL, 0);
    }
    return true;
}

static bool was_at(const struct spread_take *m, const struct node_id *id)
{
    for (size_t i = 0; i < m->visited_count; i++)
        if (id_equal(&m->visited[i], id))
            return true;
    return false;
}

/* To the neighbours in the tree that we have chosen, or that only they have. How many more may get it. */
static size_t push(struct spread_tree *t, const struct spread_take *m, const struct spread_entry *e, bool mine, size_t left)
{
    for (size_t i = 0; i < t->branches.count && left > 0; i++) {
        struct branch *b = &t->branches.branch[i];
        if (!branch_near(b) || !b->in_tree || b->mine != mine || id_equal(&b->id, &e->from) || was_at(m, &b->id))
            continue;
        if (t->host.push(t->host.arg, &b->id, e->bytes, e->n) != 0)
            continue; /* it is told of it */
        left--;
        if (b->told == e->no - 1)
            b->told = e->no;
    }
    return left;
}

/* It is not missing any more. */
static void settle(struct spread_tree *t, const struct tag *id)
{
    struct spread_entry *e = spread_find(&t->store, id);
    struct branch *b = e ? branch_find(&t->branches, &e->announcer[0]) : NULL;
    if (b && b->owes > 0)
        b->owes--;
}

int spread_tree_take(struct spread_tree *t, const struct spread_take *m)
{
    struct spread_entry *e;
    struct branch *from = m->from ? branch_find(&t->branches, m->from) : NULL;
    settle(t, &m->id);
    int err = spread_arrive(&t->store, &m->id, m->from ? m->from : &t->host.self, m->bytes, m->n, now_of(t), &e);
    if (err)
        return err;
    if (from)
        from->in_tree = true;
    if (e->bytes)
        push(t, m, e, false, push(t, m, e, true, SPREAD_BRANCHES));
    tell_later(t);
    return 0;
}

/* ---- ids */

/* Tells the ids of the newest messages after number `after`. */
static void tell_ids(struct spread_tree *t, const struct branch *b, uint64_t after)
{
    struct tag ids[SPREAD_IDS_MAX];
    size_t count = 0;
    const struct spread_entry *e = TAILQ_LAST(&t->store.here, spread_list);
    for (; e && e->no > after && count < SPREAD_IDS_MAX; e = TAILQ_PREV(e, spread_list, list))
        if (e->bytes && !id_equal(&e->from, &b->id))
            ids[SPREAD_IDS_MAX - ++count] = e->id; /* oldest first */
    if (count > 0)
        tell(t, b, TELL_HAVE, ids + SPREAD_IDS_MAX - count, count);
}

static void tell_all(struct spread_tree *t)
{
    struct branch *stray = branch_stray(&t->branches, &t->stray);
    for (size_t i = 0; i < t->branches.count; i++) {
        struct branch *b = &t->branches.branch[i];
        if (branch_near(b) && b->told < t->store.newest) {
            tell_ids(t, b, b->told);
            b->told = t->store.newest;
        }
    }
    if (stray) {
        t->stray = stray->id;
        tell_ids(t, stray, told_to_new(t));
    }
}

static void have(struct spread_tree *t, struct branch *b, const struct tag *id)
{
    struct spread_entry *e = spread_find(&t->store, id);
    if (!e && b->owes < SPREAD_MISSING_PER_LINK) {
        e = spread_miss(&t->store, id, now_of(t) + WANT_DELAY);
        b->owes += e != NULL;
    }
    if (!e || e->here || e->announced == SPREAD_ANNOUNCERS)
        return;
    for (size_t i = 0; i < e->announced; i++)
        if (id_equal(&e->announcer[i], &b->id))
            return;
    e->announcer[e->announced++] = b->id;
}

void spread_tree_on_have(struct spread_tree *t, const struct node_id *from, const struct tag *ids, size_t count)
{
    struct branch *b = branch_find(&t->branches, from);
    if (!b || !b->trusted)
        return;
    for (size_t i = 0; i < count; i++)
        have(t, b, &ids[i]);
    arm(t);
}

/* The next one to be asked for a missing message, a neighbour if there is one: its place among the announcers, or -1. */
static int to_ask(const struct spread_tree *t, const struct spread_entry *e, struct branch **out)
{
    int found = -1;
    for (int i = 0; i < e->announced; i++) {
        struct branch *b = e->asked & 1u << i ? NULL : branch_find(&t->branches, &e->announcer[i]);
        if (!b || !b->trusted || (found >= 0 && !branch_near(b)))
            continue;
        found = i;
        *out = b;
        if (branch_near(b))
            break;
    }
    return found;
}

/* Asks one neighbour for the first message that is due, and for all others that are due from it; or gives the first one up. */
static void ask_first(struct spread_tree *t, uint64_t now)
{
    struct tag ids[SPREAD_IDS_MAX];
    size_t count = 0;
    struct spread_entry *e = TAILQ_FIRST(&t->store.missing), *next;
    struct branch *b, *of_this;
    if (to_ask(t, e, &b) < 0) {
        settle(t, &e->id);
        spread_forget(&t->store, e);
        return;
    }
    if (!branch_near(b) && e->waited++ < STRAY_WAITS) {
        spread_miss_again(&t->store, e, now + WANT_DELAY);
        return;
    }
    for (; e && e->at <= now && count < SPREAD_IDS_MAX; e = next) {
        next = TAILQ_NEXT(e, list);
        int i = to_ask(t, e, &of_this);
        if (i < 0 || of_this != b)
            continue;
        ids[count++] = e->id;
        e->asked |= (uint8_t)(1u << i);
        spread_miss_again(&t->store, e, now + WANT_DELAY);
    }
    if (!branch_near(b))
        hold(t, b);
    b->in_tree = true;
    tell(t, b, TELL_WANT, ids, count);
}

void spread_tree_on_want(struct spread_tree *t, const struct node_id *from, const struct tag *ids, size_t count)
{
    struct branch *b = branch_find(&t->branches, from);
    if (!b)
        return;
    bool was_near = branch_near(b);
    b->yours |= count == 0;
    b->in_tree = true;
    if (branch_near(b) && !was_near)
        become_near(t, b);
    for (size_t i = 0; b->trusted && i < count; i++) {
        const struct spread_entry *e = spread_find(&t->store, &ids[i]);
        if (e && e->bytes)
            t->host.push(t->host.arg, from, e->bytes, e->n);
    }
}

void spread_tree_on_prune(struct spread_tree *t, const struct node_id *from, bool ids)
{
    struct branch *b = branch_find(&t->branches, from);
    if (!b)
        return;
    b->in_tree = false;
    b->yours &= ids;
}

/* ---- life */

static void fire(void *arg)
{
    struct spread_tree *t = arg;
    const struct spread_entry *missing;
    uint64_t now = now_of(t);
    spread_expire(&t->store, now);
    if (t->have_at <= now) {
        t->have_at = TIMER_NEVER;
        tell_all(t);
    }
    while ((missing = TAILQ_FIRST(&t->store.missing)) && missing->at <= now)
        ask_first(t, now);
    arm(t);
}

int spread_tree_new(const struct spread_host *host, struct spread_tree **out)
{
    struct spread_tree *t = calloc(1, sizeof *t);
    if (!t)
        return ERR_NOMEM;
    t->host = *host;
    t->have_at = TIMER_NEVER;
    timer_init(&t->timer, fire, t);
    spread_store_init(&t->store);
    *out = t;
    return 0;
}

void spread_tree_free(struct spread_tree *t)
{
    if (!t)
        return;
    t->host.port->timer_cancel(t->host.port->self, &t->timer);
    spread_store_fini(&t->store);
    branches_fini(&t->branches);
    free(t);
}

void spread_tree_status(const struct spread_tree *t, struct spread_tree_status *out)
{
    *out = (struct spread_tree_status){
        .here = t->store.here_count, .missing = t->store.missing_count, .kept_bytes = t->store.kept_bytes};
    for (size_t i = 0; i < t->branches.count; i++) {
        out->neighbours += branch_near(&t->branches.branch[i]);
        out->in_tree += branch_near(&t->branches.branch[i]) && t->branches.branch[i].in_tree;
    }
}
