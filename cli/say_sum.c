/* See say_sum.h. */
#include "say_sum.h"

#include "log.h"
#include "units.h"

#include <inttypes.h>
#include <string.h>

void say_sum_files(struct cli *cli, uint64_t files, uint64_t bytes)
{
    cli_say(cli, "%" PRIu64 " file%s, %s", files, files == 1 ? "" : "s", units_size(bytes).s);
}

void say_sum_routes(struct cli *cli, const struct routes *routes)
{
    char shown[4 * ROUTES_TEXT + 8];

    if (routes->s[0])
        cli_say(cli, ", %s", escape(routes->s, strlen(routes->s), shown, sizeof shown));
}

void say_sum_rate(struct cli *cli, uint64_t moved, uint64_t elapsed_us, const struct routes *routes)
{
    double rate = elapsed_us ? (double)moved * 1e6 / (double)elapsed_us : 0;

    cli_say(cli, " (%s/s", units_size((uint64_t)rate).s);
    say_sum_routes(cli, routes);
    cli_say(cli, ")");
}

static void say_count(struct cli *cli, uint64_t count, const char *what)
{
    if (count)
        cli_say(cli, ", %" PRIu64 " %s", count, what);
}

void say_sum_rest(struct cli *cli, uint64_t present, uint64_t skipped, uint64_t failed)
{
    say_count(cli, present, "already there");
    say_count(cli, skipped, "skipped");
    say_count(cli, failed, "failed");
}
