/* Carriers: the relays that our sessions go through, and the requests (NEXT) that their parts travel in.
 *
 * Every part to us answers a NEXT that we sent before; every part from us rides in a NEXT, which then waits there as one more.
 * So while a carrier is in use, some are kept waiting. They are told apart by number: an answer to none of them was not asked
 * for. Sessions take turns; all of it together goes no faster than the link takes it.
 *
 * Invariants: (1) the link of a carrier is a connection, never itself a session; (2) at most NEXTS_OUT_MAX NEXTs are out, twice
 * as many as a relay lets wait: of more than it lets wait it answers the oldest with nothing; (3) an answer with nothing is not
 * answered with a NEXT at once, so a relay cannot keep us busy with it. */
#include "session_internal.h"

#include <stdlib.h>
#include <string.h>

#define USES_PER_S 50 /* PART_USE that are looked at: 150 us each */

/* ---- finding and making */

struct carrier *carrier_of(const struct core *core, const struct link *link)
{
    struct carrier *c = core->relayed ? core->relayed->carriers : NULL;
    while (c && c->link != link)
        c = c->next;
    return c;
}

static struct carrier *carrier_find(const struct relayed *r, const struct peer *peer)
{
    struct carrier *c = r->carriers;
    while (c && c->peer != peer)
        c = c->next;
    return c;
}

struct carrier *carrier_get(struct core *core, const struct node_id *relay)
{
    struct relayed *r = relayed_of(core);
    struct peer *peer;
    if (!r || peers_add(core->peers, relay, &peer) != 0)
        return NULL;
    struct carrier *c = carrier_find(r, peer);
    if (c)
        return c;
    c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->core = core;
    c->peer = peer;
    c->nexts = RELAY_NEXTS_MAX;
    bucket_init(&c->uses, USES_PER_S, 2 * RELAY_SESSIONS_PER_CLIENT, core_now(core));
    peer->busy++;
    c->next = r->carriers;
    r->carriers = c;
    return c;
}

void carrier_free(struct carrier *c)
{
    struct carrier **at = &c->core->relayed->carriers;
    reach_cancel(c->core, c);
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    c->peer->busy--;
    free(c);
}

const char *carrier_name(const struct carrier *c, char label[NAME_MAX_BYTES + 1])
{
    peer_label(c->peer, label);
    return label;
}

size_t carrier_sessions(const struct carrier *c, bool inbound)
{
    size_t n = 0;
    for (const struct session *s = c->core->relayed->sessions; s; s = s->next)
        n += s->carrier == c && s->inbound == inbound;
    return n;
}

/* ---- reaching it */

static void end_sessions(struct carrier *c, const struct fault *fault)
{
    for (struct session *s = c->core->relayed->sessions; s; s = s->next)
        if (s->carrier == c)
            session_end(s, fault, false);
}

static void reached(void *arg, const struct reached *result)
{
    struct carrier *c = arg;
    struct fault fault = result->fault;
    char label[NAME_MAX_BYTES + 1];
    c->reaching = false;
    if (result->link && result->link->relayed)
        fault_set(&fault, ERR_UNREACHABLE, "%s is no relay for us: it can be reached only through another one itself",
                  carrier_name(c, label));
    if (fault.code) {
        end_sessions(c, &fault);
        reservation_reached(c, &fault);
    } else {
        c->link = result->link;
        c->draining_at = 0;
        c->nexts = RELAY_NEXTS_MAX;
        c->hungry = true;
        reservation_reached(c, NULL);
    }
    relayed_soon(c->core, 0);
}

void carrier_reach(struct carrier *c)
{
    char label[NAME_MAX_BYTES + 1];
    struct fault fault;
    if (c->link || c->reaching)
        return;
    int err = reach(c->core, c->peer, "relay", TRANSPORT_ANY, reached, c);
    c->reaching = !err;
    if (!err)
        return;
    fault_set(&fault, err, "the relay %s cannot be asked for: %s", carrier_name(c, label), err_text(err));
    end_sessions(c, &fault);
    reservation_reached(c, &fault);
}

void sessions_link_lost(struct core *core, struct link *link)
{
    struct carrier *c = carrier_of(core, link);
    struct fault fault;
    char label[NAME_MAX_BYTES + 1];
    if (link->session)
        session_hangup(link->session);
    if (!c)
        return;
    c->link = NULL;
    c->draining_at = 0;
    c->out_count = 0;
    fault_set(&fault, ERR_UNREACHABLE, "the link to the relay %s is lost", carrier_name(c, label));
    end_sessions(c, &fault);
    reservation_lost(c);
    relayed_soon(core, 0);
}

/* ---- saying */

/* One NEXT with what stands in relayed->out. */
static int say(struct carrier *c)
{
    struct msg *m = &c->core->relayed->out;
    if (c->out_count >= NEXTS_OUT_MAX || !link_may_flow(c->link))
        return ERR_FULL;
    m->type = MSG_NEXT;
    m->request = ++c->core->next_request;
    int err = link_send(c->link, m);
    if (!err)
        c->out[c->out_count++] = (struct next_out){.request = m->request, .session = m->part.session};
    return err;
}

