/* The rows of libweft. See weft.h; all of it is base/row.h under public names. */
#include "rows.h"

struct weft_row *weft_row_new(const char *kind)
{
    return row_shown(row_new(kind));
}

void weft_row_free(struct weft_row *row)
{
    row_free(row_of(row));
}

void weft_row_set_text(struct weft_row *row, const char *name, const char *text)
{
    row_text(row_of(row), name, text);
}

void weft_row_set_bytes(struct weft_row *row, const char *name, const void *bytes, size_t n)
{
    row_data(row_of(row), name, bytes, n);
}

void weft_row_set_int(struct weft_row *row, const char *name, int64_t value)
{
    row_int(row_of(row), name, value);
}

void weft_row_set_bool(struct weft_row *row, const char *name, bool value)
{
    row_bool(row_of(row), name, value);
}

const char *weft_row_kind(const struct weft_row *row)
{
    return row_kind(row_of(row));
}

const char *weft_row_text(const struct weft_row *row, const char *name, const char *fallback)
{
    return row_get_text(row_of(row), name, fallback);
}

const char *weft_row_bytes(const struct weft_row *row, const char *name, size_t *n)
{
    return row_get_bytes(row_of(row), name, n);
}

int64_t weft_row_int(const struct weft_row *row, const char *name, int64_t fallback)
{
    return row_get_int(row_of(row), name, fallback);
}

bool weft_row_bool(const struct weft_row *row, const char *name, bool fallback)
{
    return row_get_bool(row_of(row), name, fallback);
}

size_t weft_row_fields(const struct weft_row *row)
{
    return row_fields(row_of(row));
}

const char *weft_row_field_name(const struct weft_row *row, size_t i)
{
    return row_name_at(row_of(row), i);
}

char weft_row_field_type(const struct weft_row *row, size_t i)
{
    switch (row_type_at(row_of(row), i)) {
    case ROW_BOOL: return 'b';
    case ROW_INT: return 'i';
    case ROW_TEXT: return 't';
    case ROW_DATA: return 'd';
    case ROW_NIL: break;
    }
    return 'n';
}

int64_t weft_row_field_int(const struct weft_row *row, size_t i)
{
    const struct row *r = row_of(row);
    return row_type_at(r, i) == ROW_BOOL ? row_bool_at(r, i) : row_int_at(r, i);
}

const char *weft_row_field_bytes(const struct weft_row *row, size_t i, size_t *n)
{
    return row_bytes_at(row_of(row), i, n);
}
