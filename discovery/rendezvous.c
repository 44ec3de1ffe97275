/* The index of a rendezvous. See rendezvous.h.
 *
 * Pipes are found by a hash of their id in buckets, which double when they are as many as the buckets; leases by binary
 * search. Nothing is ever done in the order of buckets. */
#include "rendezvous.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_FIRST 64
#define LEASES_VIA_MAX (LEASES_MAX / 4)

struct rendezvous {
    uint8_t key[RENDEZVOUS_KEY_BYTES];
    struct registered **bucket;
    size_t buckets, pipes;
    struct lease **lease;
    size_t leases, cap;
};

_Static_assert(RENDEZVOUS_KEY_BYTES == crypto_shorthash_KEYBYTES, "the key of the hash");

int rendezvous_new(const uint8_t key[RENDEZVOUS_KEY_BYTES], struct rendezvous **out)
{
    struct rendezvous *r = calloc(1, sizeof *r);
    struct registered **bucket = calloc(BUCKETS_FIRST, sizeof(struct registered *));
    if (!r || !bucket) {
        free(r);
        free(bucket);
        return ERR_NOMEM;
    }
    memcpy(r->key, key, sizeof r->key);
    r->bucket = bucket;
    r->buckets = BUCKETS_FIRST;
    *out = r;
    return 0;
}

void rendezvous_free(struct rendezvous *r)
{
    if (!r)
        return;
    while (r->leases > 0)
        rendezvous_end(r, r->lease[r->leases - 1]);
    free(r->lease);
    free(r->bucket);
    free(r);
}

/* ---- pipes */

static size_t bucket_of(const struct rendezvous *r, const struct tag *pipe)
{
    uint64_t hash;
    crypto_shorthash((uint8_t *)&hash, pipe->b, TAG_BYTES, r->key);
    return (size_t)hash & (r->buckets - 1);
}

const struct registered *rendezvous_first(const struct rendezvous *r, const struct tag *pipe)
{
    const struct registered *p = r->bucket[bucket_of(r, pipe)];
    while (p && !tag_equal(&p->pipe.pipe, pipe))
        p = p->same_bucket;
    return p;
}

const struct registered *rendezvous_next(const struct registered *p)
{
    const struct tag *pipe = &p->pipe.pipe;
    do
        p = p->same_bucket;
    while (p && !tag_equal(&p->pipe.pipe, pipe));
    return p;
}

static struct registered *find(const struct rendezvous *r, const struct lease *lease, const struct tag *pipe)
{
    struct registered *p = r->bucket[bucket_of(r, pipe)];
    while (p && !(p->lease == lease && tag_equal(&p->pipe.pipe, pipe)))
        p = p->same_bucket;
    return p;
}

/* When memory is short the chains grow longer instead. */
static void grow(struct rendezvous *r)
{
    struct registered **old = r->bucket;
    size_t count = r->buckets;
    struct registered **bucket = calloc(count * 2, sizeof(struct registered *));
    if (!bucket)
        return;
    r->bucket = bucket;
    r->buckets = count * 2;
    for (size_t i = 0; i < count; i++)
        while (old[i]) {
            struct registered *p = old[i];
            old[i] = p->same_bucket;
            struct registered **at = &r->bucket[bucket_of(r, &p->pipe.pipe)];
            p->same_bucket = *at;
            *at = p;
        }
    free(old);
}

static bool same(const struct registered_pipe *a, const struct registered_pipe *b)
{
    return tag_equal(&a->pipe, &b->pipe) && a->type == b->type && a->transport == b->transport && a->rank == b->rank;
}

static int add(struct rendezvous *r, struct lease *lease, const struct registered_pipe *pipe)
{
    struct registered *old = find(r, lease, &pipe->pipe);
    if (old) {
        if (!same(&old->pipe, pipe))
            old->passed_on = lease->passed_on = false;
        old->pipe = *pipe;
        return 0;
    }
    if (lease->count >= LOCAL_PIPES_MAX || r->pipes >= (lease->trusted ? REGISTERED_MAX : REGISTERED_MAX / 2))
        return ERR_FULL;
    if (r->pipes >= r->buckets)
        grow(r);
    struct registered **bucket = &r->bucket[bucket_of(r, &pipe->pipe)], *p = malloc(sizeof *p);
    if (!p)
        return ERR_NOMEM;
    *p = (struct registered){.same_bucket = *bucket, .next = lease->pipes, .lease = lease, .pipe = *pipe};
    lease->passed_on = false;
    lease->count++;
    r->pipes++;
    *bucket = lease->pipes = p;
    return 0;
}

/* Takes out the pipe that *of_lease, a link of the lease's list, points at. */
static void take_out(struct rendezvous *r, struct registered **of_lease)
{
    struct registered *p = *of_lease, **at = &r->bucket[bucket_of(r, &p->pipe.pipe)];
    while (*at != p)
        at = &(*at)->same_bucket;
    *at = p->same_bucket;
    *of_lease = p->next;
    p->lease->count--;
    r->pipes--;
    free(p);
}

/* ---- leases */

static int compare(const struct lease *lease, const struct node_id *holder, const struct node_id *via)
{
    int order = id_compare(&lease->holder, holder);
    return order ? order : id_compare(&lease->via, via);
}

