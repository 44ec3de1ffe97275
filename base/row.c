/* Rows. See row.h.
 *
 * Does not know which kinds and fields there are. Pipes push 57 KB a row through here, thousands of rows a second, so bytes are
 * copied once each way and nothing is zeroed that is written over. Invariants:
 *   1. `err` is the first thing that went wrong while the row was filled; a row with an error is never encoded.
 *   2. `size` is at least the bytes that the row takes when encoded, and at most ROW_BYTES while there is no error.
 *   3. bytes of text and data that are the row's own are terminated behind their end, and never move while the row lives. */
#include "row.h"

#include "err.h"
#include "mp.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct field {
    char name[ROW_NAME];
    enum row_type type;
    int64_t number; /* of a bool too */
    size_t n;
    const char *bytes; /* of text and data: `own`, or borrowed */
    char own[];
};

struct row {
    char kind[ROW_NAME];
    int err;
    size_t size;
    size_t count;
    struct field *field[ROW_FIELDS];
};

enum {
    HEADS_MAX = 1 + 5, /* bytes before a name, and before a value */
    NUMBER_BYTES = 8,
};

struct row *row_new(const char *kind)
{
    struct row *row = malloc(sizeof *row);
    if (!row)
        return NULL;
    size_t n = strlen(kind);
    assert(n > 0 && n < ROW_NAME);
    memcpy(row->kind, kind, n + 1);
    row->err = 0;
    row->count = 0;
    row->size = 3 + 9 + 1 + n; /* array, seq, kind */
    return row;
}

void row_free(struct row *row)
{
    if (!row)
        return;
    for (size_t i = 0; i < row->count; i++)
        free(row->field[i]);
    free(row);
}

const char *row_kind(const struct row *row)
{
    return row->kind;
}

/* ---- setting */

/* Makes one more field for `n` bytes, with room for `own` of them. NULL when there is no row, or once it has an error. */
static struct field *field_add(struct row *row, const char *name, enum row_type type, size_t n, size_t own)
{
    if (!row)
        return NULL;
    size_t name_n = strlen(name);
    assert(name_n > 0 && name_n < ROW_NAME);
    size_t size = HEADS_MAX + name_n + (n > NUMBER_BYTES ? n : NUMBER_BYTES);
    if (!row->err && (row->count == ROW_FIELDS || n > ROW_BYTES || size > ROW_BYTES - row->size))
        row->err = ERR_LIMIT;
    struct field *field = row->err ? NULL : malloc(sizeof *field + own + 1);
    if (!field) {
        row->err = row->err ? row->err : ERR_NOMEM;
        return NULL;
    }
    memcpy(field->name, name, name_n + 1);
    field->type = type;
    field->number = 0;
    field->n = n;
    field->bytes = field->own;
    field->own[own] = 0;
    row->field[row->count++] = field;
    row->size += size;
    return field;
}

static void number_add(struct row *row, const char *name, enum row_type type, int64_t v)
{
    struct field *field = field_add(row, name, type, 0, 0);
    if (field)
        field->number = v;
}

static void bytes_add(struct row *row, const char *name, enum row_type type, const void *bytes, size_t n)
{
    struct field *field = field_add(row, name, type, n, n);
    if (field && n)
        memcpy(field->own, bytes, n);
}

void row_bool(struct row *row, const char *name, bool v)
{
    number_add(row, name, ROW_BOOL, v);
}

void row_int(struct row *row, const char *name, int64_t v)
{
    number_add(row, name, ROW_INT, v);
}

void row_text(struct row *row, const char *name, const char *text)
{
    if (!text) {
        number_add(row, name, ROW_NIL, 0);
        return;
    }
    size_t n = strlen(text);
    bytes_add(row, name, utf8_valid(text, n) ? ROW_TEXT : ROW_DATA, text, n);
}

void row_data(struct row *row, const char *name, const void *bytes, size_t n)
{
    bytes_add(row, name, ROW_DATA, bytes, n);
}

void row_data_borrowed(struct row *row, const char *name, const void *bytes, size_t n)
{
    struct field *field = field_add(row, name, ROW_DATA, n, 0);
    if (field)
        field->bytes = bytes;
}

/* ---- getting */

static const struct field *field_find(const struct row *row, const char *name, size_t n)
{
    for (size_t i = 0; i < row->count; i++)
        if (strcmp(row->field[i]->name, name) == 0 && n-- == 0)
            return row->field[i];
    return NULL;
}

static const char *bytes_of(const struct field *field)
{
    return field->type == ROW_TEXT || field->type == ROW_DATA ? field->bytes : NULL;
}

bool row_get_bool(const struct row *row, const char *name, bool fallback)
{
    const struct field *field = field_find(row, name, 0);
    return field && field->type == ROW_BOOL ? field->number != 0 : fallback;
}

int64_t row_get_int(const struct row *row, const char *name, int64_t fallback)
{
    const struct field *field = field_find(row, name, 0);
    return field && field->type == ROW_INT ? field->number : fallback;
}

