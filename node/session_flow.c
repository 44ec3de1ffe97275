/* What flows in a session: messages of the link as sealed pieces, and the credit that bounds them.
 *
 * A piece is sealed when it is queued, for its number in the channel is its place in the order. Its plaintext is one byte that
 * says whether more of the message follows, then bytes of the message. Credit is counted in sealed bytes, from the session's
 * start, and given back when they leave our memory: at once when the message is not complete, else when the link has it. What
 * we grant never falls below one whole piece, so that a piece that waits always comes to go. */
#include "session_internal.h"

#include <stdlib.h>
#include <string.h>

#define PIECE_MAX (RELAY_PART_MAX - NOISE_TAG_BYTES - 1)
enum { PIECE_LAST, PIECE_MORE };

/* ---- queues */

void notes_init(struct notes *q)
{
    *q = (struct notes){.end = NULL};
    q->end = &q->first;
}

void notes_push(struct notes *q, struct note *note)
{
    note->next = NULL;
    *q->end = note;
    q->end = &note->next;
    q->bytes += note->n;
}

struct note *notes_pop(struct notes *q)
{
    struct note *note = q->first;
    if (!note)
        return NULL;
    q->first = note->next;
    if (!q->first)
        q->end = &q->first;
    q->bytes -= note->n;
    return note;
}

void notes_clear(struct notes *q)
{
    while (q->first)
        free(notes_pop(q));
}

/* A sign of use: anything but what keeps links alive. Messages begin with the header of their array and their type. */
static void used(struct session *s, const uint8_t *bytes, size_t n)
{
    if (n < 2 || (bytes[1] != MSG_PING && bytes[1] != MSG_PONG))
        s->used_at = core_now(s->carrier->core);
}

/* ---- out */

static int seal(struct session *s, uint8_t more, const uint8_t *bytes, size_t n)
{
    uint8_t *plain = s->carrier->core->relayed->plain;
    struct note *note = malloc(sizeof *note + n + 1 + NOISE_TAG_BYTES);
    if (!note)
        return ERR_NOMEM;
    plain[0] = more;
    memcpy(plain + 1, bytes, n);
    int err = noise_seal(&s->noise, plain, n + 1, note->bytes);
    if (err) {
        free(note);
        return err;
    }
    note->n = n + 1 + NOISE_TAG_BYTES;
    notes_push(&s->out.sealed, note);
    return 0;
}

/* A message of which a part is sealed and a part cannot be is the end of the session: the other side would wait for the rest.
 * */
int session_queue(struct session *s, const void *bytes, size_t n)
{
    const uint8_t *at = bytes;
    if (s->out.sealed.bytes + n > SESSION_QUEUE_BYTES)
        return ERR_FULL;
    used(s, bytes, n);
    do {
        size_t piece = n < PIECE_MAX ? n : PIECE_MAX;
        int err = seal(s, n > piece ? PIECE_MORE : PIECE_LAST, at, piece);
        if (err) {
            struct fault fault;
            fault_set(&fault, err, "this session cannot go on: %s", err_text(err));
            session_end(s, &fault, true);
            return err;
        }
        at += piece;
        n -= piece;
    } while (n > 0);
    return 0;
}

/* ---- in */

static int append(struct session *s, const uint8_t *bytes, size_t n)
{
    size_t had = s->in.partial ? s->in.partial->n : 0;
    if (had + n > MSG_BYTES_MAX)
        return ERR_LIMIT;
    struct note *grown = realloc(s->in.partial, sizeof *grown + had + n);
    if (!grown)
        return ERR_NOMEM;
    memcpy(grown->bytes + had, bytes, n);
    grown->n = had + n;
    s->in.partial = grown;
    return 0;
}

/* The other node itself, which sealed it, says what is no piece. */
static void not_a_piece(struct session *s, int err)
{
    char label[NAME_MAX_BYTES + 1];
    struct fault fault;
    fault_set(&fault, err, "%s said what is no message: %s", session_peer_name(s, label), err_text(err));
    session_end(s, &fault, true);
}

static void take_piece(struct session *s, const uint8_t *plain, size_t n)
{
    int err = n < 1 || plain[0] > PIECE_MORE ? ERR_MALFORMED : append(s, plain + 1, n - 1);
    if (err) {
        not_a_piece(s, err);
        return;
    }
    if (plain[0] == PIECE_MORE)
        return;
    used(s, s->in.partial->bytes, s->in.partial->n);
    notes_push(&s->in.whole, s->in.partial);
    s->in.partial = NULL;
    relayed_soon(s->carrier->core, 0);
}

/* Whoever opened a session to us is there, for what came was sealed just now: a link is made for it. */
static void proven(struct session *s)
{
    struct core *core = s->carrier->core;
    static const struct fault full = {.code = ERR_FULL, .text = "there is no room for another link"};
    struct link *link = link_of_session(core, s, s->curve);
    if (!link) {
        session_end(s, &full, true);
        return;
    }
    s->link = link;
    link->session = s;
    state_move(&s->state, SESSION_OPEN, core->log);
}