static size_t place_of(const struct rendezvous *r, const struct node_id *holder, const struct node_id *via)
{
    size_t low = 0, high = r->leases;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (compare(r->lease[mid], holder, via) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct lease *rendezvous_lease_of(struct rendezvous *r, const struct node_id *holder, const struct node_id *via)
{
    size_t at = place_of(r, holder, via);
    return at < r->leases && compare(r->lease[at], holder, via) == 0 ? r->lease[at] : NULL;
}

struct lease *rendezvous_lease(const struct rendezvous *r, size_t i)
{
    return r->lease[i];
}

void rendezvous_end(struct rendezvous *r, struct lease *lease)
{
    size_t at = place_of(r, &lease->holder, &lease->via);
    while (lease->pipes)
        take_out(r, &lease->pipes);
    memmove(&r->lease[at], &r->lease[at + 1], (r->leases - at - 1) * sizeof(struct lease *));
    r->leases--;
    free(lease);
}

void rendezvous_withdraw(struct rendezvous *r, struct lease *lease, const struct registered_pipe *pipe, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct registered *p = find(r, lease, &pipe[i].pipe), **at = &lease->pipes;
        if (!p)
            continue;
        while (*at != p)
            at = &(*at)->next;
        take_out(r, at);
    }
    if (lease->count == 0)
        rendezvous_end(r, lease);
}

void rendezvous_outlive(struct rendezvous *r, const struct node_id *holder, uint64_t incarnation)
{
    static const struct node_id lowest;
    size_t at = place_of(r, holder, &lowest);
    while (at < r->leases && id_equal(&r->lease[at]->holder, holder))
        if (r->lease[at]->incarnation < incarnation)
            rendezvous_end(r, r->lease[at]);
        else
            at++;
}

void rendezvous_expire(struct rendezvous *r, uint64_t now)
{
    for (size_t i = r->leases; i-- > 0;)
        if (r->lease[i]->expires <= now)
            rendezvous_end(r, r->lease[i]);
}

/* The lease that has to go for a trusted holder's: of those that are not trusted, the one that ends first. */
static bool make_room(struct rendezvous *r)
{
    struct lease *first = NULL;
    for (size_t i = 0; i < r->leases; i++)
        if (!r->lease[i]->trusted && (!first || r->lease[i]->expires < first->expires))
            first = r->lease[i];
    if (first)
        rendezvous_end(r, first);
    return first != NULL;
}

static bool via_has_room(const struct rendezvous *r, const struct registration *reg)
{
    size_t passed_on = 0;
    if (id_equal(&reg->via, &reg->holder))
        return true;
    for (size_t i = 0; i < r->leases; i++)
        passed_on += id_equal(&r->lease[i]->via, &reg->via) && !id_equal(&r->lease[i]->holder, &reg->via);
    return passed_on < LEASES_VIA_MAX;
}

static int lease_new(struct rendezvous *r, const struct registration *reg, struct lease **out)
{
    if (r->leases >= LEASES_MAX)
        rendezvous_expire(r, reg->now);
    if (!via_has_room(r, reg) || (r->leases >= LEASES_MAX && !(reg->trusted && make_room(r))))
        return ERR_FULL;
    if (r->leases == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 16;
        struct lease **more = realloc(r->lease, cap * sizeof *more);
        if (!more)
            return ERR_NOMEM;
        r->lease = more;
        r->cap = cap;
    }
    size_t at = place_of(r, &reg->holder, &reg->via);
    struct lease *lease = calloc(1, sizeof *lease);
    if (!lease)
        return ERR_NOMEM;
    lease->holder = reg->holder;
    lease->via = reg->via;
    memmove(&r->lease[at + 1], &r->lease[at], (r->leases - at) * sizeof lease);
    *out = r->lease[at] = lease;
    r->leases++;
    return 0;
}

int rendezvous_register(struct rendezvous *r, const struct registration *reg, uint32_t *kept)
{
    *kept = 0;
    rendezvous_outlive(r, &reg->holder, reg->incarnation);
    struct lease *lease = rendezvous_lease_of(r, &reg->holder, &reg->via);
    if (lease && lease->incarnation > reg->incarnation)
        return ERR_STATE;
    if (!lease && reg->count == 0)
        return 0; /* nothing to renew: `kept` says so */
    int err = lease ? 0 : lease_new(r, reg, &lease);
    if (err)
        return err;
    lease->incarnation = reg->incarnation;
    lease->expires = reg->expires;
    lease->trusted = reg->trusted;
    for (size_t i = 0; i < reg->count && err != ERR_NOMEM; i++)
        err = add(r, lease, &reg->pipe[i]);
    *kept = lease->count;
    if (lease->count == 0)
        rendezvous_end(r, lease);
    return err == ERR_NOMEM ? err : 0;
}

/* ---- figures */

void rendezvous_counts(const struct rendezvous *r, struct rendezvous_counts *out)
{
    *out = (struct rendezvous_counts){.leases = r->leases, .pipes = r->pipes};
    out->bytes = sizeof *r + r->buckets * sizeof *r->bucket + r->pipes * sizeof(struct registered) + r->cap * sizeof *r->lease +
                 r->leases * sizeof(struct lease);
}

bool xor_nearer(const uint8_t *target, const struct node_id *a, const struct node_id *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (a->b[i] != b->b[i])
            return (a->b[i] ^ target[i]) < (b->b[i] ^ target[i]);
    return false;
}
