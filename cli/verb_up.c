/* weft up: runs a node until a signal or `weft down` stops it.
 *
 * Events come on the node's thread and are printed there; nothing else writes to out after the start. With --detach the
 * process splits before there are threads: the parent waits for one byte, the exit status, which the child writes when the
 * node is ready (from the event, once the words about it are out) or has failed. */
#include "cli.h"
#include "err.h"
#include "exits.h"
#include "id.h"
#include "interrupt.h"
#include "json.h"
#include "limits.h"
#include "log.h"
#include "show.h"
#include "units.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct up {
    struct cli *cli;
    struct weft_options options;
    const char **listen, **peers, **interfaces;
    int parent; /* where the waiting parent reads the status, or -1 */
};

/* ---- events */

static void put_endpoint(void *arg, const char *text, size_t n)
{
    char shown[256];

    fprintf(arg, "  %s\n", escape(text, n, shown, sizeof shown));
}

/* What to type next. */
static void put_next(struct cli *cli, const struct weft_row *row, bool relay)
{
    if (!relay) {
        fputs("Next: weft share FOLDER offers it; on another machine weft up, then weft ls\n", cli->out);
        return;
    }
    char *name = show_field(row, "name");
    fprintf(cli->out,
            "It carries what its peers share, between those who cannot reach each other. Next, for each of them:\n"
            "  here    weft invite\n"
            "  there   weft join TICKET, then weft share FOLDER --via %s\n"
            "  others  weft ls %s, then weft get PEER:SHARE as if it were near\n",
            name, name);
    free(name);
}

static void put_ready(struct cli *cli, const struct weft_row *row, bool relay)
{
    const char *id = weft_row_text(row, "id", "");

    fputs(cli_tint(cli->color_out, TINT_BOLD), cli->out);
    show_put(cli->out, row, "name");
    fprintf(cli->out, "%s is up, %.*s\n", cli_tint(cli->color_out, TINT_OFF), NODE_ID_SHORT, id);
    show_each(row, "endpoint", put_endpoint, cli->out);
    if (!cli->quiet)
        put_next(cli, row, relay);
}

/* Prints the fields of that list which the row has, a blank before each. */
static void put_fields(FILE *out, const struct weft_row *row, const char *const *names)
{
    for (; *names; names++)
        if (*weft_row_text(row, *names, "")) {
            putc(' ', out);
            show_put(out, row, *names);
        }
}

/* " in done anna box/disk.img 300 MiB", and what there is to say of it */
static void put_transfer(FILE *out, const struct weft_row *row)
{
    static const char *const fields[] = {"direction", "state", "peer", NULL};
    char *path = show_field(row, "path"); /* any bytes */

    put_fields(out, row, fields);
    fprintf(out, " %s %s", path, units_size(show_number(row, "bytes")).s);
    if (*weft_row_text(row, "text", "")) {
        fputs(": ", out);
        show_put(out, row, "text");
    }
    free(path);
}

/* "11:44:38 peer bob up tcp://192.0.2.7:49152" */
static void put_event(struct cli *cli, const struct weft_row *row)
{
    static const char *const fields[] = {"name", "change", "trust", "direction", "state", "peer", "text", NULL};
    bool transfer = strcmp(weft_row_kind(row), "transfer") == 0;
    time_t now = time(NULL);
    struct tm tm;
    char clock[16] = "";

    if (localtime_r(&now, &tm))
        strftime(clock, sizeof clock, "%H:%M:%S ", &tm);
    fprintf(cli->out, "%s%s", clock, weft_row_kind(row));
    if (transfer)
        put_transfer(cli->out, row);
    else
        put_fields(cli->out, row, fields);
    putc('\n', cli->out);
}

/* {"event": kind, ...}: what the first line of `weft up --json` is known by. */
static void put_json(struct cli *cli, const struct weft_row *row)
{
    json_t *event = cli_need(json_pack("{s:s}", "event", weft_row_kind(row)));
    json_t *fields = json_of_row(row);

    json_object_del(fields, "row");
    json_object_update(event, fields);
    json_decref(fields);
    json_print(cli->out, event);
}

/* Tells the waiting parent, and lets go of its terminal. */
static void report_to_parent(struct up *up, int status)
{
    unsigned char byte = (unsigned char)status;

    if (up->parent < 0)
        return;
    while (write(up->parent, &byte, 1) < 0 && errno == EINTR)
        continue;
    close(up->parent);
    up->parent = -1;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; null >= 0 && fd < 3; fd++)
        dup2(null, fd);
    if (null > 2)
        close(null);
}

static void on_event(void *arg, const struct weft_row *row)
{
    struct up *up = arg;
    struct cli *cli = up->cli;
    bool ready = strcmp(weft_row_kind(row), "ready") == 0;

    if (cli->json)
        put_json(cli, row);
    else if (ready)
        put_ready(cli, row, up->options.relay);
    else if (!cli->quiet)
        put_event(cli, row);
    fflush(cli->out);
    if (ready)
        report_to_parent(up, EXITS_DONE);
}

static void on_log(void *arg, int level, const char *module, const char *line)
{
    struct up *up = arg;

    fprintf(up->cli->err, "%s %s: %s\n", log_level_name((enum log_level)level), module, line);
}

/* ---- options */

/* --role relay,hub, or each by itself. */
static bool read_roles(const struct args *args, struct weft_options *options)
{
    const char **lists = args_values(args, "role");
    bool good = true;

    for (const char **list = lists; list && *list; list++)
        for (const char *at = *list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
            size_t n = strcspn(at, ",");
            bool relay = n == 5 && memcmp(at, "relay", n) == 0, hub = n == 3 && memcmp(at, "hub", n) == 0;
            options->relay = options->relay || relay;
            options->hub = options->hub || hub;
            good = good && (relay || hub);
        }
    free(lists);
    return good;
}

