/* Sessions of a relay: from USE to the end. See relay_internal.h; what is sent when is relay_turns.c's.
 *
 * Credit: `granted` is what an end takes in all, by its own word. What the other end is told (relay_allowance) is that, but
 * never more than RELAY_WINDOW beyond what has been passed on, so that whatever an end grants, no more than RELAY_WINDOW waits
 * here.
 *
 * Invariants: (1) an end's line is one of its client's, until the end leaves; (2) a session without ends is gone; (3)
 * `request` is answered once: it is 0 from then on; (4) a client's `sessions` counts the ends that have not left; (5) an end
 * that is closing is told so after what waits for it, and nothing else is put behind that. */
#include "relay_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEALED_MIN 17 /* a piece of a link's message: one byte and the seal. Smaller ones would cost more than they count. */
_Static_assert(RELAY_WINDOW + BACKLOG_HEAD * (RELAY_WINDOW / SEALED_MIN + 1) + BACKLOG_HEAD + ERROR_TEXT_MAX <= BACKLOG_MAX,
               "a window of the smallest pieces, and a last word, must fit");

static const char *const session_names[] = {"wanted", "asked", "open", "ending"};
static const uint32_t session_moves[] = {STATE_BIT(RELAY_ASKED) | STATE_BIT(RELAY_ENDING),
                                         STATE_BIT(RELAY_OPEN) | STATE_BIT(RELAY_ENDING), STATE_BIT(RELAY_ENDING), 0};
static const struct state_table session_table = {
    .what = "relay-session", .names = session_names, .allowed = session_moves, .count = RELAY_SESSION_STATES};

/* ---- finding */

struct relay_end *relay_other(const struct relay_end *end)
{
    return &end->session->end[end == &end->session->end[END_USER] ? END_HOLDER : END_USER];
}

struct relay_end *relay_end_at(struct relay_session *s, const struct relay_line *line)
{
    for (size_t i = 0; i < END_COUNT; i++)
        if (s->end[i].line == line)
            return &s->end[i];
    return NULL;
}

static struct relay_session **bucket_of(struct relay *relay, uint64_t number)
{
    return &relay->by_number[number % RELAY_BUCKETS];
}

struct relay_session *relay_session_find(const struct relay *relay, uint64_t number)
{
    struct relay_session *s = relay->by_number[number % RELAY_BUCKETS];
    while (s && s->number != number)
        s = s->same_bucket;
    return s;
}

uint64_t relay_allowance(const struct relay_end *end)
{
    const struct relay_end *other = relay_other(end);
    uint64_t most = other->passed + RELAY_WINDOW;
    return other->granted < most ? other->granted : most;
}

/* ---- life */

static void expired(void *arg);

static void end_join(struct relay_session *s, size_t which, struct relay_line *line)
{
    s->end[which] = (struct relay_end){.session = s, .line = line};
    line->client->sessions++;
}

static struct relay_session *session_new(struct relay_line *user, struct relay_line *holder, const struct msg *m)
{
    struct relay *relay = user->client->relay;
    struct relay_session *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->relay = relay;
    s->number = ++relay->next_session;
    s->request = m->request;
    s->handle = m->use.handle;
    s->strange = !user->client->peer->trusted;
    state_init(&s->state, &session_table, RELAY_WANTED);
    timer_init(&s->timer, expired, s);
    end_join(s, END_USER, user);
    end_join(s, END_HOLDER, holder);
    s->end[END_USER].granted = m->use.credit;
    holder->client->strangers += s->strange;
    relay->strange_count += s->strange;
    relay->session_count++;
    s->next = relay->sessions;
    relay->sessions = s;
    s->same_bucket = *bucket_of(relay, s->number);
    *bucket_of(relay, s->number) = s;
    return s;
}