const char *row_get_text(const struct row *row, const char *name, const char *fallback)
{
    return row_get_text_at(row, name, 0, fallback);
}

const char *row_get_text_at(const struct row *row, const char *name, size_t n, const char *fallback)
{
    const struct field *field = field_find(row, name, n);
    return field && field->type == ROW_TEXT ? field->bytes : fallback;
}

const char *row_get_bytes(const struct row *row, const char *name, size_t *n)
{
    const struct field *field = field_find(row, name, 0);
    *n = field ? field->n : 0;
    return field ? bytes_of(field) : NULL;
}

size_t row_count(const struct row *row, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < row->count; i++)
        count += strcmp(row->field[i]->name, name) == 0;
    return count;
}

size_t row_fields(const struct row *row)
{
    return row->count;
}

static const struct field *field_at(const struct row *row, size_t i)
{
    assert(i < row->count);
    return row->field[i];
}

const char *row_name_at(const struct row *row, size_t i)
{
    return field_at(row, i)->name;
}

enum row_type row_type_at(const struct row *row, size_t i)
{
    return field_at(row, i)->type;
}

bool row_bool_at(const struct row *row, size_t i)
{
    return field_at(row, i)->number != 0;
}

int64_t row_int_at(const struct row *row, size_t i)
{
    return field_at(row, i)->number;
}

const char *row_bytes_at(const struct row *row, size_t i, size_t *n)
{
    *n = field_at(row, i)->n;
    return bytes_of(field_at(row, i));
}

/* ---- the wire */

static void value_write(struct mpw *w, const struct field *field)
{
    switch (field->type) {
    case ROW_NIL: mpw_nil(w); break;
    case ROW_BOOL: mpw_bool(w, field->number != 0); break;
    case ROW_INT: mpw_int(w, field->number); break;
    case ROW_TEXT: mpw_str(w, field->bytes); break;
    case ROW_DATA: mpw_bin(w, field->bytes, field->n); break;
    }
}

int row_encode(const struct row *row, uint64_t seq, void *buf, size_t cap, size_t *len)
{
    struct mpw w;
    *len = 0;
    if (row->err)
        return row->err;
    mpw_init(&w, buf, cap < row->size ? cap : row->size); /* which zeroes as much */
    mpw_array(&w, 2 + 2 * row->count);
    mpw_uint(&w, seq);
    mpw_str(&w, row->kind);
    for (size_t i = 0; i < row->count; i++) {
        mpw_str(&w, row->field[i]->name);
        value_write(&w, row->field[i]);
    }
    return mpw_finish(&w, len);
}

/* A kind or a field's name: lower-case letters, digits, '-' and '_'. */
static void label_read(struct mpr *r, char label[ROW_NAME])
{
    mpr_str(r, label, ROW_NAME);
    if (label[0] == 0 || label[strspn(label, "abcdefghijklmnopqrstuvwxyz0123456789-_")])
        mpr_fail(r, ERR_MALFORMED);
}

static void field_read(struct mpr *r, struct row *row)
{
    char name[ROW_NAME];
    size_t n;
    const void *bytes;
    label_read(r, name);
    if (r->err)
        return;
    switch (mpr_peek(r)) {
    case MP_NIL:
        mpr_nil(r);
        row_text(row, name, NULL);
        break;
    case MP_BOOL: row_bool(row, name, mpr_bool(r)); break;
    case MP_INT: row_int(row, name, mpr_int(r)); break;
    case MP_STR:
        bytes = mpr_str_ref(r, ROW_BYTES, &n);
        bytes_add(row, name, ROW_TEXT, bytes, n);
        break;
    case MP_BIN:
        bytes = mpr_bin(r, ROW_BYTES, &n);
        bytes_add(row, name, ROW_DATA, bytes, n);
        break;
    case MP_NONE:
    case MP_ARRAY: mpr_fail(r, ERR_MALFORMED); break;
    }
    if (row->err)
        mpr_fail(r, row->err);
}

/* A new row, which is complete unless the reader has an error, or NULL. */
static struct row *row_read(struct mpr *r, uint64_t *seq)
{
    char kind[ROW_NAME];
    size_t items = mpr_array(r, 2 + 2 * ROW_FIELDS);
    *seq = mpr_uint(r, UINT64_MAX);
    label_read(r, kind);
    if (r->err)
        return NULL;
    struct row *row = row_new(kind);
    if (!row)
        mpr_fail(r, ERR_NOMEM);
    for (size_t i = 2; i < items && row && !r->err; i += 2)
        field_read(r, row);
    mpr_leave(r);
    return row;
}

int row_decode(const void *bytes, size_t n, uint64_t *seq, struct row **row)
{
    struct mpr r;
    struct row *got = NULL;
    *row = NULL;
    *seq = 0;
    if (n > ROW_BYTES)
        return ERR_LIMIT;
    if (mpr_open(&r, bytes, n, 3 + 2 * ROW_FIELDS) == 0)
        got = row_read(&r, seq);
    int err = mpr_close(&r);
    if (err)
        row_free(got);
    else
        *row = got;
    return err;
}
