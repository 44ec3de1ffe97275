/* What the last lines of get and put have in common. */
#ifndef WEFT_CLI_SAY_SUM_H
#define WEFT_CLI_SAY_SUM_H

#include "cli.h"
#include "routes.h"

#include <stdint.h>

/* "3 files, 1.42 GiB" */
void say_sum_files(struct cli *cli, uint64_t files, uint64_t bytes);
/* " (692 MiB/s, direct)" of what moved in that time */
void say_sum_rate(struct cli *cli, uint64_t moved, uint64_t elapsed_us, const struct routes *routes);
/* ", direct", escaped; nothing when there is no route */
void say_sum_routes(struct cli *cli, const struct routes *routes);
/* ", 2 already there, 1 skipped, 1 failed": what there is of these */
void say_sum_rest(struct cli *cli, uint64_t present, uint64_t skipped, uint64_t failed);

#endif
