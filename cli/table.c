/* All cells are kept until the print, so this is for lists with a bound (peers, shares), not for the files of a tree. */
#include "table.h"

#include "cli.h"
#include "log.h"
#include "width.h"

#include <stdlib.h>
#include <string.h>

struct table {
    const char *const *heads;
    size_t columns;
    char **cells;
    size_t count, room;
};

struct table *table_new(const char *const *heads)
{
    struct table *t = cli_need(calloc(1, sizeof *t));

    t->heads = heads;
    while (heads[t->columns])
        t->columns++;
    return t;
}

void table_free(struct table *t)
{
    for (size_t i = 0; t && i < t->count; i++)
        free(t->cells[i]);
    if (t)
        free(t->cells);
    free(t);
}

void table_bytes(struct table *t, const void *bytes, size_t n)
{
    if (t->count == t->room) {
        t->room = t->room ? 2 * t->room : 64;
        t->cells = cli_need(reallocarray(t->cells, t->room, sizeof *t->cells));
    }
    char *cell = cli_need(malloc(4 * n + 8)); /* an escape is at most four times as long */
    escape(bytes, n, cell, 4 * n + 8);
    t->cells[t->count++] = cell;
}

void table_text(struct table *t, const char *text)
{
    table_bytes(t, text ? text : "", text ? strlen(text) : 0);
}

bool table_empty(const struct table *t)
{
    return t->count == 0;
}

static const char *head(const struct table *t, size_t column)
{
    return t->heads[column] + strspn(t->heads[column], ">?");
}

/* 0: the column is left out. */
static size_t column_width(const struct table *t, size_t column, bool headed)
{
    size_t widest = 0;

    for (size_t i = column; i < t->count; i += t->columns)
        if (width_of(t->cells[i]) > widest)
            widest = width_of(t->cells[i]);
    if (!headed || (widest == 0 && t->heads[column][0] == '?'))
        return widest;
    return width_of(head(t, column)) > widest ? width_of(head(t, column)) : widest;
}

/* One row, or without cells the headings. Blanks behind a cell are printed when another one follows. */
static void print_row(const struct table *t, char *const *cells, const size_t *widths, FILE *out)
{
    const char *gap = "";
    int owed = 0;

    for (size_t c = 0; c < t->columns; c++) {
        if (widths[c] == 0 && t->heads[c][0] == '?')
            continue;
        const char *text = cells ? cells[c] : head(t, c);
        int pad = (int)(widths[c] - width_of(text));
        bool right = t->heads[c][0] == '>';
        fprintf(out, "%*s%s%*s%s", owed, "", gap, right ? pad : 0, "", text);
        owed = right ? 0 : pad;
        gap = "  ";
    }
    putc('\n', out);
}

void table_print(const struct table *t, FILE *out, bool headed)
{
    size_t *widths = cli_need(calloc(t->columns, sizeof *widths));

    for (size_t c = 0; c < t->columns; c++)
        widths[c] = column_width(t, c, headed);
    if (headed && t->count)
        print_row(t, NULL, widths, out);
    for (size_t i = 0; i < t->count; i += t->columns)
        print_row(t, t->cells + i, widths, out);
    free(widths);
}
