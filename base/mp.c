/* The bounded MessagePack writer and reader. See mp.h.
 *
 * Does not know what the values mean. The scan is ours and complete: when it has passed, msgpack-c is asked for nothing that
 * costs more than a fixed factor of the bytes at hand. */
#include "mp.h"

#include "err.h"

#include <assert.h>
#include <string.h>

/* ---- writing */

static int append(void *arg, const char *bytes, size_t n)
{
    struct mpw *w = arg;
    if (!w->err && n > w->cap - w->len)
        w->err = ERR_LIMIT;
    if (w->err)
        return -1;
    memcpy(w->buf + w->len, bytes, n);
    w->len += n;
    return 0;
}

void mpw_init(struct mpw *w, void *buf, size_t cap)
{
    memset(buf, 0, cap);
    *w = (struct mpw){.buf = buf, .cap = cap};
    msgpack_packer_init(&w->packer, w, append);
}

void mpw_array(struct mpw *w, size_t items)
{
    msgpack_pack_array(&w->packer, items);
}

void mpw_uint(struct mpw *w, uint64_t v)
{
    msgpack_pack_uint64(&w->packer, v);
}

void mpw_int(struct mpw *w, int64_t v)
{
    msgpack_pack_int64(&w->packer, v);
}

void mpw_bool(struct mpw *w, bool v)
{
    if (v)
        msgpack_pack_true(&w->packer);
    else
        msgpack_pack_false(&w->packer);
}

void mpw_nil(struct mpw *w)
{
    msgpack_pack_nil(&w->packer);
}

void mpw_str(struct mpw *w, const char *text)
{
    size_t n = strlen(text);
    msgpack_pack_str(&w->packer, n);
    if (n)
        msgpack_pack_str_body(&w->packer, text, n);
}

void mpw_bin(struct mpw *w, const void *bytes, size_t n)
{
    msgpack_pack_bin(&w->packer, n);
    if (n)
        msgpack_pack_bin_body(&w->packer, bytes, n);
}

int mpw_finish(const struct mpw *w, size_t *len)
{
    *len = w->err ? 0 : w->len;
    return w->err;
}

/* ---- scanning */

struct scan {
    const uint8_t *at;
    size_t left;
    size_t items; /* values that may still come */
};

/* What a first byte says: `length` bytes of big-endian number behind it, then what the number counts. */
struct head {
    enum { HEAD_BAD, HEAD_VALUE, HEAD_BYTES, HEAD_ARRAY } kind;
    uint8_t length; /* for HEAD_VALUE: the value itself, skipped */
    uint8_t count;  /* when length is 0 */
};

static struct head head_of(uint8_t byte)
{
    if (byte <= 0x7f || byte >= 0xe0)
        return (struct head){HEAD_VALUE, 0, 0};
    if (byte >= 0x90 && byte <= 0x9f)
        return (struct head){HEAD_ARRAY, 0, byte & 0x0f};
    if (byte >= 0xa0 && byte <= 0xbf)
        return (struct head){HEAD_BYTES, 0, byte & 0x1f};
    switch (byte) {
    case 0xc0: /* nil */
    case 0xc2: /* false */
    case 0xc3: return (struct head){HEAD_VALUE, 0, 0};
    case 0xc4: /* bin 8, str 8 */
    case 0xd9: return (struct head){HEAD_BYTES, 1, 0};
    case 0xc5:
    case 0xda: return (struct head){HEAD_BYTES, 2, 0};
    case 0xc6:
    case 0xdb: return (struct head){HEAD_BYTES, 4, 0};
    case 0xcc: /* uint 8, int 8 */
    case 0xd0: return (struct head){HEAD_VALUE, 1, 0};
    case 0xcd:
    case 0xd1: return (struct head){HEAD_VALUE, 2, 0};
    case 0xce:
    case 0xd2: return (struct head){HEAD_VALUE, 4, 0};
    case 0xcf:
    case 0xd3: return (struct head){HEAD_VALUE, 8, 0};
    case 0xdc: return (struct head){HEAD_ARRAY, 2, 0};
    case 0xdd: return (struct head){HEAD_ARRAY, 4, 0};
    default: return (struct head){HEAD_BAD, 0, 0}; /* maps, floats, extensions, 0xc1 */
    }
}

