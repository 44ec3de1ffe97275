/* See meter.h. A wait is no slow transfer, and what flowed in one phase says nothing of the next: each has its own rate. */
#include "meter.h"

#include "show.h"
#include "width.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINE_BYTES 2048

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void meter_start(struct meter *meter, struct cli *cli)
{
    *meter = (struct meter){.cli = cli, .shown = !cli->quiet && !cli->json && cli_is_terminal(cli->err)};
    progress_sample(&meter->progress, now_ns(), 0);
}

/* Bytes that are fewer than before were not lost: something began anew. */
static void sample(struct meter *meter, enum view_phase phase, uint64_t flowed)
{
    bool flows = progress_flows(phase), other = flows && meter->flow != VIEW_WAITING && meter->flow != phase;

    if (!flows || other || flowed < meter->progress.moved)
        meter->progress = (struct progress){0};
    meter->flow = flows ? phase : VIEW_WAITING;
    progress_sample(&meter->progress, now_ns(), flowed);
}

void meter_show(struct meter *meter, const struct weft_row *row, uint64_t flowed)
{
    struct cli *cli = meter->cli;
    char text[LINE_BYTES];

    if (!meter->shown)
        return;
    char *name = show_field(row, "name");
    const char *part = *name == '/' ? strrchr(name, '/') + 1 : name;
    struct progress_view view = {
        .phase = progress_phase(weft_row_text(row, "phase", "")),
        .name = *part ? part : name,
        .files_done = show_number(row, "files_done"),
        .files_total = show_number(row, "files_total"),
        .bytes_done = show_number(row, "bytes_done"),
        .bytes_total = show_number(row, "bytes_total"),
    };
    sample(meter, view.phase, flowed);
    progress_line(&meter->progress, &view, width_of_terminal(cli->err) - 1, text, sizeof text);
    fprintf(cli->err, "\r%s\033[K", text);
    fflush(cli->err);
    cli->line = true;
    free(name);
}
