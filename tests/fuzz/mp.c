/* The bounded MessagePack reader: any bytes are refused or can be walked to their end, and what was walked can be written again
 * and walked to the same values. */
#include "mp.h"
#include "err.h"
#include "limits.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool right)
{
    if (!right)
        abort();
}

/* Reads one value and writes it. */
static void value_copy(struct mpr *r, struct mpw *w)
{
    size_t n;
    const void *bytes;
    char text[64];
    switch (mpr_peek(r)) {
    case MP_NIL:
        mpr_nil(r);
        mpw_nil(w);
        break;
    case MP_BOOL: mpw_bool(w, mpr_bool(r)); break;
    case MP_INT: {
        int64_t v = mpr_int(r);
        mpw_int(w, v);
        break;
    }
    case MP_STR:
        bytes = mpr_str_ref(r, sizeof text - 1, &n);
        memcpy(text, bytes, n);
        text[n] = 0;
        mpw_str(w, text);
        break;
    case MP_BIN:
        bytes = mpr_bin(r, MSG_BYTES_MAX, &n);
        mpw_bin(w, bytes, n);
        break;
    case MP_ARRAY:
        n = mpr_array(r, MSG_ITEMS_MAX);
        mpw_array(w, n);
        for (size_t i = 0; i < n; i++)
            value_copy(r, w);
        mpr_leave(r);
        break;
    case MP_NONE: check(r->err != 0); break;
    }
}

/* Copies a whole input; 0 and its length when it could be read to the end. */
static int copy(const uint8_t *data, size_t size, uint8_t *out, size_t cap, size_t *n)
{
    struct mpr r;
    struct mpw w;
    mpw_init(&w, out, cap);
    int opening = mpr_open(&r, data, size, MSG_ITEMS_MAX);
    if (opening == 0)
        value_copy(&r, &w);
    int err = mpr_close(&r);
    check(opening == 0 || err == opening);
    check(mpw_finish(&w, n) == 0);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > MSG_BYTES_MAX)
        return 0;
    size_t cap = size + 16, n, again_n;
    uint8_t *once = malloc(cap), *again = malloc(cap);
    check(once && again);
    if (copy(data, size, once, cap, &n) == 0) {
        check(n <= size); /* ours is the shortest form */
        check(copy(once, n, again, cap, &again_n) == 0);
        check(again_n == n && memcmp(once, again, n) == 0);
    }
    free(once);
    free(again);
    return 0;
}
