/* The cache of pipe answers. See pipe_cache.h. */
#include "pipe_cache.h"

#include <stdlib.h>
#include <string.h>

void pipe_cache_init(struct pipe_cache *cache)
{
    memset(cache, 0, sizeof *cache);
}

void pipe_cache_fini(struct pipe_cache *cache)
{
    for (size_t i = 0; i < cache->count; i++)
        free(cache->entry[i]);
    free(cache->entry);
    memset(cache, 0, sizeof *cache);
}

/* The first entry of a pipe, or where it would stand. */
static size_t place_of(const struct pipe_cache *cache, const struct tag *pipe)
{
    size_t low = 0, high = cache->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (memcmp(cache->entry[mid]->pipe.b, pipe->b, TAG_BYTES) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static size_t holders_at(const struct pipe_cache *cache, size_t at, const struct tag *pipe)
{
    size_t n = 0;
    while (at + n < cache->count && tag_equal(&cache->entry[at + n]->pipe, pipe))
        n++;
    return n;
}

struct pipe_entry *const *pipe_cache_of(const struct pipe_cache *cache, const struct tag *pipe, size_t *count)
{
    size_t at = place_of(cache, pipe);
    *count = holders_at(cache, at, pipe);
    return *count > 0 ? &cache->entry[at] : NULL;
}

static void drop_at(struct pipe_cache *cache, size_t at)
{
    free(cache->entry[at]);
    memmove(&cache->entry[at], &cache->entry[at + 1], (cache->count - at - 1) * sizeof(struct pipe_entry *));
    cache->count--;
}

void pipe_cache_drop(struct pipe_cache *cache, const struct tag *pipe, const struct node_id *holder)
{
    size_t at = place_of(cache, pipe);
    while (at < cache->count && tag_equal(&cache->entry[at]->pipe, pipe))
        if (!holder || id_equal(&cache->entry[at]->holder.id, holder))
            drop_at(cache, at);
        else
            at++;
}

/* Drops the one of `count` entries that expires first. */
static void drop_first_to_expire(struct pipe_cache *cache, size_t at, size_t count)
{
    size_t first = at;
    for (size_t i = at; i < at + count; i++)
        if (cache->entry[i]->expires < cache->entry[first]->expires)
            first = i;
    drop_at(cache, first);
}

static int make_room(struct pipe_cache *cache, const struct tag *pipe)
{
    size_t at = place_of(cache, pipe), holders = holders_at(cache, at, pipe);
    if (holders >= PIPE_HOLDERS_MAX)
        drop_first_to_expire(cache, at, holders);
    else if (cache->count >= PIPE_CACHE_MAX)
        drop_first_to_expire(cache, 0, cache->count);
    if (cache->count < cache->cap)
        return 0;
    size_t cap = cache->cap ? cache->cap * 2 : 16;
    struct pipe_entry **more = realloc(cache->entry, cap * sizeof *more);
    if (!more)
        return ERR_NOMEM;
    cache->entry = more;
    cache->cap = cap;
    return 0;
}

/* The order within a pipe. */
static int compare(const struct pipe_entry *a, const struct pipe_entry *b)
{
    if (a->transport != b->transport)
        return a->transport < b->transport ? -1 : 1;
    return id_compare(&a->holder.id, &b->holder.id);
}

/* The entry's place among those of its pipe. */
static size_t place_in_pipe(const struct pipe_cache *cache, const struct pipe_entry *entry)
{
    size_t at = place_of(cache, &entry->pipe);
    while (at < cache->count && tag_equal(&cache->entry[at]->pipe, &entry->pipe) && compare(cache->entry[at], entry) < 0)
        at++;
    return at;
}

int pipe_cache_put(struct pipe_cache *cache, const struct pipe_entry *entry)
{
    size_t at = place_in_pipe(cache, entry);
    struct pipe_entry *old = at < cache->count ? cache->entry[at] : NULL;
    if (old && tag_equal(&old->pipe, &entry->pipe) && compare(old, entry) == 0) {
        if (record_compare(&entry->holder, &old->holder) < 0)
            return ERR_STATE;
        *old = *entry;
        return 0;
    }
    if (make_room(cache, &entry->pipe) != 0)
        return ERR_NOMEM;
    at = place_in_pipe(cache, entry);
    struct pipe_entry *copy = malloc(sizeof *copy);
    if (!copy)
        return ERR_NOMEM;
    *copy = *entry;
    memmove(&cache->entry[at + 1], &cache->entry[at], (cache->count - at) * sizeof copy);
    cache->entry[at] = copy;
    cache->count++;
    return 0;
}