#define NO_ARRAY SIZE_MAX

/* Takes the head of one value, and its bytes; `*children` is how many values follow inside it, or NO_ARRAY. */
static int scan_value(struct scan *s, size_t *children)
{
    *children = NO_ARRAY;
    if (s->items == 0)
        return ERR_LIMIT;
    if (s->left == 0)
        return ERR_MALFORMED;
    s->items--;
    struct head head = head_of(*s->at);
    if (head.kind == HEAD_BAD || s->left - 1 < head.length)
        return ERR_MALFORMED;
    uint64_t number = head.count;
    for (size_t i = 1; i <= head.length; i++)
        number = number << 8 | s->at[i];
    s->at += 1 + head.length;
    s->left -= 1 + (size_t)head.length;
    if (head.kind == HEAD_VALUE)
        return 0;
    if (number > s->left)
        return ERR_MALFORMED;
    if (head.kind == HEAD_ARRAY) {
        *children = (size_t)number;
        return 0;
    }
    s->at += number;
    s->left -= (size_t)number;
    return 0;
}

/* Is this exactly one value within all bounds? Allocates nothing. */
static int scan(const uint8_t *bytes, size_t n, size_t max_items)
{
    struct scan s = {bytes, n, max_items};
    size_t due[MP_DEPTH + 1] = {1}; /* values still to come in each open array */
    size_t depth = 0;
    for (;;) {
        while (depth > 0 && due[depth] == 0)
            depth--;
        if (due[depth] == 0)
            return s.left ? ERR_MALFORMED : 0;
        due[depth]--;
        size_t children;
        int err = scan_value(&s, &children);
        if (err)
            return err;
        if (children == NO_ARRAY)
            continue;
        if (depth == MP_DEPTH)
            return ERR_LIMIT;
        due[++depth] = children;
    }
}

/* ---- reading */

void mpr_fail(struct mpr *r, int err)
{
    if (!r->err)
        r->err = err;
}

int mpr_open(struct mpr *r, const void *bytes, size_t n, size_t max_items)
{
    memset(r, 0, sizeof *r);
    msgpack_unpacked_init(&r->unpacked);
    r->err = scan(bytes, n, max_items);
    if (r->err)
        return r->err;
    size_t taken = 0;
    int result = msgpack_unpack_next(&r->unpacked, bytes, n, &taken);
    if (result == MSGPACK_UNPACK_NOMEM_ERROR)
        r->err = ERR_NOMEM;
    else if (result != MSGPACK_UNPACK_SUCCESS || taken != n)
        r->err = ERR_MALFORMED;
    r->level[0] = (struct mp_level){&r->unpacked.data, 1, 0};
    return r->err;
}

int mpr_close(struct mpr *r)
{
    for (int i = 0; i <= r->depth; i++)
        if (r->level[i].next < r->level[i].count)
            mpr_fail(r, ERR_MALFORMED);
    msgpack_unpacked_destroy(&r->unpacked);
    return r->err;
}

/* The next value when it is of a type, else NULL and an error. */
static const msgpack_object *next(struct mpr *r, msgpack_object_type type)
{
    if (r->err)
        return NULL;
    struct mp_level *level = &r->level[r->depth];
    if (level->next == level->count || level->items[level->next].type != type) {
        r->err = ERR_MALFORMED;
        return NULL;
    }
    return &level->items[level->next++];
}