static void session_free(struct relay_session *s)
{
    struct relay *relay = s->relay;
    struct relay_session **at = &relay->sessions;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    for (at = bucket_of(relay, s->number); *at != s;)
        at = &(*at)->same_bucket;
    *at = s->same_bucket;
    core_cancel(relay->core, &s->timer);
    relay->strange_count -= s->strange;
    relay->session_count--;
    free(s);
    relay_look_whether_idle(relay);
}

/* It has no line any more; the session may have no ends then, see settle. */
static void leave(struct relay_end *end)
{
    struct relay_session *s = end->session;
    struct relay_client *c = end->line->client;
    relay_turn_leave(end);
    backlog_clear(&end->waiting);
    c->sessions--;
    if (end == &s->end[END_HOLDER])
        c->strangers -= s->strange;
    end->line = NULL;
}

static void settle(struct relay_session *s)
{
    if (!s->end[END_USER].line && !s->end[END_HOLDER].line)
        session_free(s);
}

void relay_end_leave(struct relay_end *end)
{
    leave(end);
    settle(end->session);
}

/* ---- ending */

static void end_close(struct relay_end *end, int code, const char *text)
{
    size_t n = strnlen(text, ERROR_TEXT_MAX);
    end->closing = true;
    end->code = (uint8_t)code;
    end->has_text = n > 0 && backlog_put(&end->waiting, text, n) == 0; /* without memory it ends without a word */
    relay_turn_join(end);
    relay_line_serve_soon(end->line);
}

/* The USE that waits gets its answer, and with that its end has left. */
static void refuse_use(struct relay_session *s, int code, const char *text)
{
    struct relay_end *user = &s->end[END_USER];
    if (user->line)
        link_error(user->line->link, s->request, code ? code : ERR_REFUSED, text);
    s->request = 0;
    if (user->line)
        leave(user);
}

void relay_session_end(struct relay_session *s, int code, const char *text)
{
    struct relay_end *holder = &s->end[END_HOLDER];
    if (s->state.now == RELAY_ENDING)
        return;
    log_write(s->relay->core->log, LOG_DEBUG, "relay", "session %llu ends: %s%s%s", (unsigned long long)s->number,
              err_text(code), *text ? ", " : "", text);
    if (s->request)
        refuse_use(s, code, text);
    if (s->state.now == RELAY_WANTED && holder->line)
        leave(holder); /* it never knew */
    state_move(&s->state, RELAY_ENDING, s->relay->core->log);
    core_timer(s->relay->core, &s->timer, RELAY_ACCEPT);
    for (size_t i = 0; i < END_COUNT; i++)
        if (s->end[i].line)
            end_close(&s->end[i], code, text);
    settle(s);
}

/* Ends that would not be told in time are not told. */
static void session_drop(struct relay_session *s)
{
    for (size_t i = 0; i < END_COUNT; i++)
        if (s->end[i].line)
            leave(&s->end[i]);
    settle(s);
}

static void check_idle(struct relay_session *s)
{
    uint64_t idle = core_now(s->relay->core) - s->data_at;
    if (idle < RELAY_IDLE)
        core_timer(s->relay->core, &s->timer, RELAY_IDLE - idle);
    else
        relay_session_end(s, ERR_TIMEOUT, "nothing was sent for too long");
}

static void expired(void *arg)
{
    struct relay_session *s = arg;
    switch (s->state.now) {
    case RELAY_OPEN: check_idle(s); break;
    case RELAY_ENDING: session_drop(s); break;
    default: relay_session_end(s, ERR_TIMEOUT, "its holder does not answer; try again later"); break;
    }
}

void relay_sessions_withdraw(struct relay_client *holder, const struct tag *handle, int code, const char *text)
{
    struct relay_session *next;
    for (struct relay_session *s = holder->relay->sessions; s; s = next) {
        const struct relay_line *line = s->end[END_HOLDER].line;
        next = s->next; /* ending one frees no other */
        if (line && line->client == holder && (!handle || tag_equal(handle, &s->handle)))
            relay_session_end(s, code, text);
    }
}

