/* Windows over the two files of a diff. Files are read, never mapped: one that is cut short meanwhile is an error, not a
 * signal. */
#include "diff_internal.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES 4096
#define FIRST_BYTES (16 * 1024) /* after a jump: whoever jumps may do so again */

int view_init(struct view *v, const struct diff_file *file)
{
    *v = (struct view){.file = file, .bytes = aligned_alloc(4096, VIEW_BYTES)};
    return v->bytes ? 0 : ERR_NOMEM;
}

void view_fini(struct view *v)
{
    free(v->bytes);
}

static uint64_t least_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t most_of(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static bool has(const struct view *v, uint64_t offset, uint64_t n)
{
    return offset >= v->start && offset - v->start <= v->len && v->len - (offset - v->start) >= n;
}

/* Moves the window on, or to another place, such that `want` bytes from `offset` on are in it. It begins on a page of the file,
 * and its bytes on one of memory: so the kernel copies fastest. */
static int move(struct view *v, uint64_t offset, size_t want, uint64_t limit)
{
    uint64_t page = offset - offset % PAGE_BYTES, start = page > v->floor ? page : v->floor;
    bool in_order = has(v, start, 0);
    size_t kept = in_order ? v->len - (size_t)(start - v->start) : 0;
    size_t ahead = in_order ? (size_t)least_of(v->ahead * 2, VIEW_BYTES) : FIRST_BYTES;
    ahead = (size_t)most_of(ahead, most_of(FIRST_BYTES, want + (offset - start)));
    if (kept > 0) {
        memmove(v->bytes, v->bytes + (start - v->start), kept);
    }
    v->ahead = ahead;
    v->start = start;
    v->len = kept;
    size_t more = (size_t)least_of(limit - start, ahead) - kept;
    int rc = v->file->read(v->file->arg, start + kept, v->bytes + kept, more);
    v->len += rc ? 0 : more;
    return rc;
}

int view_look(struct view *v, uint64_t offset, size_t want, uint64_t limit, const uint8_t **bytes, size_t *have)
{
    uint64_t left = offset < limit ? limit - offset : 0;
    int rc = left == 0 || has(v, offset, least_of(want, left)) ? 0 : move(v, offset, want, limit);
    bool seen = rc == 0 && left > 0;
    *bytes = seen ? v->bytes + (offset - v->start) : v->bytes;
    *have = seen ? (size_t)least_of(v->len - (offset - v->start), left) : 0;
    return rc;
}

int view_peek(const struct view *v, uint64_t offset, size_t n, uint8_t *scratch, const uint8_t **bytes)
{
    if (has(v, offset, n)) {
        *bytes = v->bytes + (offset - v->start);
        return 0;
    }
    *bytes = scratch;
    return v->file->read(v->file->arg, offset, scratch, n);
}
