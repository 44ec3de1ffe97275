/* weft status: the running node in a screenful.
 *
 * The fields are printed in the order in which the node sends them; one that this release does not know is shown under its own
 * name, so that a newer node hides nothing. */
#include "call.h"
#include "show.h"
#include "units.h"
#include "verbs.h"

#include <string.h>

enum format { PLAIN, SECONDS, BYTES };

static const struct {
    const char *field, *label;
    enum format format;
} known[] = {
    {"beacon_port", "beacons", PLAIN},
    {"pid", "process", PLAIN},
    {"uptime_s", "up for", SECONDS},
    {"memory_bytes", "memory", BYTES},
};

static const char *label_of(const char *field, enum format *format)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].field, field) == 0) {
            *format = known[i].format;
            return known[i].label;
        }
    *format = PLAIN;
    return field;
}

static void show(struct cli *cli, const struct weft_row *row)
{
    for (size_t i = 0; i < weft_row_fields(row); i++) {
        enum format format;
        const char *label = label_of(weft_row_field_name(row, i), &format);
        uint64_t number = (uint64_t)weft_row_field_int(row, i);

        fprintf(cli->out, "%-11s ", label);
        if (format == SECONDS)
            fputs(units_seconds(number).s, cli->out);
        else if (format == BYTES)
            fputs(units_size(number).s, cli->out);
        else
            show_put_at(cli->out, row, i);
        putc('\n', cli->out);
    }
}

int cli_verb_status(struct cli *cli)
{
    return cli_call_for_one(cli, &(struct call){.request = cli_request("status")}, &(struct call_one){"status", show});
}
