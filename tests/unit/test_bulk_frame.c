/* Frames and lists of the bulk plane: golden bytes, every truncation, every field over its cap, round trips. Every frame of
 * tests/golden/bulk is read by one function, `same`, that decodes it and encodes it again. */
#include "bulk_frame.h"
#include "bulk_list.h"
#include "golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const samples[] = {"keep", "list",  "list_end", "want_files", "want_blocks",
                                      "file", "block", "hole",     "blocks_end", "done",
                                      "stop", "flow",  "flow_end", "flow_at",    "flow_ack"};
#define SAMPLES (sizeof samples / sizeof samples[0])

static size_t load(unsigned i, uint8_t *b, size_t cap)
{
    char name[64] = "bulk/";
    return golden_load(strcat(name, samples[i]), b, cap);
}

/* ---- decoding any frame into a copy, which is encoded again */

struct copier {
    struct list_writer w;
    unsigned entries;
};

static int copy_entry(void *arg, const struct list_entry *e)
{
    struct copier *c = arg;
    c->entries++;
    return list_add(&c->w, e);
}

/* Decodes a frame of n bytes and encodes what it found into out. 0 when it could be. */
static int again(const uint8_t *b, size_t n, uint8_t *out, size_t *len)
{
    struct frame_head head;
    union {
        struct list_end list_end;
        struct want_files files;
        struct want_blocks blocks;
        struct file_frame file;
        struct blocks_end end;
        struct fault stop;
        struct copier copier;
        uint64_t hole;
    } v;
    struct hash128 hash;
    const uint8_t *body = b + FRAME_HEAD;
    int err = n < FRAME_HEAD ? ERR_MALFORMED : frame_head_decode(b, &head);

    if (err != 0 || n != FRAME_HEAD + head.len)
        return ERR_MALFORMED;
    switch (head.type) {
    case FRAME_LIST:
        v.copier.entries = 0;
        list_begin(&v.copier.w, out);
        err = list_parse(body, head.len, copy_entry, &v.copier);
        *len = list_end(&v.copier.w);
        return err;
    case FRAME_LIST_END:
        err = list_end_decode(body, &v.list_end);
        *len = list_end_encode(out, &v.list_end);
        return err;
    case FRAME_WANT_FILES:
        err = want_files_decode(body, head.len, &v.files);
        if (err == 0)
            *len = want_files_encode(out, &v.files);
        return err;
    case FRAME_WANT_BLOCKS:
        err = want_blocks_decode(body, &v.blocks);
        *len = want_blocks_encode(out, &v.blocks);
        return err;
    case FRAME_FILE:
        err = file_frame_decode(body, head.len, &v.file);
        if (err == 0) {
            *len = file_frame_encode(out, &v.file);
            memcpy(out + *len, body + FILE_FIXED, v.file.now.size);
            *len += v.file.now.size;
        }
        return err;
    case FRAME_BLOCK:
        memcpy(hash.b, body, sizeof hash.b);
        *len = block_encode(out, head.len - BLOCK_FIXED, &hash);
        memcpy(out + *len, body + BLOCK_FIXED, head.len - BLOCK_FIXED);
        *len += head.len - BLOCK_FIXED;
        return 0;
    case FRAME_HOLE:
        err = hole_decode(body, &v.hole);
        *len = hole_encode(out, v.hole);
        return err;
    case FRAME_BLOCKS_END:
        err = blocks_end_decode(body, &v.end);
        if (err == 0)
            *len = blocks_end_encode(out, &v.end);
        return err;
    case FRAME_FLOW:
        frame_head_encode(out, FRAME_FLOW, head.len);
        memcpy(out + FRAME_HEAD, body, head.len);
        *len = FRAME_HEAD + head.len;
        return 0;
    case FRAME_FLOW_END:
    case FRAME_FLOW_AT:
    case FRAME_FLOW_ACK:
        err = flow_count_decode(body, &v.hole);
        *len = flow_count_encode(out, head.type, v.hole);
        return err;
    case FRAME_STOP:
        err = stop_decode(body, head.len, &v.stop);
        if (err == 0)
            *len = stop_encode(out, &v.stop);
        return err;
    default:
        frame_head_encode(out, head.type, 0);
        *len = FRAME_HEAD;
        return 0;
    }
}

