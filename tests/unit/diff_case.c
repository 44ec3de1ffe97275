/* Two files in memory, their diff, and the proof that it is right. See diff_case.h. */
#include "diff_case.h"

#include "chance.h"
#include "file_hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool in_hole(const struct memory_file *m, uint64_t offset, uint64_t n)
{
    for (size_t i = 0; i < m->holes; i++) {
        if (offset < m->hole[i][1] && offset + n > m->hole[i][0]) {
            return true;
        }
    }
    return false;
}

static int read_memory(void *arg, uint64_t offset, void *buf, size_t n)
{
    struct memory_file *m = arg;
    m->reads++;
    m->read_bytes += n;
    if (m->err) {
        return m->err;
    }
    if (offset > m->bytes.n || n > m->bytes.n - offset || in_hole(m, offset, n)) {
        return ERR_USAGE;
    }
    memcpy(buf, m->bytes.at + offset, n);
    return 0;
}

static int next_memory(void *arg, uint64_t offset, uint64_t *data, uint64_t *end)
{
    struct memory_file *m = arg;
    *data = offset;
    *end = m->bytes.n;
    for (size_t i = 0; i < m->holes; i++) {
        *data = *data >= m->hole[i][0] && *data < m->hole[i][1] ? m->hole[i][1] : *data;
        if (*data < m->hole[i][0]) {
            *end = m->hole[i][0];
            break;
        }
    }
    return 0;
}

struct diff_file memory_file(struct memory_file *m)
{
    return (struct diff_file){read_memory, m->holes ? next_memory : NULL, m, m->bytes.n};
}

/* Calls bytes and hole for each stretch of the file. */
struct stretches {
    struct anchors *index;
    struct file_hash hash;
    int err;
};

static void take_stretches(const struct memory_file *m, struct stretches *s)
{
    uint64_t at = 0;
    s->err = anchors_new(DIFF_CASE_SEED, &s->index) | file_hash_init(&s->hash);
    for (size_t i = 0; i <= m->holes; i++) {
        uint64_t end = i < m->holes ? m->hole[i][0] : m->bytes.n, next = i < m->holes ? m->hole[i][1] : end;
        s->err |= end > at ? anchors_feed(s->index, m->bytes.at + at, end - at) : 0;
        file_hash_bytes(&s->hash, m->bytes.at + at, end - at);
        s->err |= anchors_feed_hole(s->index, next - end);
        file_hash_hole(&s->hash, next - end);
        at = next;
    }
    s->err |= anchors_finish(s->index);
}

struct anchors *memory_index(const struct memory_file *m)
{
    struct stretches s;
    take_stretches(m, &s);
    file_hash_free(&s.hash);
    return s.index;
}

/* ---- what a diff must be */

static bool same_index(const struct anchors *a, const struct anchors *b)
{
    if (anchors_count(a) != anchors_count(b) || anchors_size(a) != anchors_size(b)) {
        return false;
    }
    if (anchors_count(a) == 0) {
        return true;
    }
    struct segment s = anchors_segment(a, 0), t = anchors_segment(b, 0);
    do {
        if (s.offset != t.offset || s.length != t.length || s.hash != t.hash || s.hole != t.hole) {
            return false;
        }
    } while (anchors_next(a, &s) && anchors_next(b, &t));
    return true;
}

static const char *region_wrong(const struct diff_case *c, const struct region *g)
{
    const struct bytes *old = &c->old.bytes, *fresh = &c->fresh.bytes;
    if (g->length == 0 || g->destination > fresh->n || g->length > fresh->n - g->destination) {
        return "a region leads out of the new file";
    }
    if (g->kind == REGION_HOLE) {
        for (uint64_t i = g->destination; i < g->destination + g->length; i++) {
            if (!in_hole(&c->fresh, i, 1)) {
                return "a hole where there are bytes";
            }
        }
        return NULL;
    }
    if (in_hole(&c->fresh, g->destination, g->length)) {
        return "bytes where there is a hole";
    }
    if (g->kind == REGION_COPY && (g->source > old->n || g->length > old->n - g->source)) {
        return "a copy from beyond the old file";
    }
    bool same = g->kind != REGION_COPY || memcmp(old->at + g->source, fresh->at + g->destination, g->length) == 0;
    return same ? NULL : "a copy of other bytes";
}

static const char *regions_wrong(const struct diff_case *c)
{
    const struct regions *r = &c->d.regions;
    uint64_t end = 0, literals = 0;
    for (uint32_t i = 0; i < r->count; i++) {
        const struct region *g = &r->region[i];
        const char *wrong = region_wrong(c, g);
        if (wrong) {
            return wrong;
        }
        if (g->destination != end || (g->kind == REGION_LITERAL && g->source != literals)) {
            return "a gap";
        }
        end += g->length;
        literals += g->kind == REGION_LITERAL ? g->length : 0;
    }
    return end == c->fresh.bytes.n && r->end == end && r->literals == literals ? NULL : "not all of the new file";
}

static const char *sums_wrong(const struct diff_case *c)
{
    struct stretches s;
    struct hash128 hash;
    take_stretches(&c->fresh, &s);
    s.err |= file_hash_sum(&s.hash, &hash);
    bool hash_same = s.err == 0 && hash128_equal(&hash, &c->d.hash);
    bool index_same = s.err == 0 && same_index(s.index, c->d.fresh_index);
    file_hash_free(&s.hash);
    anchors_free(s.index);
    return !hash_same ? "another hash" : !index_same ? "another index" : NULL;
}

const char *diff_case_try(struct diff_case *c, enum base base)
{
    struct diff_file old = memory_file(&c->old), fresh = memory_file(&c->fresh);
    if (!c->index) {
        c->index = memory_index(&c->old);
    }
    bool exact = base == BASE_EXACT || base == BASE_BYTES, index = base == BASE_EXACT || base == BASE_INDEX;
    c->d = (struct diff){.fresh = &fresh, .old = exact ? &old : NULL, .index = index ? c->index : NULL, .seed = DIFF_CASE_SEED};
    if (diff_run(&c->d)) {
        return "a code";
    }
    const char *wrong = regions_wrong(c);
    return wrong ? wrong : sums_wrong(c);
}

void diff_case_run(struct diff_case *c, enum base base)
{
    const char *wrong = diff_case_try(c, base);
    if (wrong) {
        fail_msg("%s", wrong);
    }
}

void diff_case_fini(struct diff_case *c)
{
    diff_free(&c->d);
    anchors_free(c->index);
    c->index = NULL;
}

/* ---- bytes */

struct bytes bytes_random(uint64_t seed, size_t n)
{
    struct bytes b = {malloc(n ? n : 1), n};
    assert_non_null(b.at);
    random_fill(&seed, b.at, n);
    return b;
}

struct bytes bytes_joined(const struct bytes *part, size_t count)
{
    struct bytes b = {NULL, 0};
    for (size_t i = 0; i < count; i++) {
        b.n += part[i].n;
    }
    b.at = malloc(b.n ? b.n : 1);
    assert_non_null(b.at);
    for (size_t i = 0, at = 0; i < count; at += part[i++].n) {
        memcpy(b.at + at, part[i].at, part[i].n);
    }
    return b;
}

struct bytes bytes_part(const struct bytes *b, size_t from, size_t n)
{
    return (struct bytes){b->at + from, n};
}