static void unfaithful(struct session *s)
{
    char peer[NAME_MAX_BYTES + 1], relay[NAME_MAX_BYTES + 1];
    struct fault fault;
    fault_set(&fault, ERR_VERIFY, "the relay %s did not carry the bytes of %s faithfully: what came was not what was sent",
              carrier_name(s->carrier, relay), session_peer_name(s, peer));
    session_broken(s, &fault);
}

static void open_piece(struct session *s, const struct relay_part *part)
{
    uint8_t *plain = s->carrier->core->relayed->plain;
    if (part->len < NOISE_TAG_BYTES || noise_open(&s->noise, part->bytes, part->len, plain) != 0) {
        unfaithful(s);
        return;
    }
    if (s->state.now == SESSION_PROVING)
        proven(s);
    if (s->state.now == SESSION_OPEN)
        take_piece(s, plain, part->len - NOISE_TAG_BYTES);
}

/* Nobody who is honest grants more than a window beyond what was said; more is believed nobody. */
static void take_credit(struct session *s, uint64_t credit)
{
    uint64_t most = s->out.sent + RELAY_WINDOW;
    if (credit > most)
        credit = most;
    if (credit > s->out.limit)
        s->out.limit = credit;
}

void session_data(struct session *s, const struct relay_part *part)
{
    take_credit(s, part->credit);
    relayed_soon(s->carrier->core, 0);
    if (part->len == 0 || s->state.now == SESSION_CLOSING || s->state.now == SESSION_ENDED)
        return;
    if (part->len > s->in.told - s->in.got) {
        struct fault fault;
        char relay[NAME_MAX_BYTES + 1];
        fault_set(&fault, ERR_LIMIT, "the relay %s brought more than was asked for", carrier_name(s->carrier, relay));
        session_broken(s, &fault);
        return;
    }
    s->in.got += part->len;
    open_piece(s, part);
}

/* A message may end any link, this one too; the session stays until the turn is over. */
void session_deliver(struct session *s)
{
    struct note *note;
    while (s->link && (note = notes_pop(&s->in.whole))) {
        core_message(s->carrier->core, s->link->no, note->bytes, note->n);
        free(note);
    }
}

/* ---- parts */

/* What may come in all, as of now. */
static uint64_t grant(const struct session *s)
{
    uint64_t most = s->in.got + RELAY_WINDOW - s->in.whole.bytes;
    return most > s->in.told ? most : s->in.told;
}

static bool part_data(struct session *s, struct relay_part *part)
{
    const struct note *note = s->out.sealed.first;
    bool may = note && note->n <= s->out.limit - s->out.sent;
    bool owes = s->state.now == SESSION_OPEN && s->in.told - s->in.got < RELAY_PART_MAX && grant(s) > s->in.told;
    if (!may && !owes)
        return false;
    part->kind = PART_DATA;
    part->credit = grant(s);
    part->len = may ? (uint16_t)note->n : 0;
    part->bytes = may ? note->bytes : NULL;
    return true;
}

static bool part_close(const struct session *s, struct relay_part *part)
{
    part->kind = PART_CLOSE;
    part->code = s->fault.code;
    strncpy(part->text, s->fault.text, sizeof part->text - 1);
    while (!utf8_valid(part->text, strlen(part->text)))
        part->text[strlen(part->text) - 1] = '\0'; /* cut in the middle of a character */
    return true;
}

static bool part_accept(const struct session *s, struct relay_part *part)
{
    part->kind = PART_ACCEPT;
    part->credit = s->in.told;
    memcpy(part->noise, s->second, sizeof s->second);
    return true;
}

bool session_part(struct session *s, struct relay_part *part)
{
    *part = (struct relay_part){.session = s->number};
    switch (s->state.now) {
    case SESSION_ACCEPTING: return part_accept(s, part);
    case SESSION_OPEN: return part_data(s, part);
    case SESSION_CLOSING: return s->out.sealed.first ? part_data(s, part) : part_close(s, part);
    case SESSION_ENDED: return s->owes_close && part_close(s, part);
    default: return false;
    }
}

void session_said(struct session *s, const struct relay_part *part)
{
    static const struct fault in_order;
    if (part->kind == PART_ACCEPT) {
        state_move(&s->state, SESSION_PROVING, s->carrier->core->log);
    } else if (part->kind == PART_CLOSE && s->state.now == SESSION_CLOSING) {
        session_end(s, &in_order, false);
    } else if (part->kind == PART_CLOSE) {
        s->owes_close = false;
        relayed_soon(s->carrier->core, 0);
    } else {
        s->in.told = part->credit;
        s->out.sent += part->len;
        if (part->len > 0)
            free(notes_pop(&s->out.sealed));
    }
}
