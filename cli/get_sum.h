/* What a get came to: the row that ends it, and the line that people see. */
#ifndef WEFT_CLI_GET_SUM_H
#define WEFT_CLI_GET_SUM_H

#include "cli.h"
#include "routes.h"

#include <stdint.h>

struct get_sum { /* zeroed at first */
    uint64_t files, bytes, moved, present, skipped, failed, elapsed_us;
    struct routes routes;
};

/* Reads a row "done" or "summary". */
void get_sum_read(struct get_sum *sum, const struct weft_row *row);
/* Gives such a row. Memory that runs out ends the program. */
struct weft_row *get_sum_row(const struct get_sum *sum, const char *kind);
/* "3 files, 1.42 GiB in 2.1 s (692 MiB/s, direct), 2 already there" */
void get_sum_say(struct cli *cli, const struct get_sum *sum, bool dry_run);

#endif
