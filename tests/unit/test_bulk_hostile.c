/* The bulk plane against a peer that has the key and breaks the rules: a sender who sends what was not asked for, a receiver
 * who asks for what is not there. Each time the transfer ends, with the right code, and nothing of it stands at the
 * destination. */
#include "bulk_list.h"
#include "bulk_pair.h"
#include "fetch_plan.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define BLOCK ((uint64_t)BLOCK_BYTES)

static void hold(struct pair *p)
{
    (void)p;
}

/* ---- a hostile sender */

struct liar {
    struct pair p;
    struct stream s;
};

static void liar_make(struct liar *l, const struct list_entry *e, unsigned n)
{
    pair_make(&l->p, &(struct pair_options){.streams = 1});
    l->p.on_ready = hold;
    pair_start(&l->p);
    pair_until(&l->p, pair_is_ready);
    fake_dial(&l->s, &l->p.r.reception, &l->p.r.reception.addr[0], &l->p);
    bulk_receive_confirm(l->p.receiver, &l->p.r, &(struct msg_fetch_ok){.streams = 1});
    if (n > 0)
        fake_list(&l->s, e, n);
}

static void liar_end(struct liar *l, int code)
{
    fake_drain(&l->s);
    stream_fini(&l->s);
    pair_until(&l->p, pair_has_received);
    assert_int_equal(l->p.r.fault.code, code);
    pair_free(&l->p);
}

static struct list_entry file_entry(uint32_t depth, const char *name, uint64_t size)
{
    return (struct list_entry){
        .entry =
            {.kind = ENTRY_FILE, .mode = 0644, .size = size, .mtime_s = 1, .name = name, .name_len = (uint16_t)strlen(name)},
        .depth = depth,
        .token = 9,
    };
}

static struct list_entry dir_entry(uint32_t depth, const char *name)
{
    struct list_entry e = file_entry(depth, name, 0);
    e.entry.kind = ENTRY_DIR;
    return e;
}

/* The next frame that the receiver sends must be of this type. */
static const uint8_t *expect(struct stream *s, enum frame_type type, struct frame_head *head)
{
    assert_int_equal(stream_next(s, head), 0);
    assert_int_equal(head->type, type);
    return stream_body(s, head);
}

static void put_file(struct stream *s, uint32_t entry, const void *bytes, size_t n, bool right)
{
    uint8_t frame[FRAME_HEAD + FILE_FIXED + 64];
    struct file_frame f = {.entry = entry, .status = ITEM_OK, .now = {.token = 9, .size = n, .mtime_s = 1}};
    f.hash = hash128_of(bytes, n);
    f.hash.b[0] ^= right ? 0 : 1;
    size_t len = file_frame_encode(frame, &f);
    memcpy(frame + len, bytes, n);
    fake_put(s, frame, len + n);
    stream_flush(s);
}

static void honest_by_hand(void **state) /* so that the others fail for their own reason */
{
    struct liar l;
    struct frame_head head;
    struct list_entry e = file_entry(0, "", 5);
    (void)state;

    liar_make(&l, &e, 1);
    expect(&l.s, FRAME_WANT_FILES, &head);
    put_file(&l.s, 0, "hello", 5, true);
    expect(&l.s, FRAME_DONE, &head);
    pair_until(&l.p, pair_has_received);
    scratch_assert_text(&l.p.scratch, "dst/top", "hello");
    liar_end(&l, 0);
}

static void s8_file_that_was_not_asked_for(void **state)
{
    struct liar l;
    struct frame_head head;
    struct list_entry e = file_entry(0, "", 5);
    (void)state;

    liar_make(&l, &e, 1);
    expect(&l.s, FRAME_WANT_FILES, &head);
    put_file(&l.s, 1, "hello", 5, true);
    liar_end(&l, ERR_MALFORMED);
}

static void p39_content_that_does_not_match_its_hash(void **state)
{
    struct liar l;
    struct frame_head head;
    struct list_entry e = file_entry(0, "", 5);
    (void)state;

    liar_make(&l, &e, 1);
    expect(&l.s, FRAME_WANT_FILES, &head);
    put_file(&l.s, 0, "hello", 5, false);
    fake_drain(&l.s);
    pair_until(&l.p, pair_has_received);
    assert_false(scratch_exists(&l.p.scratch, "dst/top"));
    liar_end(&l, ERR_VERIFY);
}

