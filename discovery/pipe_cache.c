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

static struct pipe_entry *entry_at(const struct pipe_cache *cache, size_t at, const struct tag *pipe)
{
    return at < cache->count && tag_equal(&cache->entry[at]->pipe, pipe) ? cache->entry[at] : NULL;
}

const struct pipe_entry *pipe_cache_find(const struct pipe_cache *cache, const struct tag *pipe, uint64_t now)
{
    struct pipe_entry *entry = entry_at(cache, place_of(cache, pipe), pipe);
    return entry && entry->expires > now ? entry : NULL;
}

static void drop_at(struct pipe_cache *cache, size_t at)
{
    free(cache->entry[at]);
    memmove(&cache->entry[at], &cache->entry[at + 1], (cache->count - at - 1) * sizeof(struct pipe_entry *));
    cache->count--;
}

void pipe_cache_drop(struct pipe_cache *cache, const struct tag *pipe)
{
    size_t at = place_of(cache, pipe);
    if (entry_at(cache, at, pipe))
        drop_at(cache, at);
}

static int make_room(struct pipe_cache *cache)
{
    if (cache->count >= PIPE_CACHE_MAX) {
        size_t first = 0;
        for (size_t i = 1; i < cache->count; i++)
            if (cache->entry[i]->expires < cache->entry[first]->expires)
                first = i;
        drop_at(cache, first);
    }
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

int pipe_cache_put(struct pipe_cache *cache, const struct pipe_entry *entry)
{
    struct pipe_entry *old = entry_at(cache, place_of(cache, &entry->pipe), &entry->pipe);
    if (old) {
        if (id_equal(&old->holder.id, &entry->holder.id) && record_compare(&entry->holder, &old->holder) < 0)
            return ERR_STATE;
        *old = *entry;
        return 0;
    }
    int err = make_room(cache);
    if (err)
        return err;
    struct pipe_entry *copy = malloc(sizeof *copy);
    if (!copy)
        return ERR_NOMEM;
    *copy = *entry;
    size_t at = place_of(cache, &entry->pipe);
    memmove(&cache->entry[at + 1], &cache->entry[at], (cache->count - at) * sizeof copy);
    cache->entry[at] = copy;
    cache->count++;
    return 0;
}
