/* Views end to end (claim GATHER-7): of a new file only its literals cross the wire, as a file of their own, of one state of
 * the file or not at all. */
#include "bulk_list.h"
#include "bulk_pair.h"
#include "source_view.h"
#include "tree.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define BLOCK ((size_t)BLOCK_BYTES)

struct viewed {
    struct pair p; /* first */
    struct regions regions;
    uint8_t *literals;
    struct proxy proxy;
};

static void view_make_with(struct viewed *v, size_t size, uint8_t streams)
{
    memset(v, 0, sizeof *v);
    pair_make(&v->p, &(struct pair_options){.streams = streams});
    pair_write_big(&v->p, "new", size);
    regions_init(&v->regions, 0, 0);
    v->literals = malloc(size + 1);
    assert_non_null(v->literals);
}

static void view_make(struct viewed *v, size_t size)
{
    view_make_with(v, size, 2);
}

static void view_free(struct viewed *v)
{
    regions_free(&v->regions);
    free(v->literals);
    pair_free(&v->p);
}

static void add(struct viewed *v, enum region_kind kind, size_t n)
{
    int fd = open(scratch_at(&v->p.scratch, "src/new").s, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    if (kind == REGION_LITERAL)
        assert_int_equal(pread(fd, v->literals + v->regions.literals, n, (off_t)v->regions.end), n);
    close(fd);
    assert_int_equal(regions_add(&v->regions, kind, v->regions.end, n, UINT32_MAX), 0);
}

static void run(struct viewed *v)
{
    v->p.s.path = "new";
    v->p.s.view = &v->regions;
    pair_run(&v->p);
}

static void assert_literals(const struct viewed *v)
{
    size_t n = (size_t)v->regions.literals;
    uint8_t *b = malloc(n + 1);
    int fd = open(scratch_at(&v->p.scratch, "dst/top").s, O_RDONLY | O_CLOEXEC);
    if (v->p.r.fault.code != 0)
        fail_msg("%s", v->p.r.fault.text);
    assert_int_equal(v->p.s.fault.code, 0);
    assert_true(fd >= 0 && b != NULL);
    assert_int_equal(read(fd, b, n + 1), n);
    assert_memory_equal(b, v->literals, n);
    assert_int_equal(v->p.r.progress.files_total, 1);
    assert_true(v->p.r.progress.bytes_total == n);
    close(fd);
    free(b);
}

/* ---- what comes */

static void gather_7_only_literals_cross_the_wire(void **state)
{
    struct viewed v;
    (void)state;
    view_make(&v, 40 * BLOCK);
    for (unsigned i = 0; i < 10; i++) { /* 100 bytes a stretch, at every offset of a block */
        add(&v, REGION_COPY, 3 * BLOCK - 17 * i);
        add(&v, REGION_LITERAL, 100 + i);
    }
    run(&v);
    assert_literals(&v);
    assert_true(v.p.r.progress.bytes_moved == v.regions.literals && v.p.s.progress.wire_out < 16384);
    view_free(&v);
}

static void gather_7_literals_of_any_size(void **state)
{
    static const size_t sizes[] = {1, 4095, 65536, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK - 3, 9 * BLOCK};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct viewed v;
        view_make(&v, 12 * BLOCK);
        add(&v, REGION_COPY, 77);
        add(&v, REGION_LITERAL, sizes[i] / 3);
        add(&v, REGION_COPY, BLOCK);
        add(&v, REGION_LITERAL, sizes[i] - sizes[i] / 3);
        run(&v);
        assert_literals(&v);
        view_free(&v);
    }
}

static void gather_7_very_many_literals(void **state)
{
    struct viewed v;
    uint8_t *all = malloc(12 * BLOCK);
    (void)state;
    view_make(&v, 12 * BLOCK);
    int fd = open(scratch_at(&v.p.scratch, "src/new").s, O_RDONLY | O_CLOEXEC);
    assert_int_equal(pread(fd, all, 12 * BLOCK, 0), 12 * BLOCK);
    close(fd);
    for (size_t at = 0; at + 20 < 12 * BLOCK; at = (size_t)v.regions.end) {
        assert_int_equal(regions_add(&v.regions, REGION_COPY, 2 * at, 1 + at % 5, UINT32_MAX), 0);
        size_t n = 1 + at % 7;
        memcpy(v.literals + v.regions.literals, all + v.regions.end, n);
        assert_int_equal(regions_add(&v.regions, REGION_LITERAL, 0, n, UINT32_MAX), 0);
    }
    free(all);
    assert_true(v.regions.count > 800000);
    run(&v);
    assert_literals(&v);
    view_free(&v);
}

static void gather_7_no_literals_at_all(void **state)
{
    struct viewed v;
    (void)state;
    view_make(&v, BLOCK);
    add(&v, REGION_COPY, BLOCK);
    run(&v);
    assert_literals(&v);
    view_free(&v);
}

