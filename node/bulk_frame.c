/* Frames: see bulk_frame.h. The put and get functions move a cursor; bounds are the frame's length, checked once by its head.
 */
#include "bulk_frame.h"

#include "mp.h"

#include <string.h>

/* ---- numbers */

static uint8_t *put(uint8_t *p, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> 8 * (bytes - 1 - i));
    return p + bytes;
}

static uint64_t get(const uint8_t **p, unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v = v << 8 | (*p)[i];
    *p += bytes;
    return v;
}

static uint8_t *put_now(uint8_t *p, const struct file_now *v)
{
    p = put(p, v->token, 8);
    p = put(p, (uint64_t)v->mtime_s, 8);
    return put(p, v->mtime_ns, 4);
}

static int get_now(const uint8_t **p, struct file_now *v)
{
    v->token = get(p, 8);
    v->mtime_s = (int64_t)get(p, 8);
    v->mtime_ns = (uint32_t)get(p, 4);
    return v->mtime_ns < SECOND ? 0 : ERR_MALFORMED;
}

static uint8_t *put_hash(uint8_t *p, const struct hash128 *v)
{
    memcpy(p, v->b, sizeof v->b);
    return p + sizeof v->b;
}

static void get_hash(const uint8_t **p, struct hash128 *v)
{
    memcpy(v->b, *p, sizeof v->b);
    *p += sizeof v->b;
}

/* ---- heads */

static const struct {
    uint32_t min, max;
} lengths[FRAME_TYPE_END] = {
    [FRAME_KEEP] = {0, 0},
    [FRAME_LIST] = {1, LIST_BYTES_MAX},
    [FRAME_LIST_END] = {LIST_END_BYTES, LIST_END_BYTES},
    [FRAME_WANT_FILES] = {WANT_FILES_FIXED + 1, WANT_FILES_FIXED + WANT_FILES_MAX / 8},
    [FRAME_WANT_BLOCKS] = {WANT_BLOCKS_BYTES, WANT_BLOCKS_BYTES},
    [FRAME_FILE] = {FILE_FIXED, FILE_FIXED + SMALL_BYTES},
    [FRAME_BLOCK] = {BLOCK_FIXED + 1, BLOCK_FIXED + BLOCK_BYTES},
    [FRAME_HOLE] = {HOLE_BYTES, HOLE_BYTES},
    [FRAME_BLOCKS_END] = {BLOCKS_END_BYTES, BLOCKS_END_BYTES},
    [FRAME_DONE] = {0, 0},
    [FRAME_STOP] = {1, STOP_BYTES_MAX},
    [FRAME_FLOW] = {1, FLOW_BYTES_MAX},
    [FRAME_FLOW_END] = {FLOW_COUNT_BYTES, FLOW_COUNT_BYTES},
    [FRAME_FLOW_AT] = {FLOW_COUNT_BYTES, FLOW_COUNT_BYTES},
    [FRAME_FLOW_ACK] = {FLOW_COUNT_BYTES, FLOW_COUNT_BYTES},
};

int frame_head_decode(const uint8_t b[FRAME_HEAD], struct frame_head *head)
{
    const uint8_t *p = b;
    uint64_t type = get(&p, 1), len = get(&p, 3);

    if (type == 0 || type >= FRAME_TYPE_END || len < lengths[type].min || len > lengths[type].max)
        return ERR_MALFORMED;
    head->type = (enum frame_type)type;
    head->len = (uint32_t)len;
    return 0;
}

void frame_head_encode(uint8_t b[FRAME_HEAD], enum frame_type type, size_t len)
{
    put(put(b, type, 1), len, 3);
}

/* ---- statuses */

static const enum err errors[ITEM_STATUS_COUNT] = {
    [ITEM_OK] = 0,          [ITEM_DENIED] = ERR_DENIED, [ITEM_GONE] = ERR_NOT_FOUND, [ITEM_CHANGED] = ERR_CHANGED,
    [ITEM_FAILED] = ERR_IO, [ITEM_LIMIT] = ERR_LIMIT,
};

int item_err(enum item_status status)
{
    return (int)errors[status];
}

enum item_status item_status(int err)
{
    for (int i = 0; i < ITEM_STATUS_COUNT; i++)
        if ((int)errors[i] == err)
            return (enum item_status)i;
    return ITEM_FAILED;
}

/* ---- the sender's frames */

size_t list_end_encode(uint8_t *b, const struct list_end *v)
{
    frame_head_encode(b, FRAME_LIST_END, LIST_END_BYTES);
    uint8_t *p = put(b + FRAME_HEAD, v->count, 4);
    p = put(p, v->bytes, 8);
    p = put(p, v->holes, 8);
    return (size_t)(put_hash(p, &v->hash) - b);
}

int list_end_decode(const uint8_t *b, struct list_end *v)
{
    v->count = (uint32_t)get(&b, 4);
    v->bytes = get(&b, 8);
    v->holes = get(&b, 8);
    get_hash(&b, &v->hash);
    return v->count > 0 && v->count <= MANIFEST_ENTRIES_MAX && v->holes <= v->bytes ? 0 : ERR_MALFORMED;
}

size_t file_frame_encode(uint8_t *b, const struct file_frame *v)
{
    frame_head_encode(b, FRAME_FILE, FILE_FIXED + v->now.size);
    uint8_t *p = put(b + FRAME_HEAD, v->entry, 4);
    p = put(p, v->status, 1);
    p = put_now(p, &v->now);
    return (size_t)(put_hash(p, &v->hash) - b);
}

