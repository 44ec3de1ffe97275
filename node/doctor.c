/* The checks of doctor.h. Each says what is, and if something should be done, what. */
#include "doctor.h"

#include "reservation_internal.h"

#include <stdarg.h>
#include <stdio.h>

#define ADVICE_TEXT (2 * NAME_MAX_BYTES + 160)

static void check(struct call *call, const char *name, const char *level, const char *advice, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

static void check(struct call *call, const char *name, const char *level, const char *advice, const char *fmt, ...)
{
    char text[FAULT_TEXT];
    struct row *row = row_new("check");
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (row) {
        row_text(row, "name", name);
        row_text(row, "level", level);
        row_text(row, "text", text);
        row_text(row, "advice", advice);
    }
    call_row(call, row);
}

void doctor_peers(struct call *call)
{
    struct core *core = call->core;
    size_t heard = 0, linked = 0;
    for (size_t i = 0; i < peers_count(core->peers); i++) {
        heard += peer_alive(peers_at(core->peers, i), core_now(core));
        linked += link_to(core, peers_at(core->peers, i)) != NULL;
    }
    const char *advice =
        linked > 0  ? NULL
        : heard > 0 ? "peers are heard but cannot be dialled: a firewall may block TCP"
                    : "nobody is heard: is another node up? UDP may be blocked; 'weft up --peer ENDPOINT' asks by address";
    check(call, "peers", linked > 0 ? "ok" : "note", advice, "%zu known, %zu heard lately, %zu linked",
          peers_count(core->peers), heard, linked);
}

/* ---- relays */

static void advise(const struct reservation *r, const char *relay, char advice[ADVICE_TEXT])
{
    switch (r->fault.code) {
    case ERR_REFUSED:
        snprintf(advice, ADVICE_TEXT, "it must trust this node: 'weft invite' on %s, 'weft join' here", relay);
        break;
    case ERR_FULL:
        snprintf(advice, ADVICE_TEXT, "it has no room: share '--via' another relay, or ask who runs %s for more", relay);
        break;
    case ERR_NOT_FOUND:
    case ERR_UNSUPPORTED: snprintf(advice, ADVICE_TEXT, "is it a relay? 'weft up --role relay' on %s", relay); break;
    case ERR_STATE: snprintf(advice, ADVICE_TEXT, "nothing needs to be done: it is tried again"); break;
    default: snprintf(advice, ADVICE_TEXT, "is %s up? It is tried again; 'weft up --peer ENDPOINT' says where it is", relay);
    }
}

static void check_reservation(struct call *call, const struct reservation *r)
{
    char relay[NAME_MAX_BYTES + 1], advice[ADVICE_TEXT];
    size_t told = 0, refused = 0;
    carrier_name(r->carrier, relay);
    for (const struct offer *o = r->offers; o; o = o->next) {
        told += o->told && !o->refused && !o->withdrawn;
        refused += o->refused;
    }
    if (r->state.now != RESERVATION_HELD && r->fault.code) {
        advise(r, relay, advice);
        check(call, "relay", "warning", advice, "what is shared via %s cannot be had there: %s", relay, r->fault.text);
    } else if (r->state.now != RESERVATION_HELD) {
        check(call, "relay", "note", "look again in a moment", "%s is being asked to carry what is shared via it", relay);
    } else if (refused > 0) {
        check(call, "relay", "warning", "'weft share' says of each why, when it is shared again",
              "%s carries %zu shares of this node, and refused %zu", relay, told, refused);
    } else {
        check(call, "relay", "ok", NULL, "%s carries %zu share%s of this node", relay, told, told == 1 ? "" : "s");
    }
}

void doctor_relays(struct call *call)
{
    const struct relayed *relayed = call->core->relayed;
    for (const struct reservation *r = relayed ? relayed->reservations : NULL; r; r = r->next)
        if (r->wanted)
            check_reservation(call, r);
}

/* ---- a peer */

/* Why is it reached through a relay only? */
static void check_route(struct call *call, const struct link *link, const char *route)
{
    static const char advice[] =
        "all works as it is; for a direct way, let one of the two be dialled: open its port in the firewall or router";
    struct endpoint own[RECORD_ENDPOINTS_MAX];
    const struct peer *peer = link->peer;
    char label[NAME_MAX_BYTES + 1];
    size_t n = peer->has_record ? endpoints_usable(call->core, &peer->record, own, RECORD_ENDPOINTS_MAX) : 0;
    peer_label(peer, label);
    if (n == 0)
        check(call, "route", "note", advice, "%s only: %s names no address that could be dialled from here", route, label);
    else if (n == 1)
        check(call, "route", "note", advice, "%s only: %s does not answer at %s", route, label, own[0].text);
    else
        check(call, "route", "note", advice, "%s only: %s does not answer at %s, nor at its %zu other addresses", route, label,
              own[0].text, n - 1);
}

void doctor_reached(struct call *call, const struct link *link, uint64_t rtt_us)
{
    char route[ROUTE_TEXT];
    link_route(link, route);
    check(call, "reach", "ok", NULL, "reached over %s, round trip %llu us",
          link->relayed   ? route
          : link->inbound ? "its own link"
                          : link->endpoint.text,
          (unsigned long long)rtt_us);
    if (link->relayed)
        check_route(call, link, route);
}

void doctor_not_reached(struct call *call, const struct fault *fault)
{
    check(call, "reach", "error",
          "is the peer up, and in the same network? If neither can dial the other, a relay helps: man weft-relay", "%s",
          fault->text);
}
