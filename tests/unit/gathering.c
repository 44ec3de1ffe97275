/* One gather in a scratch folder, with a model of what must come of it. */
#include "gathering.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define OLD_BYTES 300000u
#define MODEL_BYTES (4u << 20)

uint64_t dice(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed * 0x2545f4914f6cdd1dull >> 16;
}

void noise(uint8_t *bytes, size_t n, uint64_t seed)
{
    seed = seed * 2 + 1;
    for (size_t i = 0; i < n; i++) {
        bytes[i] = (uint8_t)dice(&seed);
    }
}

int gathering_setup(void **state)
{
    struct gathering *w = calloc(1, sizeof *w);
    scratch_make(&w->scratch);
    scratch_dir(&w->scratch, "d");
    assert_int_equal(root_open(scratch_at(&w->scratch, "d").s, &w->root, &w->fault), 0);
    w->site.dir_fd = w->source.fd = -1;
    w->meta = (struct stage_meta){.mode = 0640, .mtime_s = 1000000000, .mtime_ns = 123456789};
    w->old_size = OLD_BYTES;
    w->old = malloc(w->old_size);
    w->model = malloc(MODEL_BYTES);
    noise(w->old, w->old_size, 1);
    scratch_write(&w->scratch, "d/f", w->old, w->old_size);
    *state = w;
    return 0;
}

int gathering_teardown(void **state)
{
    struct gathering *w = *state;
    gathering_close(w, false);
    root_close(&w->root);
    scratch_remove(&w->scratch);
    free(w->old);
    free(w->model);
    free(w);
    return 0;
}

void gathering_open(struct gathering *w)
{
    w->model_size = 0;
    assert_int_equal(file_hash_init(&w->hash), 0);
    regions_init(&w->regions, 0, 0);
    assert_int_equal(site_open(&w->root, "f", &w->site, &w->fault), 0);
    if (w->site.kind == FILE_FILE) {
        assert_int_equal(source_open(&w->root, "f", &w->source, &w->fault), 0);
    }
    assert_int_equal(gather_open(&w->site, GATHERING_KEY, &w->g, &w->fault), 0);
}

void gathering_close(struct gathering *w, bool keep)
{
    gather_close(w->g, keep);
    w->g = NULL;
    site_close(&w->site);
    source_close(&w->source);
    regions_free(&w->regions);
    file_hash_free(&w->hash);
    free(w->literals);
    w->literals = NULL;
}

void gathering_literals(struct gathering *w, size_t n)
{
    free(w->literals);
    w->literals_size = n;
    w->literals = malloc(n + 1);
    noise(w->literals, n, 2);
    scratch_write(&w->scratch, GATHERING_FOLDER "/" GATHER_LITERALS, w->literals, n);
    assert_int_equal(gather_literals(w->g, n, &w->fault), 0);
}

void gathering_add(struct gathering *w, enum region_kind kind, uint64_t source, uint64_t length)
{
    uint8_t *to = w->model + w->model_size;
    assert_true(length <= MODEL_BYTES - w->model_size);
    switch (kind) {
    case REGION_LITERAL:
        source = w->regions.from_literal + w->regions.literals;
        assert_true(source + length <= w->literals_size);
        memcpy(to, w->literals + source, length);
        break;
    case REGION_COPY: memcpy(to, w->old + source, length); break;
    default: memset(to, 0, length); break;
    }
    if (kind == REGION_HOLE) {
        file_hash_hole(&w->hash, length);
    } else {
        file_hash_bytes(&w->hash, to, length);
    }
    w->model_size += length;
    assert_int_equal(regions_add(&w->regions, kind, source, length, UINT32_MAX), 0);
}

int gathering_run(struct gathering *w)
{
    const struct source *source = w->source.fd < 0 ? NULL : &w->source;
    uint64_t end = w->regions.end, literals = w->regions.from_literal + w->regions.literals;
    int rc = gather_run(w->g, source, &w->regions, &w->watch, &w->fault);
    regions_free(&w->regions);
    regions_init(&w->regions, end, literals);
    return rc;
}

struct hash128 gathering_hash(struct gathering *w)
{
    struct hash128 hash;
    assert_int_equal(file_hash_sum(&w->hash, &hash), 0);
    return hash;
}

int gathering_commit(struct gathering *w)
{
    struct hash128 hash = gathering_hash(w);
    return gather_commit(w->g, w->model_size, &hash, &w->meta, &w->state, &w->fault);
}

static void assert_is(struct gathering *w, const uint8_t *bytes, size_t n)
{
    uint8_t *got = malloc(n + 1);
    int fd = open(scratch_at(&w->scratch, "d/f").s, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, got, n + 1, 0), n);
    close(fd);
    assert_memory_equal(got, bytes, n);
    free(got);
}

void gathering_assert_new(struct gathering *w)
{
    assert_is(w, w->model, w->model_size);
}

void gathering_assert_old(struct gathering *w)
{
    assert_is(w, w->old, w->old_size);
}

void gathering_assert_alone(struct gathering *w)
{
    assert_int_equal(scratch_count(&w->scratch, "d"), 1);
}
