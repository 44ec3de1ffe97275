/* See spread_store.h. */
#include "spread_store.h"

#include "err.h"
#include "limits.h"

#include <stdlib.h>
#include <string.h>

void spread_store_init(struct spread_store *s)
{
    memset(s, 0, sizeof *s);
    TAILQ_INIT(&s->here);
    TAILQ_INIT(&s->missing);
}

static void forget_all(struct spread_store *s, const struct spread_list *list)
{
    struct spread_entry *e = TAILQ_FIRST(list), *next;
    for (; e; e = next) {
        next = TAILQ_NEXT(e, list);
        spread_forget(s, e);
    }
}

void spread_store_fini(struct spread_store *s)
{
    forget_all(s, &s->here);
    forget_all(s, &s->missing);
}

/* ---- by id */

/* Ids are hashes, or made up by a peer who gains no more by it than a long chain. */
static size_t bucket_of(const struct tag *id)
{
    return (size_t)(id->b[0] << 8 | id->b[1]) % SPREAD_BUCKETS;
}

struct spread_entry *spread_find(const struct spread_store *s, const struct tag *id)
{
    struct spread_entry *e = s->bucket[bucket_of(id)];
    while (e && !tag_equal(&e->id, id))
        e = e->chain;
    return e;
}

static struct spread_entry *entry_new(struct spread_store *s, const struct tag *id)
{
    struct spread_entry *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->id = *id;
    e->chain = s->bucket[bucket_of(id)];
    s->bucket[bucket_of(id)] = e;
    return e;
}

static void drop_bytes(struct spread_store *s, struct spread_entry *e)
{
    if (s->first_with_bytes == e)
        s->first_with_bytes = TAILQ_NEXT(e, list);
    s->kept_bytes -= e->n;
    free(e->bytes);
    e->bytes = NULL;
    e->n = 0;
}

/* Out of its list; it stays findable. */
static void take_out(struct spread_store *s, struct spread_entry *e)
{
    if (e->here) {
        drop_bytes(s, e);
        TAILQ_REMOVE(&s->here, e, list);
        s->here_count--;
    } else {
        TAILQ_REMOVE(&s->missing, e, list);
        s->missing_count--;
    }
}

void spread_forget(struct spread_store *s, struct spread_entry *e)
{
    struct spread_entry **at = &s->bucket[bucket_of(&e->id)];
    while (*at != e)
        at = &(*at)->chain;
    *at = e->chain;
    take_out(s, e);
    free(e);
}

/* ---- here */

static void make_room(struct spread_store *s)
{
    while (s->here_count > SPREAD_SEEN_MAX)
        spread_forget(s, TAILQ_FIRST(&s->here));
    while (s->kept_bytes > SPREAD_KEPT_BYTES)
        drop_bytes(s, s->first_with_bytes);
}

int spread_arrive(struct spread_store *s, const struct tag *id, const struct node_id *from, const void *bytes, size_t n,
                  uint64_t now, struct spread_entry **out)
{
    uint8_t *copy = bytes ? malloc(n) : NULL;
    struct spread_entry *e = spread_find(s, id);
    if (bytes && !copy)
        return ERR_NOMEM;
    if (e)
        take_out(s, e);
    else if (!(e = entry_new(s, id))) {
        free(copy);
        return ERR_NOMEM;
    }
    e->here = true;
    e->at = now;
    e->no = ++s->newest;
    e->from = *from;
    e->bytes = copy;
    e->n = copy ? n : 0;
    if (copy)
        memcpy(copy, bytes, n);
    TAILQ_INSERT_TAIL(&s->here, e, list);
    s->first_with_bytes = s->first_with_bytes ? s->first_with_bytes : e;
    s->here_count++;
    s->kept_bytes += e->n;
    make_room(s);
    *out = e;
    return 0;
}

void spread_expire(struct spread_store *s, uint64_t now)
{
    struct spread_entry *e = TAILQ_FIRST(&s->here), *next;
    for (; e && now - e->at >= SPREAD_KEEP; e = next) {
        next = TAILQ_NEXT(e, list);
        spread_forget(s, e);
    }
}

/* ---- missing */

struct spread_entry *spread_miss(struct spread_store *s, const struct tag *id, uint64_t due)
{
    struct spread_entry *e = s->missing_count < SPREAD_MISSING_MAX ? entry_new(s, id) : NULL;
    if (!e)
        return NULL;
    e->at = due;
    TAILQ_INSERT_TAIL(&s->missing, e, list);
    s->missing_count++;
    return e;
}

void spread_miss_again(struct spread_store *s, struct spread_entry *e, uint64_t due)
{
    e->at = due;
    TAILQ_REMOVE(&s->missing, e, list);
    TAILQ_INSERT_TAIL(&s->missing, e, list);
}