enum mp_type mpr_peek(const struct mpr *r)
{
    const struct mp_level *level = &r->level[r->depth];
    if (r->err || level->next == level->count)
        return MP_NONE;
    switch (level->items[level->next].type) {
    case MSGPACK_OBJECT_NIL: return MP_NIL;
    case MSGPACK_OBJECT_BOOLEAN: return MP_BOOL;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
    case MSGPACK_OBJECT_NEGATIVE_INTEGER: return MP_INT;
    case MSGPACK_OBJECT_STR: return MP_STR;
    case MSGPACK_OBJECT_BIN: return MP_BIN;
    case MSGPACK_OBJECT_ARRAY: return MP_ARRAY;
    default: return MP_NONE; /* the scan lets nothing else through */
    }
}

void mpr_nil(struct mpr *r)
{
    next(r, MSGPACK_OBJECT_NIL);
}

size_t mpr_array(struct mpr *r, size_t max)
{
    const msgpack_object *o = next(r, MSGPACK_OBJECT_ARRAY);
    if (!o)
        return 0;
    if (o->via.array.size > max || r->depth == MP_DEPTH) {
        r->err = ERR_LIMIT;
        return 0;
    }
    r->level[++r->depth] = (struct mp_level){o->via.array.ptr, o->via.array.size, 0};
    return o->via.array.size;
}

void mpr_array_of(struct mpr *r, size_t n)
{
    if (mpr_array(r, SIZE_MAX) != n)
        mpr_fail(r, ERR_MALFORMED);
}

void mpr_leave(struct mpr *r)
{
    if (r->err)
        return;
    assert(r->depth > 0);
    if (r->level[r->depth].next != r->level[r->depth].count)
        r->err = ERR_MALFORMED;
    else
        r->depth--;
}

uint64_t mpr_uint(struct mpr *r, uint64_t max)
{
    const msgpack_object *o = next(r, MSGPACK_OBJECT_POSITIVE_INTEGER);
    if (!o)
        return 0;
    if (o->via.u64 > max) {
        r->err = ERR_LIMIT;
        return 0;
    }
    return o->via.u64;
}

int64_t mpr_int(struct mpr *r)
{
    const struct mp_level *level = &r->level[r->depth];
    if (mpr_peek(r) != MP_INT || level->items[level->next].type == MSGPACK_OBJECT_POSITIVE_INTEGER)
        return (int64_t)mpr_uint(r, INT64_MAX);
    return next(r, MSGPACK_OBJECT_NEGATIVE_INTEGER)->via.i64;
}

bool mpr_bool(struct mpr *r)
{
    const msgpack_object *o = next(r, MSGPACK_OBJECT_BOOLEAN);
    return o && o->via.boolean;
}

const char *mpr_str_ref(struct mpr *r, size_t max, size_t *n)
{
    *n = 0;
    const msgpack_object *o = next(r, MSGPACK_OBJECT_STR);
    if (!o)
        return "";
    if (o->via.str.size > max)
        r->err = ERR_LIMIT;
    else if (!utf8_valid(o->via.str.ptr, o->via.str.size))
        r->err = ERR_MALFORMED;
    if (r->err)
        return "";
    *n = o->via.str.size;
    return *n ? o->via.str.ptr : "";
}

void mpr_str(struct mpr *r, char *buf, size_t cap)
{
    size_t n;
    const char *text = mpr_str_ref(r, cap - 1, &n);
    memcpy(buf, text, n);
    buf[n] = 0;
}

const uint8_t *mpr_bin(struct mpr *r, size_t max, size_t *n)
{
    static const uint8_t none[1] = {0}; /* so that copying zero bytes needs no special case */
    *n = 0;
    const msgpack_object *o = next(r, MSGPACK_OBJECT_BIN);
    if (!o)
        return none;
    if (o->via.bin.size > max) {
        r->err = ERR_LIMIT;
        return none;
    }
    *n = o->via.bin.size;
    return *n ? (const uint8_t *)o->via.bin.ptr : none;
}

void mpr_bin_of(struct mpr *r, void *out, size_t n)
{
    size_t got;
    const uint8_t *bytes = mpr_bin(r, SIZE_MAX, &got);
    if (!r->err && got == n)
        memcpy(out, bytes, n);
    else
        memset(out, 0, n);
    if (got != n)
        mpr_fail(r, ERR_MALFORMED);
}