/* An end has left, by its own word or with its link: the other one is told. */
static void end_left(struct relay_end *end, int code, const char *text)
{
    struct relay_session *s = end->session;
    bool over = s->state.now == RELAY_ENDING;
    leave(end);
    if (over)
        settle(s);
    else
        relay_session_end(s, code, text);
}

void relay_sessions_line_lost(struct relay *relay, struct relay_line *line)
{
    char text[NAME_MAX_BYTES + 16];
    struct relay_session *next;
    snprintf(text, sizeof text, "%s is gone", relay_label(line->client).s);
    for (struct relay_session *s = relay->sessions; s; s = next) {
        struct relay_end *end = relay_end_at(s, line);
        next = s->next;
        if (end)
            end_left(end, ERR_UNREACHABLE, text);
    }
}

/* ---- USE */

static int has_room(const struct relay_client *user, const struct relay_client *holder, struct fault *fault)
{
    const struct relay *relay = user->relay;
    bool strange = !user->peer->trusted;
    if (user->sessions >= relay_sessions_allowed(relay))
        return fault_set(fault, ERR_FULL, "you have %u sessions at this relay, as many as it allows", user->sessions);
    if (holder->sessions >= holder->granted || (strange && holder->strangers >= (holder->granted + 1) / 2))
        return fault_set(fault, ERR_FULL, "its holder has as many sessions as this relay allows; try again later");
    if (relay->session_count >= RELAY_SESSIONS_MAX || (strange && relay->strange_count >= RELAY_SESSIONS_MAX / 2))
        return fault_set(fault, ERR_FULL, "this relay carries as many sessions as it can; try again later");
    return 0;
}

/* Noise costs the holder more than a USE costs its user. */
static bool too_fast(struct relay_client *user, struct relay_client *holder)
{
    uint64_t now = core_now(user->relay->core);
    return !bucket_take(&user->uses, now) || (!user->peer->trusted && !bucket_take(&holder->strange_uses, now));
}

static int may_use(struct relay_client *user, const struct msg_use *use, struct relay_client **out, struct fault *fault)
{
    struct relay *relay = user->relay;
    struct relay_client *holder = *out = relay_client_find(relay, &use->holder);
    if (relay->draining)
        return fault_set(fault, ERR_STATE, "this relay is stopping; take another one");
    if (id_equal(&use->holder, &relay->core->config.identity->id))
        return fault_set(fault, ERR_REFUSED, "that is at this relay itself: ask it without a session");
    if (holder == user)
        return fault_set(fault, ERR_REFUSED, "that is your own: a session to oneself would go round in a circle");
    if (!holder || !relay_client_serves(holder) || !relay_offers(holder, &use->handle, user->peer))
        return fault_set(fault, ERR_NOT_FOUND, "no such handle is offered to you at this relay");
    if (!holder->lines)
        return fault_set(fault, ERR_UNREACHABLE, "its holder is away; try again when it is back");
    if (has_room(user, holder, fault) != 0)
        return (int)fault->code;
    if (too_fast(user, holder))
        return fault_set(fault, ERR_LIMIT, "too many sessions begun at once; try again in a moment");
    return 0;
}

void relay_on_use(struct relay_line *line, const struct msg *m)
{
    struct core *core = line->client->relay->core;
    struct relay_client *holder;
    struct fault fault;
    if (may_use(line->client, &m->use, &holder, &fault) != 0) {
        log_write(core->log, LOG_DEBUG, "relay", "no session for %s: %s", relay_label(line->client).s, fault.text);
        core_send_error(line->link, m->request, &fault);
        return;
    }
    struct relay_session *s = session_new(line, holder->lines, m);
    if (!s) {
        link_error(line->link, m->request, ERR_NOMEM, "this relay is out of memory");
        return;
    }
    core_timer(core, &s->timer, RELAY_ACCEPT);
    if (backlog_put(&s->end[END_HOLDER].waiting, m->use.noise, NOISE_FIRST_BYTES) != 0) {
        relay_session_end(s, ERR_NOMEM, "this relay is out of memory");
        return;
    }
    relay_turn_join(&s->end[END_HOLDER]);
    relay_line_serve(holder->lines);
}

