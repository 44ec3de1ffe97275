/* struct weft_row, the public name of a row (base/row.h): the same object. */
#ifndef WEFT_NODE_ROWS_H
#define WEFT_NODE_ROWS_H

#include "row.h"
#include "weft.h"

static inline struct row *row_of(const struct weft_row *row)
{
    return (struct row *)row;
}

static inline struct weft_row *row_shown(const struct row *row)
{
    return (struct weft_row *)row;
}

#endif
