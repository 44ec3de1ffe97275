/* The bounded MessagePack writer and reader.
 *
 * Everything that weft reads from outside goes through this reader. It first scans the bytes without allocating anything:
 * depth, number of items, every length inside the buffer, no more children than bytes left, no extension types, no maps, no
 * floats, nothing left over. Only then does msgpack-c unpack them (it would otherwise reserve gigabytes for a five-byte
 * frame). The reading functions then check type and range of one value at a time.
 *
 * Both sides keep their first error and turn later calls into no-ops that yield zeros, so a codec is a list of fields with
 * one check at its end. Invariant: after an error a reader yields only 0, false, empty. */
#ifndef WEFT_BASE_MP_H
#define WEFT_BASE_MP_H

#include "utf8.h"

#include <msgpack.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- writing into a buffer of the caller's */

struct mpw {
    uint8_t *buf;
    size_t cap, len;
    int err; /* ERR_LIMIT once something did not fit */
    msgpack_packer packer;
};

/* Starts a writer over `cap` bytes (borrows), which it zeroes: nothing of what stood there can travel. Do not move a writer. */
void mpw_init(struct mpw *w, void *buf, size_t cap);
void mpw_array(struct mpw *w, size_t items);
void mpw_uint(struct mpw *w, uint64_t v);
void mpw_int(struct mpw *w, int64_t v);
void mpw_bool(struct mpw *w, bool v);
void mpw_nil(struct mpw *w);
void mpw_str(struct mpw *w, const char *text);
void mpw_bin(struct mpw *w, const void *bytes, size_t n);
/* 0 and the length written, or the first error. */
int mpw_finish(const struct mpw *w, size_t *len);

/* ---- reading */

#define MP_DEPTH 8

/* An array that has been entered; the outermost level holds the one value itself. */
struct mp_level {
    const msgpack_object *items;
    uint32_t count, next;
};

struct mpr {
    int err;
    msgpack_unpacked unpacked;
    int depth;
    struct mp_level level[MP_DEPTH + 1];
};

/* Scans and unpacks `n` bytes holding exactly one value of at most `max_items` values in all (borrows `bytes` until
 * mpr_close). ERR_MALFORMED or ERR_LIMIT; mpr_close is due in every case. */
int mpr_open(struct mpr *r, const void *bytes, size_t n, size_t max_items);
/* Frees the reader. Returns the first error; ERR_MALFORMED also when items were left unread in the outermost array. */
int mpr_close(struct mpr *r);
/* Marks the bytes as wrong, for a check that only the codec can make. */
void mpr_fail(struct mpr *r, int err);

/* Enters an array. mpr_array yields its length, at most `max`; mpr_array_of wants just `n`. Each needs its mpr_leave, which
 * fails when items were left unread. */
size_t mpr_array(struct mpr *r, size_t max);
void mpr_array_of(struct mpr *r, size_t n);
void mpr_leave(struct mpr *r);

/* What the next value is; MP_NONE at the end of an array and after an error. */
enum mp_type { MP_NONE, MP_NIL, MP_BOOL, MP_INT, MP_STR, MP_BIN, MP_ARRAY };
enum mp_type mpr_peek(const struct mpr *r);

void mpr_nil(struct mpr *r);
uint64_t mpr_uint(struct mpr *r, uint64_t max);
int64_t mpr_int(struct mpr *r);
bool mpr_bool(struct mpr *r);
/* A string of valid UTF-8 without NUL, copied and terminated into `buf`; at most cap - 1 bytes. */
void mpr_str(struct mpr *r, char *buf, size_t cap);
/* The same, borrowed from the input and not terminated; at most `max` bytes. */
const char *mpr_str_ref(struct mpr *r, size_t max, size_t *n);
/* Bytes of any content, borrowed from the input: valid until the input is. */
const uint8_t *mpr_bin(struct mpr *r, size_t max, size_t *n);
/* Exactly `n` bytes, copied. */
void mpr_bin_of(struct mpr *r, void *out, size_t n);

#endif
