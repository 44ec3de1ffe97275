/* Rows "progress" of a transfer as a line on the terminal. */
#ifndef WEFT_CLI_METER_H
#define WEFT_CLI_METER_H

#include "cli.h"
#include "progress.h"

struct meter {
    struct cli *cli;
    bool shown;           /* err is a terminal, and it is wanted */
    enum view_phase flow; /* whose bytes were sampled last */
    struct progress progress;
};

/* From here on, time counts. */
void meter_start(struct meter *meter, struct cli *cli);
/* Shows a row: name, phase, and what is done. Of a path of this machine the last part is shown, which is not the one to be cut.
 * In the phase of the row so many bytes have flowed: that makes the rate. */
void meter_show(struct meter *meter, const struct weft_row *row, uint64_t flowed);

#endif
