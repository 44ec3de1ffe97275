/* The handles of a relay: what its clients offer, and to whom that is shown. See relay_internal.h.
 *
 * What a peer may not see is for it as if it were not there. Whether it may use what it sees is for the holder to say.
 *
 * Invariants: (1) a client's offers are in order of name, which is unique; (2) relay->offers is how many there are in all, at
 * most RELAY_HANDLES_MAX, of one client SHARES_MAX; (3) an audience is in order. */
#include "relay_internal.h"

#include <stdlib.h>
#include <string.h>

#define LOOKS_PER_QUERY 64 /* handles looked at for a peer count as one of its queries */

static int compare_ids(const void *a, const void *b)
{
    return id_compare(a, b);
}

static bool shown_to(const struct relay_offer *o, const struct peer *peer)
{
    if (o->is_public || o->audience_count == 0)
        return o->is_public || peer->trusted;
    return bsearch(&peer->id, o->audience, o->audience_count, sizeof *o->audience, compare_ids) != NULL;
}

bool relay_offers(const struct relay_client *holder, const struct tag *handle, const struct peer *to)
{
    struct tag node = handle_of(&holder->peer->id, "");
    const struct relay_offer *o = holder->offers;
    while (o && !tag_equal(&o->handle, handle))
        o = o->next;
    return o ? shown_to(o, to) : tag_equal(&node, handle);
}

/* ---- OFFER */

/* Where the offer of that name is, or would stand. */
static struct relay_offer **place_of(struct relay_client *c, const char *name)
{
    struct relay_offer **at = &c->offers;
    while (*at && strcmp((*at)->name, name) < 0)
        at = &(*at)->next;
    return at;
}

static void offer_enter(struct relay_client *c, struct relay_offer **at, struct relay_offer *o)
{
    o->next = *at;
    *at = o;
    c->offer_count++;
    c->relay->offers++;
}

static void offer_drop(struct relay_client *c, struct relay_offer **at)
{
    struct relay_offer *o = *at;
    *at = o->next;
    free(o);
    c->offer_count--;
    c->relay->offers--;
}

void relay_offers_drop(struct relay_client *c)
{
    while (c->offers)
        offer_drop(c, &c->offers);
}

static void offer_withdraw(struct relay_client *c, const char *name)
{
    struct relay_offer **at = place_of(c, name);
    if (!*at || strcmp((*at)->name, name) != 0)
        return;
    struct tag handle = (*at)->handle;
    offer_drop(c, at);
    relay_sessions_withdraw(c, &handle, ERR_NOT_FOUND, "withdrawn: its holder does not offer it any more");
}

static struct relay_offer *offer_new(const struct relay_client *c, const struct msg_offer *offer)
{
    struct relay_offer *o = calloc(1, sizeof *o + offer->audience_count * sizeof *o->audience);
    if (!o)
        return NULL;
    o->handle = handle_of(&c->peer->id, offer->name);
    memcpy(o->name, offer->name, sizeof o->name);
    o->kind = offer->kind;
    o->is_public = offer->is_public;
    o->audience_count = offer->audience_count;
    if (offer->audience_count > 0)
        memcpy(o->audience, offer->audience, offer->audience_count * sizeof *o->audience);
    qsort(o->audience, o->audience_count, sizeof *o->audience, compare_ids);
    return o;
}

static int offer_put(struct relay_client *c, const struct msg_offer *offer)
{
    struct relay_offer **at = place_of(c, offer->name);
    bool known = *at && strcmp((*at)->name, offer->name) == 0;
    if (!known && (c->offer_count >= SHARES_MAX || c->relay->offers >= RELAY_HANDLES_MAX))
        return ERR_FULL;
    struct relay_offer *o = offer_new(c, offer);
    if (!o)
        return ERR_NOMEM;
    if (known)
        offer_drop(c, at);
    offer_enter(c, at, o);
    return 0;
}

void relay_on_offer(struct relay_line *line, const struct msg *m)
{
    struct relay_client *c = line->client;
    struct msg *out = &c->relay->out;
    int err = 0;
    if (!relay_client_serves(c)) {
        link_error(line->link, m->request, ERR_STATE, "you have no reservation at this relay: make one first, then offer");
        return;
    }
    if (m->offer.withdrawn)
        offer_withdraw(c, m->offer.name);
    else
        err = offer_put(c, &m->offer);
    if (err) {
        log_write(c->relay->core->log, LOG_DEBUG, "relay", "an offer of %s refused: %s", relay_label(c).s, err_text(err));
        link_error(line->link, m->request, err, "this relay cannot keep more handles");
        return;
    }
    out->type = MSG_OFFER_OK;
    out->request = m->request;
    link_send(line->link, out);
}

/* ---- HANDLES */

static struct handle_info info_of(const struct relay_client *c, const struct relay_offer *o)
{
    struct handle_info info = {.holder = c->peer->id, .kind = o->kind, .is_public = o->is_public};
    info.state = !c->lines ? HANDLE_AWAY : c->sessions >= c->granted ? HANDLE_BUSY : HANDLE_READY;
    memcpy(info.holder_name, c->peer->name, sizeof info.holder_name);
    memcpy(info.name, o->name, sizeof info.name);
    return info;
}

/* Of one client: those behind `after`. How many it has looked at. */
static unsigned list_client(const struct relay_client *c, const char *after, const struct peer *to, struct msg_handles_ok *ok)
{
    unsigned looked = 0;
    for (const struct relay_offer *o = c->offers; o && !ok->more; o = o->next) {
        looked++;
        if (strcmp(o->name, after) <= 0 || !shown_to(o, to))
            continue;
        if (ok->count == HANDLES_PAGE_MAX)
            ok->more = true;
        else
            ok->handle[ok->count++] = info_of(c, o);
    }
    return looked;
}

/* The next page for this peer. How many handles were looked at. */
static unsigned list(const struct relay *relay, const struct msg_handles *after, const struct peer *to,
                     struct msg_handles_ok *ok)
{
    unsigned looked = 0;
    ok->more = false;
    ok->count = 0;
    for (size_t i = relay_client_place(relay, &after->after_holder); i < relay->client_count && !ok->more; i++) {
        const struct relay_client *c = relay->client[i];
        bool same = id_equal(&c->peer->id, &after->after_holder);
        if (relay_client_serves(c))
            looked += list_client(c, same ? after->after_name : "", to, ok);
    }
    return looked;
}

/* What counts against the peer is the work, not the message: most of what is looked at may be for others. */
void relay_on_handles(struct link *link, const struct msg *m)
{
    struct relay *relay = link->core->relay;
    struct msg *out = &relay->out;
    if (!bucket_take(&link->queries, core_now(link->core))) {
        link_error(link, m->request, ERR_LIMIT, "too many questions at once; try again in a moment");
        return;
    }
    out->type = MSG_HANDLES_OK;
    out->request = m->request;
    link->queries.level -= list(relay, &m->handles, link->peer, &out->handles_ok) / LOOKS_PER_QUERY;
    link_send(link, out);
}