static void p43_frames_before_the_list(void **state)
{
    struct liar l;
    (void)state;

    liar_make(&l, NULL, 0);
    put_file(&l.s, 0, "hello", 5, true);
    liar_end(&l, ERR_MALFORMED);
}

static void put_block(struct stream *s, size_t n, bool right)
{
    static uint8_t frame[FRAME_BYTES_MAX];
    struct hash128 hash;
    memset(frame + FRAME_HEAD + BLOCK_FIXED, 'x', n);
    hash = hash128_of(frame + FRAME_HEAD + BLOCK_FIXED, n);
    hash.b[15] ^= right ? 0 : 1;
    fake_put(s, frame, block_encode(frame, n, &hash) + n);
    stream_flush(s);
}

static void put_end(struct stream *s, enum item_status status)
{
    uint8_t frame[FRAME_HEAD + BLOCKS_END_BYTES];
    struct blocks_end end = {.status = status};
    fake_put(s, frame, blocks_end_encode(frame, &end));
    stream_flush(s);
}

static void large_liar(struct liar *l, struct want_blocks *w)
{
    struct frame_head head;
    struct list_entry e = file_entry(0, "", 3 * BLOCK + 7);

    liar_make(l, &e, 1);
    assert_int_equal(want_blocks_decode(expect(&l->s, FRAME_WANT_BLOCKS, &head), w), 0);
    assert_true(w->entry == 0 && w->first == 0 && w->count == 4 && w->token == 9);
}

static void oob_6_more_data_than_asked_for(void **state)
{
    struct liar l;
    struct want_blocks w;
    (void)state;

    large_liar(&l, &w);
    for (int i = 0; i < 3; i++)
        put_block(&l.s, BLOCK, true);
    put_block(&l.s, 7, true);
    put_block(&l.s, 7, true);
    liar_end(&l, ERR_MALFORMED);
}

static void oob_6_less_data_than_asked_for(void **state)
{
    struct liar l;
    struct want_blocks w;
    (void)state;

    large_liar(&l, &w);
    put_block(&l.s, BLOCK, true);
    put_end(&l.s, ITEM_OK);
    liar_end(&l, ERR_MALFORMED);
}

static void block_of_a_wrong_length(void **state)
{
    struct liar l;
    struct want_blocks w;
    (void)state;

    large_liar(&l, &w);
    put_block(&l.s, BLOCK - 1, true);
    liar_end(&l, ERR_MALFORMED);
}

static void p39_block_that_does_not_match_its_hash(void **state)
{
    struct liar l;
    struct want_blocks w;
    (void)state;

    large_liar(&l, &w);
    put_block(&l.s, BLOCK, false);
    liar_end(&l, ERR_VERIFY);
}

static void hole_beyond_the_slice(void **state)
{
    struct liar l;
    struct want_blocks w;
    uint8_t frame[FRAME_HEAD + HOLE_BYTES];
    (void)state;

    large_liar(&l, &w);
    fake_put(&l.s, frame, hole_encode(frame, UINT64_MAX));
    liar_end(&l, ERR_MALFORMED);
}

static void p33_a_file_that_always_changes_fails_alone(void **state)
{
    struct liar l;
    struct want_blocks w;
    struct frame_head head;
    uint8_t frame[FRAME_HEAD + BLOCKS_END_BYTES];
    (void)state;

    large_liar(&l, &w);
    for (unsigned i = 0; i <= CHANGED_TRIES; i++) {
        struct blocks_end end = {.status = ITEM_CHANGED, .now = {.token = 100 + i, .size = (3 - i % 2) * BLOCK, .mtime_s = 1}};
        put_block(&l.s, BLOCK, true);
        fake_put(&l.s, frame, blocks_end_encode(frame, &end));
        stream_flush(&l.s);
        if (i < CHANGED_TRIES) {
            assert_int_equal(want_blocks_decode(expect(&l.s, FRAME_WANT_BLOCKS, &head), &w), 0);
            assert_int_equal(w.token, 100 + i);
            assert_int_equal(w.count, 3 - i % 2);
        }
    }
    expect(&l.s, FRAME_DONE, &head);
    pair_until(&l.p, pair_has_received);
    assert_int_equal(l.p.items, 1);
    assert_int_equal(pair_item(&l.p, "top")->code, ERR_CHANGED);
    assert_false(scratch_exists(&l.p.scratch, "dst/top"));
    liar_end(&l, ERR_CHANGED);
}

