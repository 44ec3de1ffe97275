/* See get_sum.h. */
#include "get_sum.h"

#include "call.h"
#include "say_sum.h"
#include "show.h"
#include "units.h"

void get_sum_read(struct get_sum *s, const struct weft_row *row)
{
    *s = (struct get_sum){.files = show_number(row, "files"),
                          .bytes = show_number(row, "bytes"),
                          .moved = show_number(row, "bytes_moved"),
                          .present = show_number(row, "present"),
                          .skipped = show_number(row, "skipped"),
                          .failed = show_number(row, "failed"),
                          .elapsed_us = show_number(row, "elapsed_us")};
    if (s->moved > 0)
        routes_add(&s->routes, weft_row_text(row, "route", ""));
}

struct weft_row *get_sum_row(const struct get_sum *s, const char *kind)
{
    struct weft_row *row = cli_request(kind);

    weft_row_set_int(row, "files", (int64_t)s->files);
    weft_row_set_int(row, "bytes", (int64_t)s->bytes);
    weft_row_set_int(row, "bytes_moved", (int64_t)s->moved);
    weft_row_set_int(row, "present", (int64_t)s->present);
    weft_row_set_int(row, "skipped", (int64_t)s->skipped);
    weft_row_set_int(row, "failed", (int64_t)s->failed);
    weft_row_set_int(row, "elapsed_us", (int64_t)s->elapsed_us);
    weft_row_set_text(row, "route", s->routes.s);
    return row;
}

void get_sum_say(struct cli *cli, const struct get_sum *s, bool dry_run)
{
    cli_say(cli, dry_run ? "would fetch " : "");
    say_sum_files(cli, s->files, s->bytes);
    if (!dry_run)
        cli_say(cli, " in %s", units_duration(s->elapsed_us).s);
    if (s->moved > 0)
        say_sum_rate(cli, s->moved, s->elapsed_us, &s->routes);
    if (s->moved > 0 && s->moved < s->bytes)
        cli_say(cli, ", %s of it without being sent", units_size(s->bytes - s->moved).s);
    say_sum_rest(cli, s->present, s->skipped, s->failed);
    cli_say(cli, "\n");
}
