/* Views of a source: the literals of a new file as a file. See source_view.h.
 *
 * Literals that stand near each other are read in one go, with what is between them: there may be millions of a few bytes. */
#include "source_view.h"

#include "err.h"
#include "io.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define WINDOW 16384 /* read in one go: a system call costs as much as to copy that */

static uint64_t digest(const struct regions *r)
{
    uint64_t seen[4 * 64], sum = r->count;
    size_t n = 0;
    for (uint32_t i = 0; i < r->count; i++) {
        const struct region *at = &r->region[i];
        seen[n++] = at->kind;
        seen[n++] = at->source;
        seen[n++] = at->destination;
        seen[n++] = at->length;
        if (n == sizeof seen / sizeof seen[0] || i + 1 == r->count) {
            sum = XXH3_64bits_withSeed(seen, n * sizeof seen[0], sum);
            n = 0;
        }
    }
    return sum;
}

int source_view_init(struct source_view *v, const struct regions *regions)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < regions->count; i++) {
        count += regions->region[i].kind == REGION_LITERAL;
    }
    *v = (struct source_view){.regions = regions, .literal = malloc((count + 1) * sizeof v->literal[0])};
    if (!v->literal) {
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < regions->count; i++) {
        if (regions->region[i].kind == REGION_LITERAL) {
            v->literal[v->count++] = i;
        }
    }
    v->digest = digest(regions);
    return 0;
}

void source_view_fini(struct source_view *v)
{
    free(v->literal);
    *v = (struct source_view){0};
}

uint64_t source_view_size(const struct source_view *v)
{
    return v->regions->literals;
}

uint64_t source_view_token(const struct source_view *v, uint64_t token)
{
    return XXH3_64bits_withSeed(&token, sizeof token, v->digest);
}

static const struct region *literal(const struct source_view *v, uint32_t i)
{
    return &v->regions->region[v->literal[i]];
}

/* Where it begins in the view. */
static uint64_t begins(const struct source_view *v, uint32_t i)
{
    return literal(v, i)->source - v->regions->from_literal;
}

/* The literal that holds this offset. */
static uint32_t find(const struct source_view *v, uint64_t offset)
{
    uint32_t low = 0, high = v->count;
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;
        if (begins(v, mid) <= offset) {
            low = mid;
        } else {
            high = mid;
        }
    }
    return low;
}

static int read_at(int fd, uint64_t at, void *buf, size_t n)
{
    size_t got;
    int rc = io_pread(fd, buf, n, at, &got);
    return rc ? rc : got == n ? 0 : ERR_CHANGED;
}

/* A stretch of the file: from `at`, in literal i, to the end of the last literal that is wanted and ends in the window. */
struct stretch {
    uint64_t at;
    size_t length;
    uint32_t first, end; /* literals */
};

static struct stretch stretch_from(const struct source_view *v, uint32_t i, uint64_t skip, size_t wanted)
{
    struct stretch s = {.at = literal(v, i)->destination + skip, .first = i, .end = i};
    for (uint64_t from = skip; s.end < v->count && wanted > 0; from = 0) {
        const struct region *r = literal(v, s.end);
        size_t part = r->length - from < wanted ? (size_t)(r->length - from) : wanted;
        uint64_t length = r->destination + from + part - s.at;
        if (length > WINDOW && s.end > i) {
            break;
        }
        s.length = (size_t)length;
        s.end++;
        wanted -= part;
    }
    return s;
}

/* Reads a stretch of several literals, and gives of it what is theirs, at most n bytes. Returns how many in *done. */
static int read_several(const struct source_view *v, int fd, const struct stretch *s, void *buf, size_t n, size_t *done)
{
    uint8_t window[WINDOW];
    int rc = read_at(fd, s->at, window, s->length);
    *done = 0;
    for (uint32_t i = s->first; rc == 0 && i < s->end; i++) {
        const struct region *r = literal(v, i);
        uint64_t from = r->destination > s->at ? r->destination : s->at, left = r->destination + r->length - from;
        size_t part = left < n - *done ? (size_t)left : n - *done;
        memcpy((uint8_t *)buf + *done, window + (from - s->at), part);
        *done += part;
    }
    return rc;
}

int source_view_read(const struct source_view *v, int fd, uint64_t offset, void *buf, size_t n)
{
    uint32_t i = find(v, offset);
    uint64_t skip = n > 0 ? offset - begins(v, i) : 0;
    int rc = 0;
    for (size_t done; rc == 0 && n > 0; n -= done) {
        struct stretch s = stretch_from(v, i, skip, n);
        if (s.end - s.first > 1) {
            rc = read_several(v, fd, &s, buf, n, &done);
        } else {
            rc = read_at(fd, s.at, buf, done = s.length);
        }
        buf = (uint8_t *)buf + done;
        i = s.end;
        skip = 0;
    }
    return rc;
}