static uint8_t in[FRAME_BYTES_MAX], out[FRAME_BYTES_MAX];

static void golden_bytes_hold_both_ways(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SAMPLES; i++) {
        size_t n = load(i, in, sizeof in), len = 0;
        assert_int_equal(in[0], i + 1); /* one sample of each type, in order */
        if (again(in, n, out, &len) != 0)
            fail_msg("golden %s is refused", samples[i]);
        if (len != n || memcmp(in, out, n) != 0)
            fail_msg("golden %s is encoded differently", samples[i]);
    }
}

static void every_truncation_is_refused(void **state)
{
    size_t len;
    (void)state;
    for (unsigned i = 0; i < SAMPLES; i++) {
        size_t n = load(i, in, sizeof in);
        for (size_t cut = 0; cut < n; cut++) {
            uint8_t *exact = malloc(cut + 1); /* so that a byte too many is seen */
            assert_non_null(exact);
            memcpy(exact, in, cut);
            assert_int_not_equal(again(exact, cut, out, &len), 0);
            free(exact);
        }
    }
}

/* The body cut, and the head saying so: what can be shorter by its type must still be read within its own bytes. */
static void every_shorter_body_is_read_within_itself(void **state)
{
    size_t len;
    (void)state;
    for (unsigned i = 0; i < SAMPLES; i++) {
        size_t n = load(i, in, sizeof in);
        for (size_t cut = FRAME_HEAD; cut < n; cut++) {
            uint8_t *exact = malloc(cut);
            assert_non_null(exact);
            memcpy(exact, in, cut);
            frame_head_encode(exact, (enum frame_type)in[0], cut - FRAME_HEAD);
            again(exact, cut, out, &len);
            free(exact);
        }
    }
}

