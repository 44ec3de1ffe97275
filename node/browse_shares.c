/* What a peer shares, and for a relay what its clients offer there. Both come in pages, in strict order, and are counted: no
 * peer can make the list grow without end. */
#include "browse.h"

#include <stdlib.h>
#include <string.h>

/* ---- handles */

static void handles_listed(void *arg, const struct msg *m, const struct fault *fault);

static void ask_handles(struct visit *v)
{
    struct msg *m = calloc(1, sizeof *m);
    struct fault fault;
    if (!m) {
        fault_set(&fault, ERR_NOMEM, "out of memory");
        visit_end(v, &fault);
        return;
    }
    m->type = MSG_HANDLES;
    m->handles.pipe = pipe_owned(&v->peer->id, "relay");
    m->handles.after_holder = v->after_holder;
    memcpy(m->handles.after_name, v->after, sizeof v->after);
    visit_ask(v, m, MSG_HANDLES_OK, handles_listed);
    free(m);
}

/* The name by which the holder is known here, or at the relay. */
static void holder_label(struct core *core, const struct handle_info *info, char label[NAME_MAX_BYTES + 1])
{
    const struct peer *holder = peers_find(core->peers, &info->holder);
    if (id_equal(&info->holder, &core->config.identity->id))
        snprintf(label, NAME_MAX_BYTES + 1, "%s", core->config.name);
    else if (holder)
        peer_label(holder, label);
    else
        snprintf(label, NAME_MAX_BYTES + 1, "%s", info->holder_name);
}

static void handle_row(struct visit *v, const struct handle_info *info)
{
    static const char *const states[] = {[HANDLE_READY] = "ready", [HANDLE_BUSY] = "busy", [HANDLE_AWAY] = "away"};
    char relay[NAME_MAX_BYTES + 1], holder[NAME_MAX_BYTES + 1];
    struct row *row = row_new("handle");
    if (row) {
        peer_label(v->peer, relay);
        holder_label(v->browse->call->core, info, holder);
        row_text(row, "relay", relay);
        row_text(row, "holder", holder);
        row_text(row, "id", id_text(&info->holder).s);
        row_text(row, "name", info->name);
        row_text(row, "kind", resource_kind_name(info->kind));
        row_text(row, "state", states[info->state]);
        row_bool(row, "public", info->is_public);
    }
    call_row(v->browse->call, row);
}

/* Is it behind the last one that was told, by holder and name? */
static bool in_order(const struct visit *v, const struct handle_info *info)
{
    int order = id_compare(&info->holder, &v->after_holder);
    return order > 0 || (order == 0 && strcmp(info->name, v->after) > 0);
}

static int tell_handles(struct visit *v, const struct msg_handles_ok *ok, struct fault *fault)
{
    char label[NAME_MAX_BYTES + 1];
    peer_label(v->peer, label);
    for (size_t i = 0; i < ok->count; i++) {
        const struct handle_info *info = &ok->handle[i];
        if (!in_order(v, info))
            return fault_set(fault, ERR_MALFORMED, "%s does not list its handles in order", label);
        if (++v->told > RELAY_HANDLES_MAX)
            return fault_set(fault, ERR_LIMIT, "%s lists more handles than a relay may have", label);
        handle_row(v, info);
        v->after_holder = info->holder;
        memcpy(v->after, info->name, sizeof v->after);
    }
    return 0;
}

static void handles_listed(void *arg, const struct msg *m, const struct fault *fault)
{
    struct visit *v = arg;
    struct fault own = {0};
    if (!m && visit_seeks_again(v, fault))
        return;
    if (!m)
        visit_end(v, fault);
    else if (tell_handles(v, &m->handles_ok, &own) != 0)
        visit_end(v, &own);
    else if (m->handles_ok.more && m->handles_ok.count > 0)
        visit_ask_in_time(v);
    else
        visit_end(v, NULL);
}

/* ---- shares */

static void shares_listed(void *arg, const struct msg *m, const struct fault *fault);

void visit_ask_shares(struct visit *v)
{
    struct msg *m = calloc(1, sizeof *m);
    struct fault fault;
    if (!m) {
        fault_set(&fault, ERR_NOMEM, "out of memory");
        visit_end(v, &fault);
        return;
    }
    m->type = MSG_SHARES;
    m->shares.pipe = pipe_owned(&v->peer->id, "files");
    memcpy(m->shares.after, v->after, sizeof v->after);
    visit_ask(v, m, MSG_SHARES_OK, shares_listed);
    free(m);
}

static int tell_shares(struct visit *v, const struct msg_shares_ok *ok, struct fault *fault)
{
    char label[NAME_MAX_BYTES + 1];
    peer_label(v->peer, label);
    for (size_t i = 0; i < ok->count; i++) {
        if (strcmp(ok->share[i].name, v->after) <= 0)
            return fault_set(fault, ERR_MALFORMED, "%s does not list its shares in order", label);
        if (++v->told > SHARES_MAX)
            return fault_set(fault, ERR_LIMIT, "%s lists more shares than a node may have", label);
        call_row(v->browse->call, share_row_of(label, &ok->share[i]));
        memcpy(v->after, ok->share[i].name, sizeof v->after);
    }
    return 0;
}

/* A relay that was asked for by name is asked for its handles too, over the connection to it. */
static bool has_handles(const struct visit *v)
{
    const struct link *link = link_find(v->browse->call->core, v->link);
    return v->browse->one && v->peer->has_record && (v->peer->record.roles & ROLE_RELAY) != 0 && link && !link->relayed;
}

static void shares_are_told(struct visit *v)
{
    if (!has_handles(v)) {
        visit_end(v, NULL);
        return;
    }
    v->told = 0;
    v->after[0] = '\0';
    v->ask = ask_handles;
    visit_ask_in_time(v);
}

static void shares_listed(void *arg, const struct msg *m, const struct fault *fault)
{
    struct visit *v = arg;
    struct fault own = {0};
    if (!m && visit_seeks_again(v, fault))
        return;
    if (!m)
        visit_end(v, fault);
    else if (tell_shares(v, &m->shares_ok, &own) != 0)
        visit_end(v, &own);
    else if (m->shares_ok.more && m->shares_ok.count > 0)
        visit_ask_in_time(v);
    else
        shares_are_told(v);
}
