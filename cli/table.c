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
    return t->heads[column] + (t->heads[column][0] == '>');
}

static size_t column_width(const struct table *t, size_t column, bool headed)
{
    size_t widest = headed ? width_of(head(t, column)) : 0;

    for (size_t i = column; i < t->count; i += t->columns)
        if (width_of(t->cells[i]) > widest)
            widest = width_of(t->cells[i]);
    return widest;
}

static void print_cell(const struct table *t, size_t column, const char *text, size_t width, FILE *out)
{
    int pad = (int)(width - width_of(text));
    bool right = t->heads[column][0] == '>', last = column + 1 == t->columns;

    fprintf(out, "%*s%s%*s%s", right ? pad : 0, "", text, right || last ? 0 : pad, "", last ? "\n" : "  ");
}

void table_print(const struct table *t, FILE *out, bool headed)
{
    size_t *widths = cli_need(calloc(t->columns, sizeof *widths));

    for (size_t c = 0; c < t->columns; c++)
        widths[c] = column_width(t, c, headed);
    for (size_t c = 0; headed && t->count && c < t->columns; c++)
        print_cell(t, c, head(t, c), widths[c], out);
    for (size_t i = 0; i < t->count; i++)
        print_cell(t, i % t->columns, t->cells[i], widths[i % t->columns], out);
    free(widths);
}