void carrier_close(struct carrier *c, uint64_t session, int code, const char *text)
{
    struct relay_part *part = &c->core->relayed->out.part;
    *part = (struct relay_part){.kind = PART_CLOSE, .session = session, .code = (enum err)code};
    snprintf(part->text, sizeof part->text, "%s", text);
    if (say(c) != 0)
        c->core->refused_messages++; /* the relay waits RELAY_ACCEPT for it, and goes on */
}

/* Of those that have something to say the one that has waited longest, with its part in relayed->out; NULL: none has. */
static struct session *next_speaker(struct carrier *c)
{
    struct relay_part part;
    struct session *next = NULL;
    for (struct session *s = c->core->relayed->sessions; s; s = s->next)
        if (s->carrier == c && (!next || s->spoke < next->spoke) && session_part(s, &part))
            next = s;
    return next && session_part(next, &c->core->relayed->out.part) ? next : NULL;
}

static size_t waiting_wanted(const struct carrier *c)
{
    bool used = reservation_held(c) || carrier_sessions(c, true) + carrier_sessions(c, false) > 0;
    size_t most = c->nexts < RELAY_NEXTS ? c->nexts : RELAY_NEXTS;
    return used ? most : 0;
}

bool carrier_say(struct carrier *c)
{
    struct session *s;
    if (!c->link)
        return true;
    while ((s = next_speaker(c))) {
        struct relay_part part = c->core->relayed->out.part;
        if (say(c) != 0)
            return c->out_count >= NEXTS_OUT_MAX; /* then the next answer is waited for */
        s->spoke = ++c->said;
        session_said(s, &part);
    }
    for (size_t wanted = c->hungry ? waiting_wanted(c) : 0; c->out_count < wanted;) {
        c->core->relayed->out.part = (struct relay_part){.kind = PART_NONE};
        if (say(c) != 0)
            return false;
    }
    c->hungry = false;
    return true;
}

/* ---- hearing */

/* The NEXT of ours that this answers is no longer out. False: there is none. */
static bool answers(struct carrier *c, uint64_t request, uint64_t *session)
{
    for (size_t i = 0; i < c->out_count; i++)
        if (c->out[i].request == request) {
            *session = c->out[i].session;
            memmove(&c->out[i], &c->out[i + 1], (--c->out_count - i) * sizeof *c->out);
            return true;
        }
    return false;
}

/* As the relay says, whether it comes from there or from the other node. */
static void closed(struct session *s, const struct relay_part *part)
{
    char relay[NAME_MAX_BYTES + 1], peer[NAME_MAX_BYTES + 1], text[ERROR_TEXT_MAX * 4 + 1];
    struct fault fault;
    carrier_name(s->carrier, relay);
    session_peer_name(s, peer);
    if (part->code == ERR_OK)
        fault_set(&fault, ERR_UNREACHABLE, "%s has ended the session through %s", peer, relay);
    else
        fault_set(&fault, (int)part->code, "the session with %s through %s was ended: %s", peer, relay,
                  escape(part->text, strlen(part->text), text, sizeof text));
    session_end(s, &fault, false);
}

static void drained(struct carrier *c)
{
    if (c->draining_at)
        return;
    c->draining_at = core_now(c->core);
    reservation_drained(c);
}

static void on_part(struct carrier *c, const struct relay_part *part)
{
    struct session *s = part->session ? session_find(c, part->session) : NULL;
    switch (part->kind) {
    case PART_NONE: break;
    case PART_USE: session_asked(c, part); break;
    case PART_DRAIN: drained(c); break;
    case PART_DATA:
        if (s)
            session_data(s, part);
        break; /* else it has ended here, and the relay was told */
    case PART_CLOSE:
        if (s)
            closed(s, part);
        break;
    default: c->link->strikes++; break;
    }
}

void sessions_on_next(struct link *link, const struct msg *m)
{
    struct carrier *c = carrier_of(link->core, link);
    uint64_t session;
    if (!c || !answers(c, m->request, &session)) {
        link->core->refused_messages++;
        link->strikes++; /* it answers what nobody asked */
        return;
    }
    c->hungry |= m->part.kind != PART_NONE && m->part.kind != PART_DRAIN;
    on_part(c, &m->part);
    relayed_soon(c->core, 0);
}

bool sessions_on_error(struct link *link, const struct msg *m)
{
    struct carrier *c = carrier_of(link->core, link);
    struct fault fault;
    uint64_t number;
    char relay[NAME_MAX_BYTES + 1], text[ERROR_TEXT_MAX * 4 + 1];
    if (m->type != MSG_ERROR || !c || !answers(c, m->request, &number))
        return false;
    struct session *s = number ? session_find(c, number) : NULL;
    fault_set(&fault, (int)m->error.code, "%s: %s", carrier_name(c, relay),
              escape(m->error.text, strlen(m->error.text), text, sizeof text));
    if (s)
        session_end(s, &fault, false);
    relayed_soon(c->core, 0);
    return true;
}