/* A sparse file's view has no holes: what is literal is sent, also where it is zeros. */
static void p32_a_view_of_a_sparse_file(void **state)
{
    struct viewed v;
    (void)state;
    view_make(&v, 30 * BLOCK);
    assert_int_equal(truncate(scratch_at(&v.p.scratch, "src/new").s, 1000), 0);
    assert_int_equal(truncate(scratch_at(&v.p.scratch, "src/new").s, (off_t)(30 * BLOCK)), 0);
    add(&v, REGION_LITERAL, 3 * BLOCK);
    add(&v, REGION_HOLE, 20 * BLOCK);
    add(&v, REGION_LITERAL, 7 * BLOCK);
    run(&v);
    assert_literals(&v);
    view_free(&v);
}

static void through_proxy(struct pair *p)
{
    struct viewed *v = (struct viewed *)p;
    proxy_start(&v->proxy, &p->r.reception.addr[0]);
    p->s.reception.addr[0] = v->proxy.addr;
    p->s.reception.addr_count = 1;
    pair_start_send(p);
}

static void p38_a_view_resumes(void **state)
{
    struct viewed v;
    (void)state;
    view_make(&v, 40 * BLOCK);
    add(&v, REGION_COPY, BLOCK + 1);
    add(&v, REGION_LITERAL, 17 * BLOCK + 5);
    add(&v, REGION_COPY, BLOCK + 1);
    add(&v, REGION_LITERAL, 13 * BLOCK);
    v.p.on_ready = through_proxy;
    v.proxy.cut_at = (int64_t)(12 * BLOCK);
    v.proxy.corrupt_at = -1;
    run(&v);
    proxy_stop(&v.proxy);
    assert_int_not_equal(v.p.r.fault.code, 0);
    uint64_t first = v.p.r.progress.bytes_moved;
    assert_true(first > 0);
    pair_reset(&v.p);
    v.p.on_ready = NULL;
    run(&v);
    assert_literals(&v);
    assert_true(v.p.r.progress.bytes_moved + first <= v.regions.literals + 2 * BLOCK);
    view_free(&v);
}

/* What an attempt has left of other regions is of another file: it is not taken for this one. */
static void p40_what_other_regions_left_is_not_taken(void **state)
{
    struct viewed v;
    (void)state;
    view_make(&v, 40 * BLOCK);
    add(&v, REGION_LITERAL, 30 * BLOCK);
    v.p.on_ready = through_proxy;
    v.proxy.cut_at = (int64_t)(12 * BLOCK);
    v.proxy.corrupt_at = -1;
    run(&v);
    proxy_stop(&v.proxy);
    assert_int_not_equal(v.p.r.fault.code, 0);
    regions_free(&v.regions);
    regions_init(&v.regions, 0, 0);
    add(&v, REGION_COPY, 7);
    add(&v, REGION_LITERAL, 30 * BLOCK);
    pair_reset(&v.p);
    v.p.on_ready = NULL;
    run(&v);
    assert_literals(&v);
    view_free(&v);
}

/* ---- what changes */

static void write_at(const struct viewed *v, off_t at, const char *text)
{
    int fd = open(scratch_at(&v->p.scratch, "src/new").s, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, text, strlen(text), at), strlen(text));
    close(fd);
}

static void assert_changed(struct viewed *v, const char *text)
{
    assert_int_equal(v->p.s.fault.code, ERR_CHANGED);
    assert_int_equal(v->p.r.fault.code, ERR_CHANGED);
    assert_non_null(strstr(v->p.r.fault.text, text));
    assert_false(scratch_exists(&v->p.scratch, "dst/top"));
}

static void p40_another_state_than_the_regions_are_of_is_not_sent(void **state)
{
    struct viewed v;
    struct stat st;
    (void)state;
    view_make(&v, 9 * BLOCK);
    add(&v, REGION_LITERAL, 5 * BLOCK);
    assert_int_equal(stat(scratch_at(&v.p.scratch, "src/new").s, &st), 0);
    v.p.s.token = tree_token(&st);
    run(&v);
    assert_literals(&v);
    assert_int_equal(unlink(scratch_at(&v.p.scratch, "dst/top").s), 0);
    pair_reset(&v.p);
    v.p.s.token = tree_token(&st);
    write_at(&v, 8, "other");
    run(&v);
    assert_changed(&v, "before its new bytes were sent");
    view_free(&v);
}

static void p33_a_file_that_is_shorter_than_its_regions(void **state)
{
    static const off_t lengths[] = {0, 100, 6 * BLOCK_BYTES};
    (void)state;
    for (size_t i = 0; i < 2 * sizeof lengths / sizeof lengths[0]; i++) {
        struct viewed v;
        view_make(&v, 9 * BLOCK);
        add(&v, REGION_COPY, 7 * BLOCK);
        add(&v, REGION_LITERAL, i % 2 == 0 ? 99 : 2 * BLOCK);
        assert_int_equal(truncate(scratch_at(&v.p.scratch, "src/new").s, lengths[i / 2]), 0);
        run(&v);
        assert_changed(&v, "while its new bytes were sent");
        view_free(&v);
    }
}

