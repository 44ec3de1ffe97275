/* Offers: what a relay is told of the shares that name it, so that it can show them and let them be used.
 *
 * The list is in the order of the shares, by name, and is compared with them whenever they change. A withdrawn offer stays
 * until the relay has heard of it. Each OFFER is a request of its own; a few are out at once. */
#include "reservation_internal.h"

#include <stdlib.h>
#include <string.h>

#define OFFERS_OUT_MAX 16
#define OFFER_TIMEOUT (5 * SECOND)

bool share_goes_via(const struct share_row *row, const struct node_id *relay)
{
    for (size_t i = 0; i < row->via_count; i++)
        if (id_equal(&row->via[i], relay))
            return true;
    return false;
}

/* ---- comparing */

static struct tag content_of(const struct share_row *row)
{
    const uint8_t head[] = {(uint8_t)row->kind, row->is_public};
    return tag_derive("weft offer", head, sizeof head, row->audience, row->audience_count * sizeof *row->audience);
}

static void tell_anew(struct offer *o, bool withdrawn)
{
    o->withdrawn = withdrawn;
    o->told = o->refused = false;
}

static struct offer **place_after(struct reservation *r, struct offer *last)
{
    return last ? &last->next : &r->offers;
}

/* Withdraws those that follow, up to this name; NULL: all. Returns the last of them, else the one before. */
static struct offer *withdraw_below(struct reservation *r, struct offer *last, const char *name)
{
    struct offer *o;
    while ((o = *place_after(r, last)) && (!name || strcmp(o->name, name) < 0)) {
        if (!o->withdrawn)
            tell_anew(o, true);
        last = o;
    }
    return last;
}

/* The one of the share's name that follows, or a new one put there. */
static struct offer *offer_after(struct reservation *r, struct offer *last, const struct share_row *row)
{
    struct offer **at = place_after(r, last);
    struct offer *o = *at && strcmp((*at)->name, row->name) == 0 ? *at : calloc(1, sizeof *o);
    if (!o || o == *at)
        return o;
    o->reservation = r;
    memcpy(o->name, row->name, sizeof o->name);
    o->handle = handle_of(&r->core->config.identity->id, row->name);
    o->next = *at;
    *at = o;
    return o;
}

int offers_compare(struct reservation *r)
{
    struct offer *last = NULL;
    for (const struct share *s = r->core->shares; s; s = s->next) {
        struct tag content = content_of(&s->row);
        if (!share_goes_via(&s->row, &r->carrier->peer->id))
            continue;
        last = offer_after(r, withdraw_below(r, last, s->row.name), &s->row);
        if (!last)
            return ERR_NOMEM;
        if (last->withdrawn || !tag_equal(&last->content, &content))
            tell_anew(last, false);
        last->content = content;
    }
    withdraw_below(r, last, NULL);
    return 0;
}

static void offer_free(struct offer *o)
{
    struct offer **at = &o->reservation->offers;
    ask_cancel(o->reservation->core, o);
    while (*at != o)
        at = &(*at)->next;
    *at = o->next;
    free(o);
}

void offers_free(struct reservation *r)
{
    while (r->offers)
        offer_free(r->offers);
}

void offers_afresh(struct reservation *r)
{
    struct offer *o = r->offers;
    while (o) {
        struct offer *next = o->next;
        o->told = o->refused = false;
        if (o->withdrawn)
            offer_free(o);
        o = next;
    }
}

/* ---- telling */

/* What was said meanwhile is told anew. An offer that is refused is tried again when the reservation is renewed; a relay that
 * knows of no reservation is asked for one. */
static void answered(void *arg, const struct msg *m, const struct fault *fault)
{
    struct offer *o = arg;
    struct reservation *r = o->reservation;
    o->asking = false;
    if (!m) {
        log_write(r->core->log, LOG_INFO, "reservation", "'%s' is not offered: %s", o->name, fault->text);
        o->refused = true;
    }
    if (o->told && o->withdrawn)
        offer_free(o);
    if (!m && fault->code == ERR_STATE)
        reservation_failed(r, fault);
    else if ((m || fault->code != ERR_UNREACHABLE) && !reservation_settle(r))
        offers_say(r);
}

static int offer_say(struct offer *o)
{
    struct core *core = o->reservation->core;
    struct msg *m = &core->relayed->out;
    const struct share *share = share_find(core, o->name);
    m->type = MSG_OFFER;
    m->offer = (struct msg_offer){.withdrawn = o->withdrawn};
    memcpy(m->offer.name, o->name, sizeof m->offer.name);
    if (share && !o->withdrawn) {
        m->offer.kind = share->row.kind;
        m->offer.is_public = share->row.is_public;
        m->offer.audience_count = share->row.audience_count;
        memcpy(m->offer.audience, share->row.audience, share->row.audience_count * sizeof *share->row.audience);
    }
    return ask(o->reservation->carrier->link, m, MSG_OFFER_OK, OFFER_TIMEOUT, answered, o);
}

void offers_say(struct reservation *r)
{
    size_t out = 0;
    if (r->state.now != RESERVATION_HELD || !r->carrier->link)
        return;
    for (const struct offer *o = r->offers; o; o = o->next)
        out += o->asking;
    for (struct offer *o = r->offers; o && out < OFFERS_OUT_MAX; o = o->next) {
        if (o->told || o->asking)
            continue;
        if (offer_say(o) != 0)
            return; /* the link takes no more: the next answer, or the renewal, comes back to it */
        o->asking = o->told = true;
        out++;
    }
}
