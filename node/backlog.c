/* A backlog. See backlog.h. Invariants: (1) first <= end <= cap <= BACKLOG_MAX; (2) without pieces there is no memory. */
#include "backlog.h"

#include "err.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define START 512

static size_t length_at(const struct backlog *b, size_t at)
{
    return (size_t)b->bytes[at] << 8 | b->bytes[at + 1];
}

/* Room for `n` more bytes: at the front first, which pieces have left. */
static int make_room(struct backlog *b, size_t n)
{
    size_t used = (size_t)b->end - b->first, wanted = used + n;
    if (b->first > 0)
        memmove(b->bytes, b->bytes + b->first, used);
    b->first = 0;
    b->end = (uint16_t)used;
    if (wanted <= b->cap)
        return 0;
    size_t cap = b->cap > 0 ? 2u * b->cap : START;
    cap = cap < wanted ? wanted : cap > BACKLOG_MAX ? BACKLOG_MAX : cap;
    uint8_t *more = realloc(b->bytes, cap);
    if (!more)
        return ERR_NOMEM;
    b->bytes = more;
    b->cap = (uint16_t)cap;
    return 0;
}

int backlog_put(struct backlog *b, const void *bytes, size_t n)
{
    size_t used = (size_t)b->end - b->first;
    if (n > BACKLOG_MAX || used + BACKLOG_HEAD + n > BACKLOG_MAX)
        return ERR_LIMIT;
    if (b->end + BACKLOG_HEAD + n > b->cap && make_room(b, BACKLOG_HEAD + n) != 0)
        return ERR_NOMEM;
    b->bytes[b->end] = (uint8_t)(n >> 8);
    b->bytes[b->end + 1] = (uint8_t)n;
    if (n > 0)
        memcpy(b->bytes + b->end + BACKLOG_HEAD, bytes, n);
    b->end = (uint16_t)(b->end + BACKLOG_HEAD + n);
    b->count++;
    return 0;
}

const uint8_t *backlog_first(const struct backlog *b, size_t *n)
{
    assert(b->count > 0);
    *n = length_at(b, b->first);
    return b->bytes + b->first + BACKLOG_HEAD;
}

void backlog_drop_first(struct backlog *b)
{
    assert(b->count > 0);
    b->first = (uint16_t)(b->first + BACKLOG_HEAD + length_at(b, b->first));
    if (--b->count == 0)
        backlog_clear(b);
}

void backlog_clear(struct backlog *b)
{
    free(b->bytes);
    *b = (struct backlog){.bytes = NULL};
}
