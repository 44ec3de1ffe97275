/* Aligned columns of text, each as wide as its widest cell. */
#ifndef WEFT_CLI_TABLE_H
#define WEFT_CLI_TABLE_H

#include <stdbool.h>
#include <stdio.h>

struct table;

/* `heads` are the columns' headings, NULL-terminated and borrowed; a heading that begins with '>' has its column to the right,
 * and one that begins with '?' a column that is left out when nothing stands in it.
 * Memory that runs out ends the program. */
struct table *table_new(const char *const *heads);
void table_free(struct table *table);

/* The next cell, row by row. It is escaped: any bytes will do. NULL text is an empty cell. */
void table_text(struct table *table, const char *text);
void table_bytes(struct table *table, const void *bytes, size_t n);

bool table_empty(const struct table *table);

/* Prints the heading (when there are rows, and `headed`) and the rows. */
void table_print(const struct table *table, FILE *out, bool headed);

#endif