void relay_session_asked(struct relay_session *s)
{
    state_move(&s->state, RELAY_ASKED, s->relay->core->log);
}

/* ---- parts */

/* What no client that keeps to the rules would send: it costs it this session, and no other. */
static void broken(struct relay_end *end, int code, const char *text)
{
    struct core *core = end->session->relay->core;
    core->refused_messages++;
    log_write(core->log, LOG_WARN, "relay", "%s broke session %llu: %s", relay_label(end->line->client).s,
              (unsigned long long)end->session->number, text);
    relay_session_end(end->session, code, text);
}

static int use_ok(struct relay_session *s, const struct relay_part *part)
{
    struct relay_end *user = &s->end[END_USER];
    struct msg *out = &s->relay->out;
    out->type = MSG_USE_OK;
    out->request = s->request;
    out->use_ok = (struct msg_use_ok){.session = s->number, .credit = relay_allowance(user)};
    memcpy(out->use_ok.noise, part->noise, NOISE_SECOND_BYTES);
    user->allowed = out->use_ok.credit;
    return link_send(user->line->link, out);
}

static void on_accept(struct relay_end *end, const struct relay_part *part)
{
    struct relay_session *s = end->session;
    struct core *core = s->relay->core;
    if (s->state.now != RELAY_ASKED || end != &s->end[END_HOLDER]) {
        broken(end, ERR_STATE, "an ACCEPT that nobody waits for");
        return;
    }
    end->granted = part->credit;
    if (use_ok(s, part) != 0) {
        relay_session_end(s, ERR_FULL, "the other end takes no more messages now");
        return;
    }
    s->request = 0;
    s->data_at = core_now(core);
    state_move(&s->state, RELAY_OPEN, core->log);
    core_timer(core, &s->timer, RELAY_IDLE);
}

/* What a part of DATA has wrong with it, or NULL. */
static const char *wrong_data(const struct relay_end *end, const struct relay_part *part, int *code)
{
    *code = end->session->state.now == RELAY_OPEN ? ERR_MALFORMED : ERR_STATE;
    if (*code == ERR_STATE)
        return "DATA in a session that is not open";
    if (part->len > 0 && part->len < SEALED_MIN)
        return "DATA too short to be sealed";
    *code = ERR_LIMIT;
    return part->len > end->allowed - end->came ? "more DATA than was allowed" : NULL;
}

static void on_data(struct relay_end *end, const struct relay_part *part)
{
    struct relay_session *s = end->session;
    struct relay_end *to = relay_other(end);
    struct relay_line *line = to->line;
    int code;
    const char *wrong = wrong_data(end, part, &code);
    if (wrong) {
        broken(end, code, wrong);
        return;
    }
    if (part->len > 0 && backlog_put(&to->waiting, part->bytes, part->len) != 0) {
        relay_session_end(s, ERR_NOMEM, "this relay is out of memory");
        return;
    }
    end->came += part->len;
    s->relay->bytes += part->len;
    if (part->len > 0)
        s->data_at = core_now(s->relay->core);
    if (part->credit > end->granted)
        end->granted = part->credit;
    relay_turn_join(to);
    relay_line_serve(line);
}

void relay_on_part(struct relay_line *line, const struct msg *m)
{
    const struct relay_part *part = &m->part;
    struct relay_session *s = relay_session_find(line->client->relay, part->session);
    struct relay_end *end = s ? relay_end_at(s, line) : NULL;
    bool over = end && end->closing; /* and has not been told yet: what it says crosses that */
    if (!end && part->kind != PART_CLOSE)
        relay_unknown_session(line, part->session);
    else if (end && part->kind == PART_CLOSE)
        end_left(end, (int)part->code, part->text);
    else if (end && !over && part->kind == PART_ACCEPT)
        on_accept(end, part);
    else if (end && !over && part->kind == PART_DATA)
        on_data(end, part);
}
