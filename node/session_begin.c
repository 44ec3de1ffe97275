/* How sessions begin: from who wants one to a channel that only the two nodes at its ends can read.
 *
 * Out: USE brings noise's first message to the holder, USE_OK the second one back; then the channel is open, and the link says
 * HELLO. In: PART_USE is checked and accepted, but a link is made only when something that the other side sealed has come: who
 * repeats an old USE cannot seal anything. What the relay says of who asks is believed nowhere.
 *
 * Both sides state in the prologue which relay, handle and holder they mean, so that a relay cannot lead one to another. */
#include "session_internal.h"

#include <sodium.h>
#include <string.h>

#define PROLOGUE "weft relay 1"
#define PROLOGUE_BYTES (sizeof PROLOGUE - 1 + NODE_ID_BYTES + TAG_BYTES + NODE_ID_BYTES)
#define USE_TIMEOUT (RELAY_ACCEPT + SECOND) /* the relay waits RELAY_ACCEPT for the holder */

static void purpose_of(const struct session *s, const struct node_id *holder, uint8_t prologue[PROLOGUE_BYTES],
                       struct noise_purpose *purpose)
{
    uint8_t *at = prologue;
    at = (uint8_t *)mempcpy(at, PROLOGUE, sizeof PROLOGUE - 1);
    at = (uint8_t *)mempcpy(at, s->carrier->peer->id.b, NODE_ID_BYTES);
    at = (uint8_t *)mempcpy(at, s->handle.b, TAG_BYTES);
    memcpy(at, holder->b, NODE_ID_BYTES);
    *purpose = (struct noise_purpose){.prologue = prologue, .prologue_n = PROLOGUE_BYTES};
    core_random(s->carrier->core, purpose->ephemeral, sizeof purpose->ephemeral);
}

/* ---- out */

/* The relay, or whoever played the holder, does not have the holder's key, or led us to another handle. */
static void forged(struct session *s)
{
    char relay[NAME_MAX_BYTES + 1], peer[NAME_MAX_BYTES + 1];
    struct fault fault;
    fault_set(&fault, ERR_VERIFY, "the relay %s brought an answer that is not by %s, or not to what we asked; it was refused",
              carrier_name(s->carrier, relay), session_peer_name(s, peer));
    session_broken(s, &fault);
}

static void used(void *arg, const struct msg *m, const struct fault *fault)
{
    struct session *s = arg;
    struct core *core = s->carrier->core;
    static const struct fault unwanted = {.code = ERR_OK};
    if (!m) {
        session_end(s, fault, false);
        return;
    }
    if (session_find(s->carrier, m->use_ok.session)) { /* numbers are for the relay to keep apart */
        s->carrier->link->strikes++;
        forged(s);
        return;
    }
    s->number = m->use_ok.session;
    s->out.limit = m->use_ok.credit < RELAY_WINDOW ? m->use_ok.credit : RELAY_WINDOW;
    if (!s->link) {
        session_end(s, &unwanted, true);
    } else if (noise_finish(&s->noise, core->config.identity, m->use_ok.noise) != 0) {
        forged(s);
    } else {
        state_move(&s->state, SESSION_OPEN, core->log);
        link_session_up(s->link);
    }
}

void session_use(struct session *s)
{
    struct core *core = s->carrier->core;
    const struct node_id *holder = &s->link->peer->id;
    struct msg *m = &core->relayed->out;
    struct noise_purpose purpose;
    uint8_t prologue[PROLOGUE_BYTES], curve[CURVE_KEY_BYTES];
    m->type = MSG_USE;
    m->use = (struct msg_use){
        .pipe = pipe_owned(&s->carrier->peer->id, "relay"), .holder = *holder, .handle = s->handle, .credit = s->in.told};
    purpose_of(s, holder, prologue, &purpose);
    int err = id_curve_key(holder, curve);
    if (!err)
        err = noise_start(&s->noise, core->config.identity, curve, &purpose, m->use.noise);
    sodium_memzero(&purpose, sizeof purpose);
    state_move(&s->state, SESSION_ASKING, core->log);
    if (!err)
        err = ask(s->carrier->link, m, MSG_USE_OK, USE_TIMEOUT, used, s);
    if (err) {
        char relay[NAME_MAX_BYTES + 1];
        struct fault fault;
        fault_set(&fault, err, "%s could not be asked for a session: %s", carrier_name(s->carrier, relay), err_text(err));
        session_end(s, &fault, false);
    }
}

/* ---- in */

/* Who opens a session is another node, and not the relay: that one has a link to us. */
static int opener_check(const struct session *s)
{
    const struct core *core = s->carrier->core;
    bool self = memcmp(s->curve, core->config.identity->curve_public, CURVE_KEY_BYTES) == 0;
    return self || peer_has_key(s->carrier->peer, s->curve) ? ERR_REFUSED : 0;
}

static int accept_noise(struct session *s, const struct relay_part *part)
{
    const struct core *core = s->carrier->core;
    struct noise_purpose purpose;
    uint8_t prologue[PROLOGUE_BYTES];
    purpose_of(s, &core->config.identity->id, prologue, &purpose);
    int err = noise_accept(&s->noise, core->config.identity, &purpose, part->noise, s->curve, s->second);
    sodium_memzero(&purpose, sizeof purpose);
    return err ? err : opener_check(s);
}

static void accept_session(struct carrier *c, const struct relay_part *part)
{
    struct session *s = session_new(c, &part->handle, true);
    if (!s) {
        carrier_close(c, part->session, ERR_NOMEM, "out of memory");
        return;
    }
    int err = accept_noise(s, part);
    s->number = part->session;
    s->out.limit = part->credit < RELAY_WINDOW ? part->credit : RELAY_WINDOW;
    s->deadline = core_now(c->core) + RELAY_ACCEPT;
    if (!err)
        return;
    struct fault fault;
    fault_set(&fault, err, "%s",
              err == ERR_REFUSED ? "a node needs no relay to itself" : "what asks for this session was changed on the way");
    if (err == ERR_VERIFY)
        session_broken(s, &fault);
    else
        session_end(s, &fault, true);
}

void session_asked(struct carrier *c, const struct relay_part *part)
{
    if (session_find(c, part->session)) {
        c->link->strikes++; /* its own number, twice */
        return;
    }
    if (!bucket_take(&c->uses, core_now(c->core)) || carrier_sessions(c, true) >= RELAY_SESSIONS_PER_CLIENT)
        carrier_close(c, part->session, ERR_FULL, "this node has as many sessions as it may");
    else if (c->core->stopping || !reservation_offers(c, &part->handle))
        carrier_close(c, part->session, ERR_NOT_FOUND, "this node does not offer that through this relay");
    else
        accept_session(c, part);
}
