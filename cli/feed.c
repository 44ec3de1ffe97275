/* The cutting of feed.h. Invariant: from <= seen <= to <= FEED_BYTES, and no newline in from..seen. */
#include "feed.h"

#include "cli.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void feed_init(struct feed *f, size_t max)
{
    assert(max > 0 && max <= FEED_BYTES / 2);
    *f = (struct feed){.bytes = cli_need(malloc(FEED_BYTES)), .max = max};
}

void feed_fini(struct feed *f)
{
    free(f->bytes);
    f->bytes = NULL;
}

char *feed_room(struct feed *f, size_t *room)
{
    memmove(f->bytes, f->bytes + f->from, f->to - f->from); /* less than one message */
    f->to -= f->from;
    f->seen -= f->from;
    f->from = 0;
    *room = FEED_BYTES - f->to;
    return f->bytes + f->to;
}

void feed_add(struct feed *f, size_t n)
{
    assert(n <= FEED_BYTES - f->to);
    f->to += n;
}

void feed_end(struct feed *f)
{
    f->ended = true;
}

bool feed_next(struct feed *f, const char **bytes, size_t *n)
{
    const char *start = f->bytes + f->from;
    size_t left = f->to - f->from, most = left < f->max ? left : f->max;
    size_t seen = f->seen - f->from < most ? f->seen - f->from : most;
    const char *newline = memchr(start + seen, '\n', most - seen);

    f->seen = f->from + most;
    if (!newline && most < f->max && !(f->ended && left > 0))
        return false;
    *bytes = start;
    *n = newline ? (size_t)(newline + 1 - start) : most;
    f->from += *n;
    f->seen = f->from;
    return true;
}