static void heads_out_of_range_are_refused(void **state)
{
    static const struct {
        uint32_t type, len;
    } wrong[] = {
        {0, 0},
        {FRAME_TYPE_END, 0},
        {255, 0},
        {FRAME_KEEP, 1},
        {FRAME_LIST, 0},
        {FRAME_LIST, LIST_BYTES_MAX + 1},
        {FRAME_LIST_END, LIST_END_BYTES - 1},
        {FRAME_LIST_END, LIST_END_BYTES + 1},
        {FRAME_WANT_FILES, WANT_FILES_FIXED},
        {FRAME_WANT_FILES, WANT_FILES_FIXED + WANT_FILES_MAX / 8 + 1},
        {FRAME_WANT_BLOCKS, WANT_BLOCKS_BYTES + 1},
        {FRAME_FILE, FILE_FIXED - 1},
        {FRAME_FILE, FILE_FIXED + SMALL_BYTES + 1},
        {FRAME_BLOCK, BLOCK_FIXED},
        {FRAME_BLOCK, BLOCK_FIXED + BLOCK_BYTES + 1},
        {FRAME_HOLE, HOLE_BYTES - 1},
        {FRAME_BLOCKS_END, BLOCKS_END_BYTES + 1},
        {FRAME_DONE, 1},
        {FRAME_STOP, 0},
        {FRAME_STOP, STOP_BYTES_MAX + 1},
        {FRAME_BLOCK, 0xffffff},
        {FRAME_FLOW, 0},
        {FRAME_FLOW, FLOW_BYTES_MAX + 1},
        {FRAME_FLOW_END, FLOW_COUNT_BYTES - 1},
        {FRAME_FLOW_END, FLOW_COUNT_BYTES + 1},
        {FRAME_FLOW_AT, FLOW_COUNT_BYTES - 1},
        {FRAME_FLOW_AT, FLOW_COUNT_BYTES + 1},
        {FRAME_FLOW_ACK, FLOW_COUNT_BYTES - 1},
        {FRAME_FLOW_ACK, FLOW_COUNT_BYTES + 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        uint8_t b[FRAME_HEAD];
        struct frame_head head;
        frame_head_encode(b, (enum frame_type)wrong[i].type, wrong[i].len);
        assert_int_equal(frame_head_decode(b, &head), ERR_MALFORMED);
    }
}

/* A frame of tests/golden/bulk with one byte changed must be refused. */
static void refused_with(const char *name, size_t at, uint8_t byte)
{
    char file[64] = "bulk/";
    size_t len, n = golden_load(strcat(file, name), in, sizeof in);
    assert_true(at < n);
    in[at] = byte;
    if (again(in, n, out, &len) == 0)
        fail_msg("%s with %02x at %zu is accepted", name, byte, at);
}

static void fields_over_their_caps_are_refused(void **state)
{
    (void)state;
    refused_with("list_end", FRAME_HEAD, 0x7f);                /* more entries than a list may have */
    refused_with("list_end", FRAME_HEAD + 12, 0xff);           /* more holes than bytes */
    refused_with("want_files", FRAME_HEAD + 4, 0x02);          /* count 513 and more */
    refused_with("want_files", FRAME_HEAD + 6, 0xfe);          /* the first bit is not set */
    refused_with("want_files", FRAME_HEAD + 7, 0x01);          /* nor the last */
    refused_with("want_files", FRAME_HEAD + 7, 0x82);          /* a bit beyond the count */
    refused_with("want_blocks", FRAME_HEAD + 4, 0x80);         /* first beyond any file */
    refused_with("want_blocks", FRAME_HEAD + 12, 0x80);        /* count beyond any file */
    refused_with("file", FRAME_HEAD + 4, ITEM_STATUS_COUNT);   /* no such status */
    refused_with("file", FRAME_HEAD + 4, ITEM_DENIED);         /* a refusal with content */
    refused_with("file", FRAME_HEAD + 21, 0xff);               /* nanoseconds beyond a second */
    refused_with("blocks_end", FRAME_HEAD, ITEM_STATUS_COUNT); /* no such status */
    refused_with("blocks_end", FRAME_HEAD + 21, 0x80);         /* a size of more than 63 bits */
    refused_with("stop", FRAME_HEAD, 0x93);                    /* three fields */
    refused_with("flow_end", FRAME_HEAD, 0x80);                /* more bytes than 63 bits count */
    refused_with("flow_at", FRAME_HEAD, 0x80);
    refused_with("flow_ack", FRAME_HEAD, 0xff);
    for (uint8_t i = 0; i < 8; i++)
        in[i] = 0;
    uint64_t blocks;
    assert_int_equal(hole_decode(in, &blocks), ERR_MALFORMED); /* S21: none */
}

static void s21_nothing_is_not_asked_for(void **state)
{
    struct want_blocks w = {.count = 0};
    uint8_t b[FRAME_HEAD + WANT_BLOCKS_BYTES];
    (void)state;
    want_blocks_encode(b, &w);
    assert_int_equal(want_blocks_decode(b + FRAME_HEAD, &w), ERR_MALFORMED);
    w = (struct want_blocks){.first = (1ull << 45), .count = 1};
    want_blocks_encode(b, &w);
    assert_int_equal(want_blocks_decode(b + FRAME_HEAD, &w), ERR_MALFORMED); /* the first block that no file has */
    w.first--;
    want_blocks_encode(b, &w);
    assert_int_equal(want_blocks_decode(b + FRAME_HEAD, &w), 0);
}

/* ---- lists */

static struct list_entry entry(const char *name)
{
    return (struct list_entry){.entry = {.kind = ENTRY_FILE,
                                         .mode = 07777,
                                         .size = INT64_MAX,
                                         .mtime_s = INT64_MIN,
                                         .mtime_ns = 999999999,
                                         .name = name,
                                         .name_len = (uint16_t)strlen(name)},
                               .depth = DEPTH_MAX,
                               .token = UINT64_MAX};
}

static int count_entry(void *arg, const struct list_entry *e)
{
    (void)e;
    ++*(unsigned *)arg;
    return 0;
}

/* One entry through the wire; 0 when it comes out. */
static int through(const struct list_entry *e)
{
    struct list_writer w;
    unsigned count = 0;

    list_begin(&w, out);
    assert_int_equal(list_add(&w, e), 0);
    size_t n = list_end(&w);
    int err = list_parse(out + FRAME_HEAD, n - FRAME_HEAD, count_entry, &count);
    assert_int_equal(count, err == 0);
    return err;
}

static void list_fields_hold_their_caps(void **state)
{
    struct list_entry e = entry("name");
    (void)state;

    assert_int_equal(through(&e), 0);
    e.depth = DEPTH_MAX + 1;
    assert_int_not_equal(through(&e), 0);
    e = entry("name");
    e.entry.mode = 010000;
    assert_int_not_equal(through(&e), 0);
    e = entry("name");
    e.entry.size = (uint64_t)INT64_MAX + 1;
    assert_int_not_equal(through(&e), 0);
    e = entry("name");
    e.entry.mtime_ns = 1000000000;
    assert_int_not_equal(through(&e), 0);
    e = entry("name");
    e.entry.kind = ENTRY_KIND_COUNT;
    assert_int_not_equal(through(&e), 0);
    e = entry("name");
    e.status = ITEM_STATUS_COUNT;
    assert_int_not_equal(through(&e), 0);
    e = entry("name");
    e.entry.target = "target of a file";
    e.entry.target_len = 6;
    assert_int_not_equal(through(&e), 0);
    e = entry("name");
    e.entry.kind = ENTRY_LINK;
    assert_int_not_equal(through(&e), 0); /* a link without a target */
    e.status = ITEM_DENIED;
    assert_int_equal(through(&e), 0); /* which only one that cannot be read may be */
}

static void long_names_and_targets_hold_their_caps(void **state)
{
    static char text[LINK_TARGET_MAX + 2];
    (void)state;

    memset(text, 'x', sizeof text);
    struct list_entry e = entry("");
    e.entry.name = e.entry.target = text;
    e.entry.kind = ENTRY_LINK;
    e.entry.name_len = ENTRY_NAME_MAX;
    e.entry.target_len = LINK_TARGET_MAX;
    assert_int_equal(through(&e), 0);
    e.entry.name_len = ENTRY_NAME_MAX + 1;
    assert_int_not_equal(through(&e), 0);
    e.entry.name_len = ENTRY_NAME_MAX;
    e.entry.target_len = LINK_TARGET_MAX + 1;
    assert_int_not_equal(through(&e), 0);
}

static void a_full_frame_says_so_and_is_whole(void **state)
{
    static char name[ENTRY_NAME_MAX];
    struct list_writer w;
    struct list_entry small = entry("n"), wide = entry("");
    unsigned count = 0, put = 0;
    (void)state;

    list_begin(&w, out);
    assert_int_equal(list_end(&w), 0); /* no empty frames */
    while (list_add(&w, &small) == 0)
        put++;
    assert_int_equal(put, LIST_FRAME_ENTRIES);
    size_t n = list_end(&w);
    assert_int_equal(list_parse(out + FRAME_HEAD, n - FRAME_HEAD, count_entry, &count), 0);
    assert_int_equal(count, put);

    memset(name, 'n', sizeof name);
    wide.entry.name = name;
    wide.entry.name_len = sizeof name;
    list_begin(&w, out);
    for (put = 0; list_add(&w, &wide) == 0; put++)
        ;
    count = 0;
    n = list_end(&w);
    assert_true(put < LIST_FRAME_ENTRIES && n <= FRAME_HEAD + LIST_BYTES_MAX && n > LIST_BYTES_MAX - 400);
    assert_int_equal(list_parse(out + FRAME_HEAD, n - FRAME_HEAD, count_entry, &count), 0);
    assert_int_equal(count, put);
}

static int stop_at_second(void *arg, const struct list_entry *e)
{
    (void)e;
    return ++*(unsigned *)arg == 2 ? ERR_FULL : 0;
}

static void reading_ends_when_told(void **state)
{
    struct list_writer w;
    struct list_entry e = entry("n");
    unsigned count = 0;
    (void)state;

    list_begin(&w, out);
    for (int i = 0; i < 5; i++)
        assert_int_equal(list_add(&w, &e), 0);
    size_t n = list_end(&w);
    assert_int_equal(list_parse(out + FRAME_HEAD, n - FRAME_HEAD, stop_at_second, &count), ERR_FULL);
    assert_int_equal(count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_bytes_hold_both_ways),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_shorter_body_is_read_within_itself),
        cmocka_unit_test(heads_out_of_range_are_refused),
        cmocka_unit_test(fields_over_their_caps_are_refused),
        cmocka_unit_test(s21_nothing_is_not_asked_for),
        cmocka_unit_test(list_fields_hold_their_caps),
        cmocka_unit_test(long_names_and_targets_hold_their_caps),
        cmocka_unit_test(a_full_frame_says_so_and_is_whole),
        cmocka_unit_test(reading_ends_when_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
