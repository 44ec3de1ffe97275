/* How a put of one file went, in a line for people. */
#ifndef WEFT_CLI_PUT_FILE_H
#define WEFT_CLI_PUT_FILE_H

#include "cli.h"

/* Says a row "file": "bob:photos/x.raw: updated by the old bytes here, 400 KiB new, 1.00 GiB reused in 199 regions". */
void put_file_say(struct cli *cli, const struct weft_row *row, bool dry_run);

#endif
