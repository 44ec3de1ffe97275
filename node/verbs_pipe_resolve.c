/* The verb pipe-resolve: who has a pipe bound, where, and which way to it is taken.
 *
 * A person does not know a pipe's type: one that is not bound for messages in order is looked for as a propagate pipe too,
 * unless the request says which. */
#include "pipes.h"

#include <stdlib.h>

struct resolve {
    struct call *call;
    struct binding_want want;
    char pipe[NODE_ID_TEXT + 2 * NAME_MAX_BYTES];
    bool either; /* the other type is to be tried too */
};

static void resolve_free(struct resolve *r)
{
    reach_cancel(r->call->core, r);
    free(r);
}

static void resolve_cancel(struct call *call, int code)
{
    (void)code;
    resolve_free(call->work);
}

static void holder_fields(struct core *core, struct row *row, const struct binding_holder *holder)
{
    char label[NAME_MAX_BYTES + 1];
    uint64_t now = core_now(core);
    pipe_node_label(core, &holder->record.id, label);
    row_text(row, "peer", label);
    row_text(row, "id", id_text(&holder->record.id).s);
    row_int(row, "rank", holder->rank);
    pipe_node_label(core, &holder->answered_by, label);
    row_text(row, "answered_by", label);
    row_int(row, "expires_s", holder->expires > now ? (int64_t)((holder->expires - now) / SECOND) : 0);
}

static void pipe_row(struct resolve *r, const struct reached *reached)
{
    const struct link *link = reached->link;
    struct row *row = row_new("pipe");
    row_text(row, "pipe", r->pipe);
    row_text(row, "type", r->want.type == PIPE_PROPAGATE ? "propagate" : "unicast");
    holder_fields(r->call->core, row, reached->holder);
    if (link) {
        row_text(row, "transport", link->inbound ? "inbound" : transport_name(link->endpoint.transport));
        row_text(row, "endpoint", link->inbound ? NULL : link->endpoint.text);
        row_text(row, "iface", link->inbound ? NULL : link->endpoint.iface);
    }
    row_bool(row, "cached", reached->binding->cached);
    row_int(row, "elapsed_us", (int64_t)(reached->binding->elapsed / 1000));
    call_row(r->call, row);
}

static void endpoint_rows(struct resolve *r, const struct reached *reached)
{
    const struct link *link = reached->link;
    for (size_t i = 0; i < reached->holder->count; i++) {
        const struct endpoint *e = &reached->holder->endpoint[i];
        struct row *row = row_new("endpoint");
        row_text(row, "transport", transport_name(e->transport));
        row_text(row, "endpoint", e->text);
        row_text(row, "iface", e->iface);
        row_int(row, "rank", (int64_t)i + 1);
        row_bool(row, "chosen", link && !link->inbound && strcmp(e->text, link->endpoint.text) == 0);
        call_row(r->call, row);
    }
}

/* All that have a shared pipe bound, as far as was answered, best first. */
static void holder_rows(struct resolve *r, const struct reached *reached)
{
    const struct binding_result *b = reached->binding;
    for (size_t i = 0; b->count > 1 && i < b->count; i++) {
        struct row *row = row_new("holder");
        holder_fields(r->call->core, row, &b->holder[i]);
        row_bool(row, "chosen", &b->holder[i] == reached->holder);
        call_row(r->call, row);
    }
}

static void resolved(void *arg, const struct reached *reached)
{
    struct resolve *r = arg;
    struct call *call = r->call;
    if (!reached->holder && r->either && reached->fault.code == ERR_NOT_FOUND) {
        r->either = false;
        r->want.type = PIPE_PROPAGATE;
        if (reach_pipe(call->core, &r->want, NULL, resolved, r) == 0)
            return;
    }
    if (reached->holder) {
        pipe_row(r, reached);
        endpoint_rows(r, reached);
        holder_rows(r, reached);
    }
    resolve_free(r);
    if (reached->holder)
        call_done(call, NULL);
    else
        call_fail(call, &reached->fault);
}

void verb_pipe_resolve(struct call *call, const struct row *request)
{
    struct core *core = call->core;
    struct fault fault;
    struct peer *peer;
    struct binding_want want;
    enum transport transport;
    bool propagate = row_get_bool(request, "propagate", false);
    const char *text = row_get_text(request, "pipe", "");
    if (transport_parse(row_get_text(request, "transport", "any"), &transport) != 0) {
        fault_set(&fault, ERR_USAGE, "a transport is any, tcp, ipc or ws");
        call_fail(call, &fault);
        return;
    }
    if (pipe_want(core, text, propagate ? PIPE_PROPAGATE : PIPE_UNICAST, transport, &want, &peer, &fault) != 0) {
        call_fail(call, &fault);
        return;
    }
    struct resolve *r = calloc(1, sizeof *r);
    if (!r || reach_pipe(core, &want, NULL, resolved, r) != 0) {
        free(r);
        fault_set(&fault, ERR_NOMEM, "out of memory");
        call_fail(call, &fault);
        return;
    }
    r->call = call;
    r->want = want;
    r->either = !propagate;
    snprintf(r->pipe, sizeof r->pipe, "%s", text);
    call->work = r;
    call->cancel = resolve_cancel;
}