/* A receiver by hand: the file changes between its list and its wish. */
struct asker {
    struct viewed v; /* first */
    struct stream s;
    struct list_entry listed;
};

static void hold(struct pair *p)
{
    (void)p;
}

static int listed(void *arg, const struct list_entry *e)
{
    *(struct list_entry *)arg = *e;
    return 0;
}

static const uint8_t *next(struct asker *a, struct frame_head *head)
{
    assert_int_equal(stream_next(&a->s, head), 0);
    const uint8_t *b = stream_body(&a->s, head);
    assert_non_null(b);
    return b;
}

static void asker_make(struct asker *a, size_t literals)
{
    struct frame_head head;
    struct pair *p = &a->v.p;
    view_make_with(&a->v, 20 * BLOCK, 1);
    add(&a->v, REGION_COPY, BLOCK);
    add(&a->v, REGION_LITERAL, literals);
    p->on_connected = hold;
    p->s.path = "new";
    p->s.view = &a->v.regions;
    p->s.reception = (struct reception_info){.streams = 1, .limit = literals, .deadline_s = 10};
    randombytes_buf(p->s.reception.id.b, TAG_BYTES);
    randombytes_buf(p->s.reception.key, 32);
    pair_start_send(p);
    pair_until(p, pair_is_connected);
    bulk_send_go(p->sender, &p->s);
    fake_dial(&a->s, &p->s.reception, &p->answer.addr[0], p);
    const uint8_t *b = next(a, &head);
    assert_int_equal(head.type, FRAME_LIST);
    assert_int_equal(list_parse(b, head.len, listed, &a->listed), 0);
    next(a, &head);
    assert_int_equal(head.type, FRAME_LIST_END);
    assert_int_equal(a->listed.entry.kind, ENTRY_FILE);
    assert_true(a->listed.entry.size == literals);
}

static void ask(struct asker *a, bool small)
{
    uint8_t frame[WANT_FILES_BYTES_MAX + WANT_BLOCKS_BYTES];
    if (small)
        fake_put(&a->s, frame, want_files_encode(frame, &(struct want_files){.count = 1, .bits = {1}}));
    else
        fake_put(&a->s, frame, want_blocks_encode(frame, &(struct want_blocks){.count = 1, .token = a->listed.token}));
    assert_int_equal(stream_flush(&a->s), 0);
}

static void assert_stopped(struct asker *a)
{
    struct frame_head head;
    struct fault said;
    const uint8_t *b = next(a, &head);
    assert_int_equal(head.type, FRAME_STOP);
    assert_int_equal(stop_decode(b, head.len, &said), 0);
    assert_int_equal(said.code, ERR_CHANGED);
    stream_fini(&a->s);
    pair_until(&a->v.p, pair_has_sent);
    assert_int_equal(a->v.p.s.fault.code, ERR_CHANGED);
    view_free(&a->v);
}

static void p33_no_bytes_of_two_states(void **state)
{
    (void)state;
    for (int small = 0; small < 2; small++) {
        struct asker a;
        struct frame_head head;
        asker_make(&a, small ? 1000 : 4 * BLOCK);
        ask(&a, small);
        assert_memory_equal(next(&a, &head) + head.len - 1000, a.v.literals + (small ? 0 : BLOCK - 1000), 1000);
        if (!small) {
            next(&a, &head);
            assert_int_equal(head.type, FRAME_BLOCKS_END);
        }
        write_at(&a.v, 3, "x"); /* not even where anything is asked of it */
        ask(&a, small);
        assert_stopped(&a);
    }
}

/* Of a view nothing may be had but its literals. */
static void gather_7_nothing_but_the_literals_can_be_had(void **state)
{
    struct asker a;
    (void)state;
    asker_make(&a, 4 * BLOCK);
    uint8_t frame[FRAME_HEAD + WANT_BLOCKS_BYTES];
    const struct want_blocks beyond = {.first = 4, .count = 1, .token = a.listed.token};
    fake_put(&a.s, frame, want_blocks_encode(frame, &beyond));
    fake_drain(&a.s);
    stream_fini(&a.s);
    pair_until(&a.v.p, pair_has_sent);
    assert_int_equal(a.v.p.s.fault.code, ERR_MALFORMED);
    view_free(&a.v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gather_7_only_literals_cross_the_wire),
        cmocka_unit_test(gather_7_literals_of_any_size),
        cmocka_unit_test(gather_7_very_many_literals),
        cmocka_unit_test(gather_7_no_literals_at_all),
        cmocka_unit_test(p32_a_view_of_a_sparse_file),
        cmocka_unit_test(p38_a_view_resumes),
        cmocka_unit_test(p40_what_other_regions_left_is_not_taken),
        cmocka_unit_test(p40_another_state_than_the_regions_are_of_is_not_sent),
        cmocka_unit_test(p33_a_file_that_is_shorter_than_its_regions),
        cmocka_unit_test(p33_no_bytes_of_two_states),
        cmocka_unit_test(gather_7_nothing_but_the_literals_can_be_had),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
