/* What a put tells its client, and what it counts. See put_internal.h. */
#include "put_internal.h"

#include <stdio.h>
#include <string.h>

#define PROGRESS_EVERY (250 * MILLISECOND)

/* ---- counting */

void put_count_link(struct put *p)
{
    const struct link *link = p->link ? link_find(p->core, p->link) : NULL;
    if (!link)
        return;
    uint64_t now = link->bytes_in + link->bytes_out;
    p->sum.wire += now - p->link_bytes;
    p->link_bytes = now;
}

bool put_count_ready(struct put *p, struct put_parcel *ready)
{
    const struct send *send = ready->parcel->send;
    if (!send)
        return false;
    uint64_t sent = send->progress.bytes_moved, wire = send->progress.wire_in + send->progress.wire_out;
    bool more = sent != ready->sent;
    p->sum.sent += p->dry_run ? 0 : sent - ready->sent; /* then it is told what would be sent */
    p->sum.wire += wire - ready->wire;
    ready->sent = sent;
    ready->wire = wire;
    return more;
}

void put_count_parcel(struct put *p)
{
    if (p->parcel && put_count_ready(p, p->parcel)) {
        p->barren = 0;
        p->moved = true;
    }
}

static void count_taking(struct put *p)
{
    const struct receive *r = p->taking ? p->taking->take->receive : NULL;
    if (!r)
        return;
    uint64_t wire = r->progress.wire_in + r->progress.wire_out;
    p->sum.wire += wire > p->taking->wire ? wire - p->taking->wire : 0; /* less: of another attempt */
    p->taking->wire = wire;
    p->phase_done = r->progress.bytes_done;
}

void put_count(struct put *p)
{
    put_count_link(p);
    put_count_parcel(p);
    count_taking(p);
    if (p->file.diff && !p->file.diff->back)
        p->phase_done = p->file.diff->job.done;
}

/* ---- telling */

void put_add_route(struct put *p, const struct link *link)
{
    char route[ROUTE_TEXT];
    link_route(link, route);
    size_t n = strlen(p->route), m = strlen(route);
    if (n >= m && strcmp(p->route + n - m, route) == 0 && (n == m || p->route[n - m - 1] == ' '))
        return; /* the last one */
    if (n + m + 3 <= sizeof p->route)
        snprintf(p->route + n, sizeof p->route - n, "%s%s", n ? ", " : "", route);
}

static const char *const phase_names[PUT_PHASES] = {"connecting", "survey", "index",  "fetch",
                                                    "diff",       "send",   "gather", "finish"};

static void tell_progress(void *arg)
{
    struct put *p = arg;
    size_t n = 0;
    put_count(p);
    const char *source = p->file.path[0] ? p->file.path : put_source_text(p, &n);
    struct row *row = row_new("progress");
    if (row) {
        row_text(row, "phase", phase_names[p->phase]);
        row_data(row, "name", source ? source : "", n ? n : source ? strlen(source) : 0);
        row_int(row, "bytes_done", (int64_t)p->phase_done);
        row_int(row, "bytes_total", (int64_t)p->phase_total);
        row_int(row, "files_done", (int64_t)p->files_done);
        row_int(row, "files_total", (int64_t)p->files_total);
        row_int(row, "bytes_sent", (int64_t)p->sum.sent);
    }
    call_row(p->call, row);
    core_timer(p->core, &p->tick, PROGRESS_EVERY);
}

void put_told_start(struct put *p)
{
    timer_init(&p->tick, tell_progress, p);
    core_timer(p->core, &p->tick, PROGRESS_EVERY);
}

void put_tell_item(struct put *p, const char *path, size_t n, const struct fault *fault)
{
    struct row *row = row_new("item");
    row_data(row, "path", path, n);
    row_text(row, "code", err_name((int)fault->code));
    row_text(row, "text", fault->text);
    call_row(p->call, row);
}

void put_tell_file(struct put *p, const struct put_told *told)
{
    char target[PEER_TEXT + NAME_MAX_BYTES + PATH_BYTES_MAX + 3];
    int n =
        snprintf(target, sizeof target, "%s:%s%s%s", p->peer_name, told->at->share, told->at->len ? "/" : "", told->at->path);
    struct row *row = row_new("file");
    row_data(row, "source", told->path, strlen(told->path));
    row_data(row, "target", target, (size_t)n);
    row_text(row, "how", told->how);
    row_text(row, "base", told->base ? told->base : "none");
    row_int(row, "files", (int64_t)told->files);
    row_int(row, "bytes", (int64_t)told->bytes);
    row_int(row, "bytes_sent", (int64_t)told->sent);
    row_int(row, "bytes_reused", (int64_t)told->reused);
    row_int(row, "regions", (int64_t)told->regions);
    call_row(p->call, row);
}

struct row *put_sums_row(const struct put *p, const char *kind)
{
    const struct put_sums *s = &p->sum;
    struct row *row = row_new(kind);
    row_int(row, "files", (int64_t)s->files);
    row_int(row, "bytes", (int64_t)s->bytes);
    row_int(row, "bytes_sent", (int64_t)s->sent);
    row_int(row, "bytes_reused", (int64_t)s->reused);
    row_int(row, "bytes_wire", (int64_t)s->wire);
    row_int(row, "present", (int64_t)s->present);
    row_int(row, "skipped", (int64_t)s->skipped);
    row_int(row, "failed", (int64_t)s->failed);
    row_int(row, "elapsed_us", (int64_t)((core_now(p->core) - p->started) / 1000));
    row_text(row, "route", p->route[0] ? p->route : "direct");
    row_bool(row, "dry_run", p->dry_run);
    return row;
}