int file_frame_decode(const uint8_t *b, size_t n, struct file_frame *v)
{
    v->entry = (uint32_t)get(&b, 4);
    uint64_t status = get(&b, 1);
    int err = get_now(&b, &v->now);
    get_hash(&b, &v->hash);
    v->now.size = n - FILE_FIXED;
    if (err != 0 || status >= ITEM_STATUS_COUNT || (status != ITEM_OK && v->now.size != 0))
        return ERR_MALFORMED;
    v->status = (enum item_status)status;
    return 0;
}

size_t block_encode(uint8_t *b, size_t n, const struct hash128 *hash)
{
    frame_head_encode(b, FRAME_BLOCK, BLOCK_FIXED + n);
    return (size_t)(put_hash(b + FRAME_HEAD, hash) - b);
}

size_t hole_encode(uint8_t *b, uint64_t blocks)
{
    frame_head_encode(b, FRAME_HOLE, HOLE_BYTES);
    return (size_t)(put(b + FRAME_HEAD, blocks, 8) - b);
}

int hole_decode(const uint8_t *b, uint64_t *blocks)
{
    *blocks = get(&b, 8);
    return *blocks > 0 ? 0 : ERR_MALFORMED;
}

size_t blocks_end_encode(uint8_t *b, const struct blocks_end *v)
{
    frame_head_encode(b, FRAME_BLOCKS_END, BLOCKS_END_BYTES);
    uint8_t *p = put(b + FRAME_HEAD, v->status, 1);
    p = put_now(p, &v->now);
    return (size_t)(put(p, v->now.size, 8) - b);
}

int blocks_end_decode(const uint8_t *b, struct blocks_end *v)
{
    uint64_t status = get(&b, 1);
    int err = get_now(&b, &v->now);
    v->now.size = get(&b, 8);
    if (err != 0 || status >= ITEM_STATUS_COUNT || v->now.size > INT64_MAX)
        return ERR_MALFORMED;
    v->status = (enum item_status)status;
    return 0;
}

/* ---- the receiver's frames */

bool want_files_has(const struct want_files *v, unsigned i)
{
    return i < v->count && (v->bits[i / 8] >> i % 8 & 1) != 0;
}

size_t want_files_encode(uint8_t *b, const struct want_files *v)
{
    size_t n = (v->count + 7u) / 8;
    frame_head_encode(b, FRAME_WANT_FILES, WANT_FILES_FIXED + n);
    uint8_t *p = put(put(b + FRAME_HEAD, v->first, 4), v->count, 2);
    memcpy(p, v->bits, n);
    return (size_t)(p + n - b);
}

int want_files_decode(const uint8_t *b, size_t n, struct want_files *v)
{
    v->first = (uint32_t)get(&b, 4);
    v->count = (uint16_t)get(&b, 2);
    if (v->count == 0 || v->count > WANT_FILES_MAX || n != WANT_FILES_FIXED + (v->count + 7u) / 8 ||
        v->first > UINT32_MAX - v->count)
        return ERR_MALFORMED;
    memset(v->bits, 0, sizeof v->bits);
    memcpy(v->bits, b, n - WANT_FILES_FIXED);
    bool beyond = v->count % 8 != 0 && v->bits[v->count / 8] >> v->count % 8 != 0;
    return !beyond && want_files_has(v, 0) && want_files_has(v, v->count - 1u) ? 0 : ERR_MALFORMED;
}

size_t want_blocks_encode(uint8_t *b, const struct want_blocks *v)
{
    frame_head_encode(b, FRAME_WANT_BLOCKS, WANT_BLOCKS_BYTES);
    uint8_t *p = put(b + FRAME_HEAD, v->entry, 4);
    p = put(p, v->first, 8);
    p = put(p, v->count, 8);
    return (size_t)(put(p, v->token, 8) - b);
}

int want_blocks_decode(const uint8_t *b, struct want_blocks *v)
{
    v->entry = (uint32_t)get(&b, 4);
    v->first = get(&b, 8);
    v->count = get(&b, 8);
    v->token = get(&b, 8);
    const uint64_t most = INT64_MAX / BLOCK_BYTES + 1; /* blocks of the largest file there can be */
    return v->count > 0 && v->count <= most && v->first <= most - v->count ? 0 : ERR_MALFORMED;
}

/* ---- byte streams */

size_t flow_count_encode(uint8_t *b, enum frame_type type, uint64_t bytes)
{
    frame_head_encode(b, type, FLOW_COUNT_BYTES);
    return (size_t)(put(b + FRAME_HEAD, bytes, 8) - b);
}

int flow_count_decode(const uint8_t *b, uint64_t *bytes)
{
    *bytes = get(&b, 8);
    return *bytes <= INT64_MAX ? 0 : ERR_MALFORMED;
}

/* ---- STOP */

size_t stop_encode(uint8_t *b, const struct fault *v)
{
    struct mpw w;
    size_t len = 0;

    mpw_init(&w, b + FRAME_HEAD, STOP_BYTES_MAX);
    mpw_array(&w, 2);
    mpw_str(&w, err_name((int)v->code));
    mpw_str(&w, v->text);
    mpw_finish(&w, &len); /* a name and FAULT_TEXT always fit */
    frame_head_encode(b, FRAME_STOP, len);
    return FRAME_HEAD + len;
}

int stop_decode(const uint8_t *b, size_t n, struct fault *v)
{
    struct mpr r;
    char name[32], text[FAULT_TEXT];

    mpr_open(&r, b, n, 3);
    mpr_array_of(&r, 2);
    mpr_str(&r, name, sizeof name);
    mpr_str(&r, text, sizeof text);
    mpr_leave(&r);
    if (mpr_close(&r) != 0)
        return ERR_MALFORMED;
    int code = err_from_name(name);
    fault_set(v, code == 0 ? ERR_MALFORMED : code, "%s", text);
    return 0;
}
