/* Any two files, of any edits: the regions of their diff build the new one, its hash and its index are those of the new one.
 *
 * WEFT_DIFF_CASES says how many pairs are tried (else CASES_USUAL), WEFT_DIFF_SEED with which seed; a failure names the seed of
 * its pair, which alone is tried again with WEFT_DIFF_CASES=1. */
#include "chance.h"
#include "diff_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CASES_USUAL 4000
#define OLD_MAX (1 << 20)
#define NEW_MAX (3 * OLD_MAX)

/* Sizes at which something begins or ends: segments, portions, windows. */
static size_t edge_size(uint64_t *r)
{
    static const size_t edges[] = {0, 32, 64, 256, 512, 2048, 4096, 6208, 16384, 65536, 262144, 524288};
    size_t n = edges[random_below(r, sizeof edges / sizeof edges[0])] + random_below(r, 5);
    return n > 2 ? n - 2 : n;
}

static size_t some_size(uint64_t *r)
{
    switch (random_below(r, 64)) {
    case 0: return random_below(r, OLD_MAX);
    case 1: return edge_size(r);
    case 2: return random_below(r, 4);
    case 3:
    case 4:
    case 5: return random_below(r, 100000);
    default: return random_below(r, 6000);
    }
}

/* Content: random, constant, of a short period, of few different blocks, or of few different bytes. */
static void some_content(uint64_t *r, uint8_t *at, size_t n)
{
    size_t period = random_below(r, 4) ? 1 + random_below(r, 700) : 1;
    random_fill(r, at, n);
    switch (random_below(r, 8)) {
    case 0:
        for (size_t i = period; i < n; i++) {
            at[i] = at[i - period];
        }
        break;
    case 1:
        for (size_t i = 4096; i + 1024 <= n; i += 1024) {
            memcpy(at + i, at + 1024 * random_below(r, 4), 1024);
        }
        break;
    case 2:
        for (size_t i = 0; i < n; i++) {
            at[i] = (uint8_t)(at[i] < 250 ? 'a' : at[i]);
        }
        break;
    default: break;
    }
}

static size_t some_length(uint64_t *r, size_t n)
{
    size_t most = random_below(r, 3) ? 40 : random_below(r, 2) ? 1000 : n + 1;
    size_t k = random_below(r, most);
    return k < n ? k : n;
}

/* One edit of the n bytes at `at`, which has room for NEW_MAX. Returns how many they are now. */
static size_t edit(uint64_t *r, const struct bytes *old, uint8_t *at, size_t n)
{
    size_t from = random_below(r, n + 1), k = some_length(r, n - from), room = NEW_MAX - n;
    switch (random_below(r, 6)) {
    case 0: /* overwrite */ random_fill(r, at + from, k); return n;
    case 1: /* cut */ memmove(at + from, at + from + k, n - from - k); return n - k;
    case 2: /* insert what is new */
        k = k < room ? k : room;
        memmove(at + from + k, at + from, n - from);
        random_fill(r, at + from, k);
        return n + k;
    case 3: /* insert what is old */
        k = k < room ? k : room;
        k = k < old->n ? k : old->n;
        memmove(at + from + k, at + from, n - from);
        memcpy(at + from, old->at + random_below(r, old->n - k + 1), k);
        return n + k;
    case 4: /* move within */ memmove(at + random_below(r, n - k + 1), at + from, k); return n;
    default: /* constant bytes, as erased */ memset(at + from, (int)random_below(r, 2), k); return n;
    }
}

/* Holes, on no blocks at all: whoever says where they are need not be a file system. */
static size_t some_holes(uint64_t *r, struct bytes *b, uint64_t hole[4][2])
{
    size_t count = 0;
    for (uint64_t at = random_below(r, 5000); at + 2 < b->n && count < 4; count++) {
        uint64_t n = 1 + random_below(r, b->n - at - 1);
        hole[count][0] = at;
        hole[count][1] = at + n;
        memset(b->at + at, 0, n);
        at += n + 1 + random_below(r, 20000);
    }
    return count;
}

static const char *try_pair(uint64_t seed, uint8_t *old_room, uint8_t *new_room)
{
    uint64_t r = seed * 0x9e3779b97f4a7c15 | 1, hole[2][4][2];
    struct bytes old = {old_room, some_size(&r)}, fresh = {new_room, 0};
    some_content(&r, old.at, old.n);
    if (random_below(&r, 16) == 0) { /* nothing to do with each other */
        fresh.n = some_size(&r);
        some_content(&r, fresh.at, fresh.n);
    } else {
        memcpy(fresh.at, old.at, old.n);
        fresh.n = old.n;
        for (uint64_t edits = random_below(&r, random_below(&r, 8) ? 4 : 60); edits > 0; edits--) {
            fresh.n = edit(&r, &old, fresh.at, fresh.n);
        }
    }
    struct diff_case c = {.old.bytes = old, .fresh.bytes = fresh};
    if (random_below(&r, 16) == 0) {
        c.fresh.holes = some_holes(&r, &c.fresh.bytes, hole[0]);
        c.fresh.hole = (const uint64_t(*)[2])hole[0];
    }
    const char *wrong = NULL;
    enum base only = random_below(&r, 2) ? BASE_EXACT : BASE_INDEX, rare = random_below(&r, 32) ? only : BASE_BYTES;
    for (enum base base = BASE_NONE; !wrong && base < BASE_COUNT; base++) {
        if (base == BASE_EXACT || base == BASE_INDEX || base == rare) {
            wrong = diff_case_try(&c, base);
            diff_free(&c.d);
        }
    }
    diff_case_fini(&c);
    return wrong;
}

static uint64_t number_of(const char *name, uint64_t usual)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : usual;
}

static void p39_any_pair_of_files_is_rebuilt_exactly(void **state)
{
    (void)state;
    uint64_t cases = number_of("WEFT_DIFF_CASES", CASES_USUAL), first = number_of("WEFT_DIFF_SEED", 1);
    uint8_t *old = malloc(OLD_MAX), *fresh = malloc(NEW_MAX);
    assert_true(old && fresh);
    for (uint64_t i = first; i < first + cases; i++) {
        const char *wrong = try_pair(i, old, fresh);
        if (wrong) {
            fail_msg("%s: WEFT_DIFF_CASES=1 WEFT_DIFF_SEED=%llu", wrong, (unsigned long long)i);
        }
    }
    print_message("%llu pairs of files\n", (unsigned long long)cases);
    free(old);
    free(fresh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(p39_any_pair_of_files_is_rebuilt_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
