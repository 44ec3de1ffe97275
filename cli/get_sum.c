/* See get_sum.h. */
#include "get_sum.h"

#include "call.h"
#include "log.h"
#include "show.h"
#include "units.h"

#include <inttypes.h>
#include <string.h>

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

static void say_count(struct cli *cli, uint64_t count, const char *what)
{
    if (count)
        cli_say(cli, ", %" PRIu64 " %s", count, what);
}

/* "(692 MiB/s, direct)" */
static void say_way(struct cli *cli, const struct get_sum *s)
{
    double rate = s->elapsed_us ? (double)s->moved * 1e6 / (double)s->elapsed_us : 0;
    char route[4 * ROUTES_TEXT + 8];

    escape(s->routes.s, strlen(s->routes.s), route, sizeof route);
    cli_say(cli, " (%s/s%s%s)", units_size((uint64_t)rate).s, *route ? ", " : "", route);
}

void get_sum_say(struct cli *cli, const struct get_sum *s, bool dry_run)
{
    cli_say(cli, "%s%" PRIu64 " file%s, %s", dry_run ? "would fetch " : "", s->files, s->files == 1 ? "" : "s",
            units_size(s->bytes).s);
    if (!dry_run)
        cli_say(cli, " in %s", units_duration(s->elapsed_us).s);
    if (s->moved > 0)
        say_way(cli, s);
    if (s->moved > 0 && s->moved < s->bytes)
        cli_say(cli, ", %s of it without being sent", units_size(s->bytes - s->moved).s);
    say_count(cli, s->present, "already there");
    say_count(cli, s->skipped, "skipped");
    say_count(cli, s->failed, "failed");
    cli_say(cli, "\n");
}
