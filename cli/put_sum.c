/* See put_sum.h.
 *
 * What is said to be sent is all that crossed the network for it, both ways, framing included, so that nobody is flattered: the
 * ratio is that of what was brought up to date to it, without what was so before. Of a dry run, which sends nothing yet, it is
 * the new content. */
#include "put_sum.h"

#include "say_sum.h"
#include "show.h"
#include "units.h"

#include <inttypes.h>

void put_sum_read(struct put_sum *s, const struct weft_row *row)
{
    *s = (struct put_sum){.files = show_number(row, "files"),
                          .bytes = show_number(row, "bytes"),
                          .sent = show_number(row, "bytes_sent"),
                          .reused = show_number(row, "bytes_reused"),
                          .wire = show_number(row, "bytes_wire"),
                          .present = show_number(row, "present"),
                          .skipped = show_number(row, "skipped"),
                          .failed = show_number(row, "failed"),
                          .elapsed_us = show_number(row, "elapsed_us")};
    routes_add(&s->routes, weft_row_text(row, "route", ""));
}

/* Everything was there, or was left alone: also an empty file would be one more. */
static bool is_idle(const struct put_sum *s)
{
    return s->sent + s->reused + s->failed == 0 && s->present + s->skipped > 0 && s->files <= s->present + s->skipped;
}

/* "nothing to send: up to date", "nothing to send: 3 files are up to date, 1 skipped" */
static void say_idle(struct cli *cli, const struct put_sum *s)
{
    cli_say(cli, "nothing to send: ");
    if (s->present > 1)
        cli_say(cli, "%" PRIu64 " files are ", s->present);
    if (s->present)
        cli_say(cli, "up to date%s", s->skipped ? ", " : "");
    if (s->skipped)
        cli_say(cli, "%" PRIu64 " skipped", s->skipped);
}

/* "sent 402 KiB, reused 1.00 GiB (2,604:1, direct)"; of what is only new, the rate. */
static void say_work(struct cli *cli, const struct put_sum *s)
{
    uint64_t sent = s->wire ? s->wire : s->sent;

    cli_say(cli, " in %s: sent %s", units_duration(s->elapsed_us).s, units_size(sent).s);
    if (s->reused == 0) {
        say_sum_rate(cli, sent, s->elapsed_us, &s->routes);
        return;
    }
    cli_say(cli, ", reused %s (%s", units_size(s->reused).s, units_ratio(s->reused + s->sent, sent).s);
    say_sum_routes(cli, &s->routes);
    cli_say(cli, ")");
}

/* "would send 400 KiB, reuse 1.00 GiB (2,621:1)" */
static void say_plan(struct cli *cli, const struct put_sum *s)
{
    cli_say(cli, ": would send %s", units_size(s->sent).s);
    if (s->reused)
        cli_say(cli, ", reuse %s (%s)", units_size(s->reused).s, units_ratio(s->reused + s->sent, s->sent).s);
}

void put_sum_say(struct cli *cli, const struct put_sum *s, bool dry_run)
{
    if (is_idle(s)) {
        say_idle(cli, s);
    } else {
        say_sum_files(cli, s->files, s->bytes);
        (dry_run ? say_plan : say_work)(cli, s);
        say_sum_rest(cli, s->present, s->skipped, s->failed);
    }
    cli_say(cli, "\n");
}