static bool read_size(const struct args *args, const char *option, uint64_t *bytes)
{
    const char *text = args_value(args, option, NULL);

    return !text || (units_parse_size(text, bytes) && *bytes > 0);
}

/* What one client of this relay may have. */
static int read_quota(struct cli *cli, struct weft_options *options)
{
    const char *sessions = args_value(&cli->args, "relay-sessions", NULL);
    int64_t number = 0;

    if (sessions && !units_parse_int(sessions, 1, RELAY_SESSIONS_MAX, &number))
        return cli_fail(cli, ERR_USAGE, "--relay-sessions takes a number from 1 to %d", RELAY_SESSIONS_MAX);
    if (!read_size(&cli->args, "relay-bytes", &options->relay_bytes))
        return cli_fail(cli, ERR_USAGE, "--relay-bytes takes a size, such as 500M or 20G");
    if (!read_size(&cli->args, "relay-rate", &options->relay_rate))
        return cli_fail(cli, ERR_USAGE, "--relay-rate takes a size for each second, such as 500K or 20M");
    options->relay_sessions = (uint32_t)number;
    if ((sessions || options->relay_bytes || options->relay_rate) && !options->relay)
        return cli_fail(cli, ERR_USAGE, "the options of a relay need --role relay");
    return EXITS_DONE;
}

/* How much is remembered of peers' files. */
static int read_base_cache(struct cli *cli, struct weft_options *options)
{
    const char *text = args_value(&cli->args, "base-cache", NULL);

    if (text && !units_parse_size(text, &options->base_bytes))
        return cli_fail(cli, ERR_USAGE, "--base-cache takes a size, such as 500M or 20G; 0 remembers nothing");
    options->no_bases = text && options->base_bytes == 0;
    return EXITS_DONE;
}

static int read_options(struct up *up)
{
    struct cli *cli = up->cli;
    const char *port = args_value(&cli->args, "beacon-port", NULL);
    int64_t number = 0;

    if (port && !units_parse_int(port, 1, UINT16_MAX, &number))
        return cli_fail(cli, ERR_USAGE, "--beacon-port takes a port number, 1 to 65535");
    if (!read_roles(&cli->args, &up->options))
        return cli_fail(cli, ERR_USAGE, "--role takes relay, hub or relay,hub");
    int status = read_quota(cli, &up->options);
    if (status == EXITS_DONE)
        status = read_base_cache(cli, &up->options);
    if (status)
        return status;
    up->options.home = cli->home;
    up->options.name = args_value(&cli->args, "name", NULL);
    up->options.listen = up->listen = args_values(&cli->args, "listen");
    up->options.peers = up->peers = args_values(&cli->args, "peer");
    up->options.interfaces = up->interfaces = args_values(&cli->args, "interface");
    up->options.no_beacon = args_has(&cli->args, "no-beacon");
    up->options.beacon_port = (uint16_t)number;
    up->options.log_level = cli->quiet ? LOG_ERROR : cli->verbose > 1 ? LOG_DEBUG : cli->verbose ? LOG_INFO : LOG_WARN;
    up->options.log = on_log;
    up->options.event = on_event;
    up->options.arg = up;
    return EXITS_DONE;
}

/* ---- the run */

static void stop(void *node)
{
    weft_node_stop(node);
}

static int wait_for(struct cli *cli, struct weft_node *node)
{
    struct interrupt interrupt = {.stop = stop, .arg = node};
    struct weft_error error = {0};

    int code = interrupt_start(&interrupt);
    if (code)
        return cli_fail(cli, code, "cannot watch for signals");
    code = weft_node_wait(node, &error);
    interrupt_finish(&interrupt);
    return code ? cli_fail_error(cli, &error) : EXITS_DONE;
}

/* The signals are blocked before the node's threads are made, so that none of them is ever interrupted by one. */
static int run(struct up *up)
{
    struct weft_error error = {0};
    sigset_t set, old;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, &old);
    struct weft_node *node = weft_node_start(&up->options, &error);
    int status = node ? wait_for(up->cli, node) : cli_fail_error(up->cli, &error);
    report_to_parent(up, status);
    if (node)
        weft_node_free(node);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return status;
}

static int wait_for_child(struct cli *cli, int fd)
{
    unsigned char status;
    ssize_t n;

    do
        n = read(fd, &status, 1);
    while (n < 0 && errno == EINTR);
    close(fd);
    return n == 1 ? status : cli_fail(cli, ERR_STATE, "the node ended while it was starting; weft up -v shows more");
}

static int run_detached(struct up *up)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC))
        return cli_fail(up->cli, err_from_errno(errno), "cannot make a pipe: %s", strerror(errno));
    fflush(NULL);
    pid_t child = fork();
    if (child != 0)
        close(fds[1]);
    if (child < 0) {
        int code = err_from_errno(errno);
        close(fds[0]);
        return cli_fail(up->cli, code, "cannot start a process");
    }
    if (child > 0)
        return wait_for_child(up->cli, fds[0]);
    close(fds[0]);
    setsid();
    up->parent = fds[1];
    return run(up);
}

int cli_verb_up(struct cli *cli)
{
    struct up up = {.cli = cli, .parent = -1};

    int status = read_options(&up);
    if (status == EXITS_DONE)
        status = args_has(&cli->args, "detach") ? run_detached(&up) : run(&up);
    free(up.listen);
    free(up.peers);
    free(up.interfaces);
    return status;
}
