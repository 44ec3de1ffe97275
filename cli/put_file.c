/* See put_file.h. */
#include "put_file.h"

#include "show.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What the new file was compared with. */
static const char *base_words(const char *base)
{
    static const struct {
        const char *base, *words;
    } table[] = {
        {"bytes", " by the old bytes kept here"},
        {"index", " by the index kept here"},
        {"peer-index", " by an index that the peer made"},
        {"other-file", " by another file of the peer"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(base, table[i].base) == 0)
            return table[i].words;
    return "";
}

static void say_update(struct cli *cli, const struct weft_row *row, bool dry_run)
{
    uint64_t regions = show_number(row, "regions");

    cli_say(cli, "%supdated%s, %s new, %s reused", dry_run ? "would be " : "", base_words(weft_row_text(row, "base", "")),
            units_size(show_number(row, "bytes_sent")).s, units_size(show_number(row, "bytes_reused")).s);
    if (regions)
        cli_say(cli, " in %" PRIu64 " region%s", regions, regions == 1 ? "" : "s");
}

/* Sources of which nothing is known beforehand: of a folder much may be there already, or have come in an earlier attempt. */
static void say_whole(struct cli *cli, const struct weft_row *row, bool dry_run)
{
    uint64_t files = show_number(row, "files"), bytes = show_number(row, "bytes"), sent = show_number(row, "bytes_sent");

    if (bytes > 0 && sent == 0)
        cli_say(cli, "up to date, ");
    else if (sent >= bytes)
        cli_say(cli, "%ssent whole, ", dry_run ? "would be " : "");
    if (files > 1)
        cli_say(cli, "%" PRIu64 " files, ", files);
    cli_say(cli, "%s", units_size(bytes).s);
    if (sent > 0 && sent < bytes)
        cli_say(cli, ", of which %s %s sent", units_size(sent).s, dry_run ? "would be" : "had to be");
}

void put_file_say(struct cli *cli, const struct weft_row *row, bool dry_run)
{
    const char *how = weft_row_text(row, "how", "");
    char *target = show_field(row, "target");

    cli_say(cli, "%s: ", target);
    if (strcmp(how, "update") == 0)
        say_update(cli, row, dry_run);
    else if (strcmp(how, "whole") == 0)
        say_whole(cli, row, dry_run);
    else
        cli_say(cli, strcmp(how, "present") == 0 ? "up to date" : "left as it is");
    cli_say(cli, "\n");
    free(target);
}
