/* Streams of frames of the bulk plane: any bytes are refused or read within their bounds, and what was read is encoded again to
 * the same bytes (lists: to the same entries). */
#include "bulk_frame.h"
#include "bulk_list.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool right)
{
    if (!right)
        abort();
}

static void same(const uint8_t *frame, size_t n, const uint8_t *again, size_t len)
{
    check(len == n && memcmp(frame, again, n) == 0);
}

/* ---- lists: read, written, read again */

struct copier {
    struct list_writer w;
    unsigned entries;
};

static int copy_entry(void *arg, const struct list_entry *e)
{
    struct copier *c = arg;
    c->entries++;
    check(list_add(&c->w, e) == 0); /* the shortest form is never longer than what was read */
    return 0;
}

static int count_entry(void *arg, const struct list_entry *e)
{
    (void)e;
    ++*(unsigned *)arg;
    return 0;
}

static void list_again(const uint8_t *body, size_t n)
{
    static uint8_t out[FRAME_HEAD + LIST_BYTES_MAX];
    struct copier c = {.entries = 0};
    unsigned count = 0;

    list_begin(&c.w, out);
    if (list_parse(body, n, copy_entry, &c) != 0)
        return;
    size_t len = list_end(&c.w);
    check(len > 0 && list_parse(out + FRAME_HEAD, len - FRAME_HEAD, count_entry, &count) == 0 && count == c.entries);
}

/* ---- the others */

static void fixed_again(const uint8_t *frame, const struct frame_head *head)
{
    const uint8_t *body = frame + FRAME_HEAD;
    size_t n = FRAME_HEAD + head->len;
    uint8_t out[128];
    struct list_end list_end;
    struct want_files files;
    struct want_blocks blocks;
    struct blocks_end end;
    uint64_t hole;

    if (head->type == FRAME_LIST_END && list_end_decode(body, &list_end) == 0)
        same(frame, n, out, list_end_encode(out, &list_end));
    else if (head->type == FRAME_WANT_FILES && want_files_decode(body, head->len, &files) == 0)
        same(frame, n, out, want_files_encode(out, &files));
    else if (head->type == FRAME_WANT_BLOCKS && want_blocks_decode(body, &blocks) == 0)
        same(frame, n, out, want_blocks_encode(out, &blocks));
    else if (head->type == FRAME_BLOCKS_END && blocks_end_decode(body, &end) == 0)
        same(frame, n, out, blocks_end_encode(out, &end));
    else if (head->type == FRAME_HOLE && hole_decode(body, &hole) == 0)
        same(frame, n, out, hole_encode(out, hole));
    else if ((head->type == FRAME_FLOW_END || head->type == FRAME_FLOW_AT || head->type == FRAME_FLOW_ACK) &&
             flow_count_decode(body, &hole) == 0)
        same(frame, n, out, flow_count_encode(out, head->type, hole));
}

static void file_again(const uint8_t *frame, size_t n)
{
    uint8_t out[FRAME_HEAD + FILE_FIXED];
    struct file_frame f;

    if (file_frame_decode(frame + FRAME_HEAD, n, &f) != 0)
        return;
    check(f.now.size + FILE_FIXED == n);
    same(frame, FRAME_HEAD + FILE_FIXED, out, file_frame_encode(out, &f));
}

static void stop_again(const uint8_t *body, size_t n)
{
    struct fault fault;
    uint8_t out[FRAME_HEAD + STOP_BYTES_MAX];

    if (stop_decode(body, n, &fault) != 0)
        return;
    check(fault.code > 0 && fault.code < ERR_COUNT && memchr(fault.text, 0, sizeof fault.text) != NULL);
    check(stop_encode(out, &fault) > FRAME_HEAD);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct frame_head head;

    while (size >= FRAME_HEAD && frame_head_decode(data, &head) == 0 && size - FRAME_HEAD >= head.len) {
        uint8_t *frame = malloc(FRAME_HEAD + head.len); /* so that a byte too many is seen */
        check(frame != NULL);
        memcpy(frame, data, FRAME_HEAD + head.len);
        if (head.type == FRAME_LIST)
            list_again(frame + FRAME_HEAD, head.len);
        else if (head.type == FRAME_FILE)
            file_again(frame, head.len);
        else if (head.type == FRAME_STOP)
            stop_again(frame + FRAME_HEAD, head.len);
        else
            fixed_again(frame, &head);
        free(frame);
        data += FRAME_HEAD + head.len;
        size -= FRAME_HEAD + head.len;
    }
    return 0;
}
