/* weft status: the running node in a screenful, with its relays and what goes through them. With --forget it shows nothing, and
 * clears what is remembered of files of peers.
 *
 * The fields are printed in the order in which the node sends them; one that this release does not know is shown under its own
 * name, so that a newer node hides nothing. In JSON all of it is one object. */
#include "call.h"
#include "err.h"
#include "exits.h"
#include "json.h"
#include "show.h"
#include "table.h"
#include "units.h"
#include "verbs.h"

#include <inttypes.h>
#include <string.h>

enum format { PLAIN, SECONDS, BYTES, BASES, HIDDEN };

static const struct {
    const char *field, *label;
    enum format format;
} known[] = {
    {"beacon_port", "beacons", PLAIN},
    {"pid", "process", PLAIN},
    {"uptime_s", "up for", SECONDS},
    {"memory_bytes", "memory", BYTES},
    {"relay_reservations", "relay for", PLAIN},
    {"relay_handles", "handles", PLAIN},
    {"relay_sessions", "relaying", PLAIN},
    {"relay_bridges", "bridges", PLAIN},
    {"relay_bytes", "carried", BYTES},
    {"base_count", "remembers", BASES},
    {"base_bytes", "", HIDDEN},
    {"base_limit", "", HIDDEN},
    {"base_waiting", "", HIDDEN},
};

struct status {
    struct cli *cli;
    json_t *object; /* NULL until the row "status" came; then with --json */
    json_t *reservations, *sessions;
    struct table *relays, *relayed;
    bool seen;
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

/* "12 files of peers, 3.20 GiB of at most 32.0 GiB, 1 more to come" */
static void put_bases(FILE *out, const struct weft_row *row)
{
    uint64_t count = show_number(row, "base_count"), limit = show_number(row, "base_limit");
    uint64_t waiting = show_number(row, "base_waiting");

    if (limit == 0) {
        fputs("nothing of files of peers", out);
        return;
    }
    fprintf(out, "%" PRIu64 " file%s of peers, %s", count, count == 1 ? "" : "s", units_size(show_number(row, "base_bytes")).s);
    fprintf(out, " of at most %s", units_size(limit).s);
    if (waiting)
        fprintf(out, ", %" PRIu64 " more to come", waiting);
}

static void put_value(FILE *out, const struct weft_row *row, size_t i, enum format format)
{
    uint64_t number = (uint64_t)weft_row_field_int(row, i);

    switch (format) {
    case SECONDS: fputs(units_seconds(number).s, out); break;
    case BYTES: fputs(units_size(number).s, out); break;
    case BASES: put_bases(out, row); break;
    default: show_put_at(out, row, i);
    }
}

static void put_status(struct cli *cli, const struct weft_row *row)
{
    for (size_t i = 0; i < weft_row_fields(row); i++) {
        enum format format;
        const char *label = label_of(weft_row_field_name(row, i), &format);
        if (format == HIDDEN)
            continue;
        fprintf(cli->out, "%-11s ", label);
        put_value(cli->out, row, i, format);
        putc('\n', cli->out);
    }
}

/* ---- relays, and sessions through them */

static const char *const relay_heads[] = {"RELAY", "STATE", ">SHARES", ">SESSIONS", ">GOOD FOR", "?WHY", NULL};
static const char *const session_heads[] = {"PEER", "RELAY", "WAY", "SHARE", ">IN", ">OUT", ">IDLE", NULL};

static void put_count(struct table *table, const struct weft_row *row, const char *field)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRIu64, show_number(row, field));
    table_text(table, text);
}

static void on_reservation(struct table *table, const struct weft_row *row)
{
    table_text(table, weft_row_text(row, "relay", NULL));
    table_text(table, weft_row_text(row, "state", NULL));
    put_count(table, row, "offers");
    put_count(table, row, "sessions");
    table_text(table, show_number(row, "expires_s") ? units_seconds(show_number(row, "expires_s")).s : "-");
    table_text(table, weft_row_text(row, "text", NULL));
}

/* What a session is for: a share, the node itself, or something that only the other end knows. */
static const char *purpose(const struct weft_row *row)
{
    const char *handle = weft_row_text(row, "handle", "?");

    return *handle ? handle : "-";
}

static void on_session(struct table *table, const struct weft_row *row)
{
    table_text(table, weft_row_text(row, "peer", NULL));
    table_text(table, weft_row_text(row, "relay", NULL));
    table_text(table, weft_row_text(row, "direction", NULL));
    table_text(table, purpose(row));
    table_text(table, units_size(show_number(row, "bytes_in")).s);
    table_text(table, units_size(show_number(row, "bytes_out")).s);
    table_text(table, units_duration(1000 * show_number(row, "idle_ms")).s);
}

static void put_table(struct cli *cli, struct table *table)
{
    if (!table_empty(table))
        putc('\n', cli->out);
    table_print(table, cli->out, true);
    table_free(table);
}

/* ---- the call */

/* A row inside the object: what it is, is said by the member that it is in. */
static json_t *inner(const struct weft_row *row)
{
    json_t *object = json_of_row(row);

    json_object_del(object, "row");
    return object;
}

static void on_row(void *arg, const struct weft_row *row)
{
    struct status *s = arg;
    const char *kind = weft_row_kind(row);

    if (strcmp(kind, "status") == 0 && !s->seen) {
        s->seen = true;
        if (s->cli->json)
            s->object = json_of_row(row);
        else
            put_status(s->cli, row);
    } else if (strcmp(kind, "reservation") == 0) {
        on_reservation(s->relays, row);
        json_array_append_new(s->reservations, inner(row));
    } else if (strcmp(kind, "session") == 0) {
        on_session(s->relayed, row);
        json_array_append_new(s->sessions, inner(row));
    }
}

/* Everything that was gathered is printed or freed. */
static void finish(struct status *s)
{
    if (s->object) {
        json_object_set(s->object, "reservations", s->reservations);
        json_object_set(s->object, "sessions", s->sessions);
        json_print(s->cli->out, s->object);
    }
    json_decref(s->reservations);
    json_decref(s->sessions);
    if (s->cli->json) {
        table_free(s->relays);
        table_free(s->relayed);
    } else {
        put_table(s->cli, s->relays);
        put_table(s->cli, s->relayed);
    }
}

static int show_status(struct cli *cli)
{
    struct status s = {.cli = cli,
                       .reservations = cli_need(json_array()),
                       .sessions = cli_need(json_array()),
                       .relays = table_new(relay_heads),
                       .relayed = table_new(session_heads)};

    int status = cli_call(cli, &(struct call){.request = cli_request("status"), .on_row = on_row, .arg = &s});
    finish(&s);
    if (status == EXITS_DONE && !s.seen)
        return cli_fail(cli, ERR_MALFORMED, "the node's answer has no row \"status\"; is it of another version?");
    return status;
}

static void say_forgotten(struct cli *cli, const struct weft_row *row)
{
    uint64_t count = show_number(row, "bases");

    cli_say(cli, "%" PRIu64 " file%s of peers forgotten, %s freed\n", count, count == 1 ? "" : "s",
            units_size(show_number(row, "bytes")).s);
}

int cli_verb_status(struct cli *cli)
{
    const struct call forget = {.request = args_has(&cli->args, "forget") ? cli_request("forget") : NULL};

    return forget.request ? cli_call_for_one(cli, &forget, &(struct call_one){"done", say_forgotten}) : show_status(cli);
}
