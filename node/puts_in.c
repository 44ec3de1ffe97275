/* PUT: what a peer has ready is fetched and placed here. See openings_internal.h.
 *
 * The place is the opening's own, or a name in the folder that was opened; it is nobody else's to write to meanwhile. How it is
 * placed, and what of it, is as with any fetch (transfer.h). A share that is one file is replaced, and nothing is put beside
 * it.
 *
 * Of what could not be placed the peer is told as much as fits into the answer, and how much it is in all. */
#include "openings_internal.h"

#include "utf8.h"

#include <stdlib.h>
#include <string.h>

struct failed_item {
    char *path;
    size_t len;
    enum err code;
    char text[ERROR_TEXT_MAX + 1];
};

struct put_demand {
    struct demand d;
    struct msg_put wanted;
    struct site place; /* its identity: nothing is open */
    char key[KEY_TEXT];
    struct take *take;
    uint8_t count;
    struct failed_item item[PUT_ITEMS_MAX];
};

/* ---- what came of it */

static void item_failed(struct take *t, const char *path, const struct fault *fault)
{
    struct put_demand *p = t->owner;
    size_t n = strlen(path);
    if (p->count == PUT_ITEMS_MAX || n == 0 || n > PATH_BYTES_MAX)
        return;
    struct failed_item *item = &p->item[p->count];
    item->path = strdup(path);
    if (!item->path)
        return;
    item->len = n;
    item->code = fault->code;
    strncpy(item->text, fault->text, sizeof item->text - 1);
    while (!utf8_valid(item->text, strlen(item->text)))
        item->text[strlen(item->text) - 1] = '\0'; /* cut in the middle of a character */
    p->count++;
}

static void fill_in(struct msg_put_ok *ok, const struct put_demand *p)
{
    const struct receive *r = p->take->receive;
    const struct transfer_progress *sum = &r->progress;
    bool dry = p->wanted.dry_run; /* then what would be done: all that is neither there nor passed over */
    ok->files = dry ? sum->files_total - sum->files_done - sum->skipped : sum->files_done;
    ok->bytes = dry ? sum->bytes_total - sum->bytes_done : sum->bytes_done;
    ok->present = sum->present;
    ok->skipped = sum->skipped;
    ok->failed = sum->failed;
    ok->token = r->token;
    ok->item_count = p->count;
    for (uint8_t i = 0; i < p->count; i++) {
        ok->item[i] = (struct put_item){.len = (uint16_t)p->item[i].len, .path = p->item[i].path, .code = p->item[i].code};
        memcpy(ok->item[i].text, p->item[i].text, sizeof ok->item[i].text);
    }
}

static void tell(struct put_demand *p, const char *state, const struct fault *fault)
{
    const struct receive *r = p->take ? p->take->receive : NULL;
    const struct demand_event event = {
        .state = state, .name = p->wanted.name, .bytes = r ? r->progress.bytes_moved : 0, .fault = fault};
    if (!p->wanted.dry_run)
        demand_tell(&p->d, &event);
}

static void taken(struct take *t)
{
    struct put_demand *p = t->owner;
    struct fault fault = t->fault;
    bool placed = t->receive && (!fault.code || fault.code == ERR_PARTIAL);
    struct msg *m = NULL;
    tell(p, placed ? "done" : "failed", fault.code ? &fault : NULL);
    if (!placed)
        demand_fail(&p->d, &fault);
    else if ((m = demand_message(&p->d, MSG_PUT_OK)) != NULL) {
        fill_in(&m->put_ok, p);
        demand_answer(&p->d, m);
    }
}

static void put_drop(struct demand *d)
{
    struct put_demand *p = (struct put_demand *)d;
    for (uint8_t i = 0; i < p->count; i++)
        free(p->item[i].path);
    take_free(p->take);
}

/* ---- in work */

static int begin_take(struct put_demand *p, struct fault *fault)
{
    struct opening *o = p->d.opening;
    struct link *link = link_find(o->core, o->link);
    struct take *t = link ? calloc(1, sizeof *t) : NULL;
    if (!t)
        return fault_set(fault, link ? ERR_NOMEM : ERR_UNREACHABLE, "what you put cannot be fetched");
    t->parcel = p->wanted.parcel;
    t->dest = o->shown;
    t->top = p->place.leaf;
    t->key = p->key;
    t->at_fd = true;
    t->dest_fd = o->site.dir_fd;
    t->policy = p->wanted.policy;
    t->dry_run = p->wanted.dry_run;
    t->owner = p;
    t->item = item_failed;
    t->done = taken;
    int err = take_start(t, link);
    if (err) {
        free(t);
        return fault_set(fault, err, "what you put cannot be fetched: %s", err_text(err));
    }
    p->take = t;
    return 0;
}

static void put_begin(struct demand *d)
{
    struct put_demand *p = (struct put_demand *)d;
    struct fault fault;
    enum place_verdict verdict = place_look(d, &p->place, &fault);
    if (verdict == PLACE_LEAVING)
        d->wait = WAIT_PLACE;
    else if (verdict == PLACE_TAKEN || begin_take(p, &fault) != 0)
        demand_fail(d, &fault);
    else
        tell(p, "started", NULL);
}

static void put_stop(struct demand *d)
{
    struct put_demand *p = (struct put_demand *)d;
    if (p->take)
        take_cancel(p->take, (int)d->why.code);
}

static void put_look(const struct demand *d, struct msg_progress *progress)
{
    const struct put_demand *p = (const struct put_demand *)d;
    const struct receive *r = p->take ? p->take->receive : NULL;
    progress->done = r ? r->progress.bytes_done : 0;
    progress->total = r ? r->progress.bytes_total : 0;
    bool all = progress->total > 0 && progress->done >= progress->total; /* what is left is to make it durable, and place it */
    progress->phase = r && (all || r->progress.phase == TRANSFER_FINISHING) ? PROGRESS_FINISH : PROGRESS_SEND;
}

/* ---- the request */

static const char *why_not(const struct opening *o, const struct msg_put *put)
{
    const struct share *share = share_find(o->core, o->share);
    if (!o->write)
        return "this file was opened to read";
    if (o->gather || o->over)
        return "this file is being built; it cannot be replaced as a whole";
    if (put->name[0] && o->site.leaf[0])
        return "this is no folder; nothing can be put into it";
    if (!put->name[0] && !o->site.leaf[0])
        return "this is a folder; say under which name in it";
    if (put->policy == IF_EXISTS_RENAME && share && share->row.kind == RESOURCE_FILE)
        return "this share is one file; nothing can be put beside it";
    return NULL;
}

void put_on_request(struct link *link, const struct msg *m)
{
    static const struct demand_kind kind = {.size = sizeof(struct put_demand),
                                            .takes = true,
                                            .begin = put_begin,
                                            .stop = put_stop,
                                            .look = put_look,
                                            .drop = put_drop};
    struct opening *o = opening_for(link, m, m->put.handle);
    const char *wrong = o ? why_not(o, &m->put) : NULL;
    if (wrong)
        link_error(link, m->request, ERR_STATE, wrong);
    if (!o || wrong || !demands_may_take(link, m))
        return;
    struct put_demand *p = (struct put_demand *)demand_new(&kind, link, m, o);
    if (!p)
        return;
    p->wanted = m->put;
    p->place = (struct site){.dir_fd = -1, .dir = o->site.dir};
    memcpy(p->place.leaf, o->site.leaf[0] ? o->site.leaf : m->put.name, sizeof p->place.leaf);
    p->d.place = &p->place;
    place_key("weft put 1", o->peer, &p->place, p->key);
    put_begin(&p->d);
}