static void s11_a_file_that_grows_beyond_all_room(void **state)
{
    struct liar l;
    struct want_blocks w;
    uint8_t frame[FRAME_HEAD + BLOCKS_END_BYTES];
    struct blocks_end end = {.status = ITEM_CHANGED, .now = {.token = 3, .size = INT64_MAX, .mtime_s = 1}};
    (void)state;

    large_liar(&l, &w);
    fake_put(&l.s, frame, blocks_end_encode(frame, &end));
    liar_end(&l, ERR_NOSPACE);
}

/* ---- lists that lie */

static void refused_list(const struct list_entry *e, unsigned n, int code)
{
    struct liar l;
    liar_make(&l, e, n);
    fake_drain(&l.s);
    pair_until(&l.p, pair_has_received);
    assert_int_equal(scratch_count(&l.p.scratch, "dst"), 0); /* nothing was written, not even what came before the lie */
    liar_end(&l, code);
}

static void s35_names_that_lead_elsewhere(void **state)
{
    static const char *const names[] = {"..", ".", "a/b", "/etc", "", "../x"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        refused_list((struct list_entry[]){dir_entry(0, ""), file_entry(1, "good", 0), file_entry(1, names[i], 0)}, 3,
                     ERR_MALFORMED);
    struct list_entry nul = file_entry(1, "a\0b", 0);
    nul.entry.name_len = 3;
    refused_list((struct list_entry[]){dir_entry(0, ""), nul}, 2, ERR_MALFORMED);
}

static void s35_lists_that_are_no_trees(void **state)
{
    (void)state;
    refused_list((struct list_entry[]){dir_entry(0, "name")}, 1, ERR_MALFORMED); /* the top is ours to name */
    refused_list((struct list_entry[]){dir_entry(1, "a")}, 1, ERR_MALFORMED);
    refused_list((struct list_entry[]){dir_entry(0, ""), file_entry(2, "a", 0)}, 2, ERR_MALFORMED);
    refused_list((struct list_entry[]){dir_entry(0, ""), file_entry(0, "a", 0)}, 2, ERR_MALFORMED);
    refused_list((struct list_entry[]){file_entry(0, "", 0), file_entry(1, "a", 0)}, 2, ERR_MALFORMED);
    refused_list((struct list_entry[]){dir_entry(0, ""), file_entry(1, "same", 0), file_entry(1, "same", 1)}, 3, ERR_MALFORMED);
    refused_list((struct list_entry[]){dir_entry(0, ""), file_entry(1, "b", 0), file_entry(1, "a", 1)}, 3, ERR_MALFORMED);
}

static void s11_sizes_beyond_any_limit(void **state)
{
    (void)state;
    refused_list((struct list_entry[]){dir_entry(0, ""), file_entry(1, "a", INT64_MAX), file_entry(1, "b", INT64_MAX),
                                       file_entry(1, "c", INT64_MAX)},
                 4, ERR_VERIFY); /* the sum of the fake wraps, that of the receiver does not */
    refused_list((struct list_entry[]){dir_entry(0, ""), file_entry(1, "a", INT64_MAX)}, 2, ERR_NOSPACE);
}

static void p39_list_whose_end_does_not_fit(void **state)
{
    struct liar l;
    uint8_t frame[FRAME_HEAD + LIST_BYTES_MAX], end[FRAME_HEAD + LIST_END_BYTES];
    struct list_writer w;
    struct list_entry e = dir_entry(0, "");
    struct list_end claim = {.count = 1};
    (void)state;

    liar_make(&l, NULL, 0);
    list_begin(&w, frame);
    assert_int_equal(list_add(&w, &e), 0);
    fake_put(&l.s, frame, list_end(&w));
    fake_put(&l.s, end, list_end_encode(end, &claim));
    liar_end(&l, ERR_VERIFY);
}

static void p27_staging_names_cannot_be_forged(void **state)
{
    struct liar l;
    struct frame_head head;
    struct list_entry e[] = {dir_entry(0, ""), file_entry(1, ".weft-stage-x", 5)};
    (void)state;

    liar_make(&l, e, 2);
    expect(&l.s, FRAME_DONE, &head);
    pair_until(&l.p, pair_has_received);
    assert_false(scratch_exists(&l.p.scratch, "dst/top/.weft-stage-x"));
    liar_end(&l, ERR_PARTIAL);
}

static void p28_a_link_is_not_a_way_out(void **state)
{
    struct liar l;
    struct frame_head head;
    struct list_entry e[] = {dir_entry(0, ""), dir_entry(1, "out"), file_entry(2, "x", 5)};
    (void)state;

    /* A link that was there before the fetch: the sender's folder of that name must not go through it. */
    pair_make(&l.p, &(struct pair_options){.streams = 1});
    scratch_dir(&l.p.scratch, "elsewhere");
    scratch_dir(&l.p.scratch, "dst/top");
    scratch_link(&l.p.scratch, "dst/top/out", "../../elsewhere");
    l.p.on_ready = hold;
    pair_start(&l.p);
    pair_until(&l.p, pair_is_ready);
    fake_dial(&l.s, &l.p.r.reception, &l.p.r.reception.addr[0], &l.p);
    bulk_receive_confirm(l.p.receiver, &l.p.r, &(struct msg_fetch_ok){.streams = 1});
    fake_list(&l.s, e, 3);
    expect(&l.s, FRAME_DONE, &head);
    pair_until(&l.p, pair_has_received);
    assert_int_equal(scratch_count(&l.p.scratch, "elsewhere"), 0);
    liar_end(&l, ERR_PARTIAL);
}

static void silent_or_noisy_streams_end(void **state)
{
    struct liar l;
    uint8_t garbage[4] = {0xff, 0xff, 0xff, 0xff};
    struct fault fault;
    uint8_t stop[FRAME_HEAD + STOP_BYTES_MAX];
    (void)state;

    liar_make(&l, NULL, 0);
    fake_put(&l.s, garbage, sizeof garbage);
    liar_end(&l, ERR_MALFORMED);

    liar_make(&l, NULL, 0);
    fault_set(&fault, ERR_DENIED, "no\nway");
    fake_put(&l.s, stop, stop_encode(stop, &fault));
    liar_end(&l, ERR_DENIED);

    liar_make(&l, NULL, 0); /* it just goes */
    stream_fini(&l.s);
    pair_until(&l.p, pair_has_received);
    assert_int_equal(l.p.r.fault.code, ERR_UNREACHABLE);
    pair_free(&l.p);
}

static void confirmation_that_does_not_fit(void **state)
{
    struct pair p;
    (void)state;
    for (uint8_t streams = 0; streams < 3; streams += 2) {
        pair_make(&p, &(struct pair_options){.streams = 1});
        p.on_ready = hold;
        pair_start(&p);
        pair_until(&p, pair_is_ready);
        bulk_receive_confirm(p.receiver, &p.r, &(struct msg_fetch_ok){.streams = streams});
        pair_until(&p, pair_has_received);
        assert_int_equal(p.r.fault.code, ERR_MALFORMED);
        pair_free(&p);
    }
}

/* ---- a hostile receiver */

struct thief {
    struct pair p;
    struct stream s;
};

/* The sender listens; its list (a folder, a small and a large file of so many blocks) has been read. */
static void thief_make_with(struct thief *t, uint64_t blocks)
{
    struct frame_head head;

    pair_make(&t->p, &(struct pair_options){.streams = 1});
    scratch_text(&t->p.scratch, "src/a-small", "small");
    pair_write_big(&t->p, "b-large", blocks * BLOCK);
    t->p.on_connected = hold;
    t->p.s.reception = (struct reception_info){.streams = 1, .limit = (blocks + 1) * BLOCK, .deadline_s = 10};
    randombytes_buf(t->p.s.reception.id.b, TAG_BYTES);
    randombytes_buf(t->p.s.reception.key, 32);
    pair_start_send(&t->p);
    pair_until(&t->p, pair_is_connected);
    bulk_send_go(t->p.sender, &t->p.s);
    fake_dial(&t->s, &t->p.s.reception, &t->p.answer.addr[0], &t->p);
    expect(&t->s, FRAME_LIST, &head);
    expect(&t->s, FRAME_LIST_END, &head);
}

static void thief_make(struct thief *t)
{
    thief_make_with(t, 3);
}

static void thief_end(struct thief *t, int code)
{
    fake_drain(&t->s);
    stream_fini(&t->s);
    pair_until(&t->p, pair_has_sent);
    assert_int_equal(t->p.s.fault.code, code);
    pair_free(&t->p);
}

static void want_files(struct stream *s, uint32_t first, uint16_t count)
{
    uint8_t frame[WANT_FILES_BYTES_MAX];
    struct want_files w = {.first = first, .count = count, .bits = {1}};
    w.bits[(count - 1) / 8] |= (uint8_t)(1u << (count - 1) % 8);
    fake_put(s, frame, want_files_encode(frame, &w));
    stream_flush(s);
}

static void want_blocks(struct stream *s, uint32_t entry, uint64_t first, uint64_t count, uint64_t token)
{
    uint8_t frame[FRAME_HEAD + WANT_BLOCKS_BYTES];
    struct want_blocks w = {.entry = entry, .first = first, .count = count, .token = token};
    fake_put(s, frame, want_blocks_encode(frame, &w));
    stream_flush(s);
}

static void honest_receiver_by_hand(void **state)
{
    struct thief t;
    struct frame_head head;
    struct file_frame f;
    uint8_t done[FRAME_HEAD];
    (void)state;

    thief_make(&t);
    want_files(&t.s, 1, 1);
    const uint8_t *b = expect(&t.s, FRAME_FILE, &head);
    assert_int_equal(file_frame_decode(b, head.len, &f), 0);
    assert_true(f.status == ITEM_OK && f.entry == 1 && f.now.size == 5);
    assert_memory_equal(b + FILE_FIXED, "small", 5);
    frame_head_encode(done, FRAME_DONE, 0);
    fake_put(&t.s, done, sizeof done);
    thief_end(&t, 0);
}

static void s1_wishes_that_do_not_fit_the_list(void **state)
{
    static const struct {
        bool blocks;
        uint32_t entry;
        uint64_t first, count;
    } wish[] = {
        {false, 0, 0, 1},           /* a folder */
        {false, 2, 0, 1},           /* a large file as a small one */
        {false, 3, 0, 1},           /* beyond the list */
        {false, 4294966000u, 0, 1}, /* far beyond */
        {true, 1, 0, 1},            /* a small file as a large one */
        {true, 9, 0, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wish / sizeof wish[0]; i++) {
        struct thief t;
        thief_make(&t);
        if (wish[i].blocks)
            want_blocks(&t.s, wish[i].entry, wish[i].first, wish[i].count, 0);
        else
            want_files(&t.s, wish[i].entry, 1);
        thief_end(&t, ERR_MALFORMED);
    }
}

/* The large file's token, learnt by asking with a wrong one. */
static uint64_t token_of(struct thief *t)
{
    struct frame_head head;
    struct blocks_end end;

    want_blocks(&t->s, 2, 0, 1, 0);
    assert_int_equal(blocks_end_decode(expect(&t->s, FRAME_BLOCKS_END, &head), &end), 0);
    assert_int_equal(end.status, ITEM_CHANGED);
    return end.now.token;
}

static void s1_blocks_beyond_the_end(void **state)
{
    struct thief t;
    (void)state;

    thief_make(&t);
    want_blocks(&t.s, 2, 2, 2, token_of(&t));
    thief_end(&t, ERR_MALFORMED);
}

static void oob_6_more_than_reserved_is_not_sent(void **state)
{
    struct thief t;
    struct frame_head head;
    (void)state;

    thief_make(&t); /* a limit of four blocks: sixteen at most, changed files included */
    uint64_t token = token_of(&t);
    for (int i = 0; i < 16; i++) {
        want_blocks(&t.s, 2, 0, 1, token);
        expect(&t.s, FRAME_BLOCK, &head);
        expect(&t.s, FRAME_BLOCKS_END, &head);
    }
    want_blocks(&t.s, 2, 0, 1, token);
    thief_end(&t, ERR_MALFORMED);
}

static void sender_frames_from_a_receiver(void **state)
{
    struct thief t;
    (void)state;

    thief_make(&t);
    put_end(&t.s, ITEM_OK);
    thief_end(&t, ERR_MALFORMED);
}

/* More than any socket buffer holds, so that the sender is in the middle of it when the file changes. */
static void p33_a_change_in_the_middle_of_a_slice_is_told(void **state)
{
    enum { BLOCKS = 256 };
    struct thief t;
    struct frame_head head;
    struct blocks_end end;
    (void)state;

    thief_make_with(&t, BLOCKS);
    want_blocks(&t.s, 2, 0, BLOCKS, token_of(&t));
    expect(&t.s, FRAME_BLOCK, &head);
    int fd = open(scratch_at(&t.p.scratch, "src/b-large").s, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "new", 3, (BLOCKS - 1) * (off_t)BLOCK), 3);
    close(fd);
    const uint8_t *body;
    do {
        assert_int_equal(stream_next(&t.s, &head), 0);
        body = stream_body(&t.s, &head);
    } while (head.type == FRAME_BLOCK);
    assert_int_equal(head.type, FRAME_BLOCKS_END);
    assert_int_equal(blocks_end_decode(body, &end), 0);
    assert_int_equal(end.status, ITEM_CHANGED);
    stream_break(&t.s);
    thief_end(&t, ERR_UNREACHABLE);
}

static void p28_a_file_that_became_a_link(void **state)
{
    struct thief t;
    struct frame_head head;
    struct file_frame f;
    (void)state;

    thief_make(&t);
    scratch_text(&t.p.scratch, "secret", "secret");
    assert_int_equal(unlink(scratch_at(&t.p.scratch, "src/a-small").s), 0);
    scratch_link(&t.p.scratch, "src/a-small", "../secret");
    want_files(&t.s, 1, 1);
    const uint8_t *b = expect(&t.s, FRAME_FILE, &head);
    assert_int_equal(file_frame_decode(b, head.len, &f), 0);
    assert_int_equal(f.status, ITEM_CHANGED);
    assert_int_equal(head.len, FILE_FIXED);
    uint8_t done[FRAME_HEAD];
    frame_head_encode(done, FRAME_DONE, 0);
    fake_put(&t.s, done, sizeof done);
    thief_end(&t, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(honest_by_hand),
        cmocka_unit_test(s8_file_that_was_not_asked_for),
        cmocka_unit_test(p39_content_that_does_not_match_its_hash),
        cmocka_unit_test(p43_frames_before_the_list),
        cmocka_unit_test(oob_6_more_data_than_asked_for),
        cmocka_unit_test(oob_6_less_data_than_asked_for),
        cmocka_unit_test(block_of_a_wrong_length),
        cmocka_unit_test(p39_block_that_does_not_match_its_hash),
        cmocka_unit_test(hole_beyond_the_slice),
        cmocka_unit_test(p33_a_file_that_always_changes_fails_alone),
        cmocka_unit_test(s11_a_file_that_grows_beyond_all_room),
        cmocka_unit_test(s35_names_that_lead_elsewhere),
        cmocka_unit_test(s35_lists_that_are_no_trees),
        cmocka_unit_test(s11_sizes_beyond_any_limit),
        cmocka_unit_test(p39_list_whose_end_does_not_fit),
        cmocka_unit_test(p27_staging_names_cannot_be_forged),
        cmocka_unit_test(p28_a_link_is_not_a_way_out),
        cmocka_unit_test(silent_or_noisy_streams_end),
        cmocka_unit_test(confirmation_that_does_not_fit),
        cmocka_unit_test(honest_receiver_by_hand),
        cmocka_unit_test(s1_wishes_that_do_not_fit_the_list),
        cmocka_unit_test(s1_blocks_beyond_the_end),
        cmocka_unit_test(oob_6_more_than_reserved_is_not_sent),
        cmocka_unit_test(sender_frames_from_a_receiver),
        cmocka_unit_test(p33_a_change_in_the_middle_of_a_slice_is_told),
        cmocka_unit_test(p28_a_file_that_became_a_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
