/* A file of a put is put together at the peer: its new bytes go there as a parcel, then the regions, in as many GATHERs as the
 * peer's limits ask for, then COMMIT. Handles of the old and of the new file are open. See put_internal.h. */
#include "put_internal.h"

#include <stdlib.h>
#include <string.h>

#define REFUSALS_MAX 64 /* of GATHERs in a row */
#define PART_LEAST (1u << 20)
#define WAIT_MAX 10000 /* ms, for the peer's budget to grow */

static const struct fault over_limits = {.code = ERR_LIMIT, .text = "the file is over the limits of its peer"};

static void gather(struct put *p);

static const struct regions *regions_of(const struct put *p)
{
    return &p->file.diff->job.diff.regions;
}

/* Would an update send nearly everything? Then it goes as a whole, which is simpler there. */
static bool is_worthwhile(const struct put *p)
{
    const struct regions *r = regions_of(p);
    return r->copied > 0 && r->literals <= r->end / 10 * 9;
}

/* What it was compared with, for people. */
static const char *base_name(const struct put_file *f)
{
    if (f->way == PUT_BY_INDEX)
        return "peer-index";
    return f->there.kind == FILE_NOTHING ? "other-file" : f->base.bytes ? "bytes" : "index";
}

static void update_done(struct put *p, uint64_t sent)
{
    struct put_file *f = &p->file;
    const struct regions *r = regions_of(p);
    struct put_sums *sum = f->inside ? &p->inside : &p->sum;
    sum->files++;
    sum->bytes += r->end;
    p->sum.reused += r->copied;
    if (f->inside) {
        p->files_done++;
        p->survey->job.file[p->next_file - 1].updated = true;
    }
    p->sum.sent += p->dry_run ? sent : 0;
    put_tell_file(p, &(struct put_told){.path = f->path,
                                        .at = &f->at,
                                        .how = "update",
                                        .base = base_name(f),
                                        .bytes = r->end,
                                        .sent = sent,
                                        .reused = r->copied,
                                        .regions = r->count,
                                        .files = 1});
    put_file_over(p, NULL);
}

/* ---- the end */

static void committed(struct put *p, const struct msg *m)
{
    struct fault fault;
    if (m->commit_ok.state.size != p->file.diff->job.diff.regions.end) {
        fault_set(&fault, ERR_VERIFY, "the peer says of another file that it stands there now");
        put_file_over(p, &fault);
        return;
    }
    put_count(p);
    put_remember(p, &m->commit_ok.state);
    update_done(p, p->sum.sent - p->file.sent_before);
}

static void commit(struct put *p, struct msg *m)
{
    const struct diff_job *j = &p->file.diff->job;
    m->type = MSG_COMMIT;
    m->commit = (struct msg_commit){.handle = p->file.destination,
                                    .size = j->diff.regions.end,
                                    .mtime_s = j->state.mtime_s,
                                    .mtime_ns = j->state.mtime_ns,
                                    .mode = j->state.mode};
    memcpy(m->commit.hash, j->diff.hash.b, sizeof m->commit.hash);
    put_phase(p, PUT_FINISH, 0);
    put_ask(p, m, MSG_COMMIT_OK, committed);
}

/* ---- gathering */

static uint64_t least_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* As much as the peer takes in one, by what it said last. */
static struct regions_part most_of(const struct gather_limits *l)
{
    return (struct regions_part){.length = least_of(l->bytes, l->budget > PART_LEAST ? l->budget : PART_LEAST),
                                 .count = (uint32_t)least_of(l->regions, GATHER_REGIONS_MAX),
                                 .len = GATHER_REGION_BYTES_MAX};
}

/* Too much at once, or too soon: what was said is said again, in smaller parts or a little later. */
static void refused(struct put *p, const struct gather_limits *limits)
{
    struct put_file *f = &p->file;
    bool smaller = most_of(limits).length < f->part.length || limits->regions < f->part.count;
    f->limits = *limits;
    if (++f->refused > REFUSALS_MAX || limits->bytes == 0 || limits->regions == 0 || (limits->wait_ms == 0 && !smaller)) {
        put_failed(p, &over_limits);
        return;
    }
    f->said = f->asked;
    put_wait(p, least_of(limits->wait_ms, WAIT_MAX) * MILLISECOND, gather);
}

static void gathered(struct put *p, const struct msg *m)
{
    const struct msg_gather_ok *ok = &m->gather_ok;
    struct put_file *f = &p->file;
    struct fault fault;
    if (!ok->taken) {
        refused(p, &ok->limits);
        return;
    }
    f->limits = ok->limits;
    f->refused = 0;
    if (ok->end == f->part.from + f->part.length) {
        gather(p);
        return;
    }
    fault_set(&fault, ERR_MALFORMED, "the peer has built something else than it was asked for");
    put_failed(p, &fault);
}

static void gather(struct put *p)
{
    struct put_file *f = &p->file;
    const struct regions_part most = most_of(&f->limits);
    uint8_t *said = malloc(GATHER_REGION_BYTES_MAX);
    struct msg *m = calloc(1, sizeof *m);
    struct regions_part *part = &f->part;
    f->asked = f->said;
    int err = m && said ? regions_encode(regions_of(p), &f->said, &most, said, part) : ERR_NOMEM;
    if (err == ERR_LIMIT) {
        put_fail_soon(p, &over_limits);
    } else if (err) {
        put_fail_nomem(p);
    } else if (part->count == 0) {
        commit(p, m);
    } else {
        m->type = MSG_GATHER;
        m->gather = (struct msg_gather){.destination = f->destination,
                                        .source = f->source,
                                        .token = f->token,
                                        .from = part->from,
                                        .length = part->length,
                                        .count = part->count,
                                        .len = (uint16_t)part->len,
                                        .bytes = said};
        put_phase(p, PUT_GATHER, regions_of(p)->end);
        put_ask(p, m, MSG_GATHER_OK, gathered);
    }
    free(m);
    free(said);
}

static void gather_begin(struct put *p)
{
    struct put_file *f = &p->file;
    f->said = (struct regions_cursor){0};
    f->limits = f->there.limits;
    f->refused = 0;
    gather(p);
}

/* ---- literals */

static void literals_there(struct put *p, const struct msg *m)
{
    struct fault fault;
    if (m->literals.bytes == regions_of(p)->literals) {
        gather_begin(p);
        return;
    }
    fault_set(&fault, ERR_CHANGED, "the new bytes of the file were changed meanwhile");
    put_failed(p, &fault);
}

static struct parcel *offer_literals(struct put *p)
{
    struct put_diff *d = p->file.diff;
    struct parcel *parcel = put_offer(p, d->job.read_from, d);
    if (parcel)
        parcel->token = d->job.state.token;
    return parcel;
}

static void send_literals(struct put *p)
{
    struct msg *m = calloc(1, sizeof *m);
    struct parcel *parcel = m ? offer_literals(p) : NULL;
    if (parcel) {
        m->type = MSG_LITERALS;
        m->literals =
            (struct msg_literals){.handle = p->file.destination, .parcel = parcel->name, .bytes = regions_of(p)->literals};
        put_phase(p, PUT_SEND, regions_of(p)->literals);
        put_ask(p, m, MSG_LITERALS_OK, literals_there);
    } else {
        put_fail_nomem(p);
    }
    free(m);
}

void put_gather_start(struct put *p)
{
    if (!is_worthwhile(p))
        put_file_whole(p);
    else if (p->dry_run)
        update_done(p, regions_of(p)->literals);
    else if (regions_of(p)->literals > 0)
        send_literals(p);
    else
        gather_begin(p);
}
