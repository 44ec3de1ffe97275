/* Values of rows as people see them. What others wrote is escaped here, always. */
#ifndef WEFT_CLI_SHOW_H
#define WEFT_CLI_SHOW_H

#include "units.h"
#include "weft.h"

#include <stdio.h>

/* Gives the field's text or bytes, escaped; "" when it is missing (free). Memory that runs out ends the program. */
char *show_field(const struct weft_row *row, const char *name);
/* Prints it. */
void show_put(FILE *out, const struct weft_row *row, const char *name);

/* Prints the i-th field, whatever its type. */
void show_put_at(FILE *out, const struct weft_row *row, size_t i);

/* A count; 0 when it is missing. */
uint64_t show_number(const struct weft_row *row, const char *name);

/* Calls `each` for every value of a field that can repeat. */
void show_each(const struct weft_row *row, const char *name, void (*each)(void *arg, const char *text, size_t n), void *arg);

/* The route to a peer ("relay:hub"), not escaped; NULL when it is direct or there is none. */
const char *show_route(const struct weft_row *row);

/* The size of a share or an entry; "-" for a folder whose size nobody has added up. */
struct units_text show_size(const struct weft_row *row);

/* All values of a field that can repeat, with commas between; "" when there is none. Gives it, not escaped (free). */
char *show_list(const struct weft_row *row, const char *name);

/* Who may read a share: "public", "trusted", or the named peers; with " rw" when they may write. Gives it, not escaped
 * (free). */
char *show_audience(const struct weft_row *share);

#endif
