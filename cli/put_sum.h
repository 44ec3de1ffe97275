/* What a put came to: the line that people see. */
#ifndef WEFT_CLI_PUT_SUM_H
#define WEFT_CLI_PUT_SUM_H

#include "cli.h"
#include "routes.h"

#include <stdint.h>

struct put_sum { /* zeroed at first */
    uint64_t files, bytes, sent, reused, wire, present, skipped, failed, elapsed_us;
    struct routes routes;
};

/* Reads a row "done" or "summary". */
void put_sum_read(struct put_sum *sum, const struct weft_row *row);
/* "1 file, 1.00 GiB in 0.6 s: sent 402 KiB, reused 1.00 GiB (2,604:1, direct)" */
void put_sum_say(struct cli *cli, const struct put_sum *sum, bool dry_run);

#endif
