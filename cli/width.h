/* How wide text is on a terminal, and text cut to fit. */
#ifndef WEFT_CLI_WIDTH_H
#define WEFT_CLI_WIDTH_H

#include <stddef.h>
#include <stdio.h>

/* Columns that UTF-8 text takes: 2 for wide characters, 0 for those that combine. A byte that is no UTF-8 counts 1. */
size_t width_of(const char *text);

/* Copies what fits into `columns`; what does not is cut at a whole character and ends in "...". Returns `out`. */
const char *width_cut(const char *text, size_t columns, char *out, size_t cap);

/* Columns of the terminal behind the stream, 80 when unknown. */
size_t width_of_terminal(FILE *stream);

#endif
