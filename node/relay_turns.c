/* Whose turn it is: the NEXTs of a relay's clients wait here, and are answered with parts of sessions. See relay_internal.h.
 *
 * A part for a client is the answer to one of its NEXTs, and each part from it comes in a NEXT, which then waits as well. So
 * there is always one to answer to whoever speaks, and who asks for nothing is told nothing.
 *
 * Invariants: (1) at most RELAY_NEXTS_MAX wait, of more the oldest is answered with nothing; (2) an end is in its line's turn
 * when there is something to tell it, once; (3) each turn of an end is one part, then it is the next one's; (4) a part is
 * taken from the session when the link has taken it. */
#include "relay_internal.h"

#include <string.h>

#define FULL_WAIT (10 * MILLISECOND) /* before a link that was full is tried again */

static const struct relay_part nothing = {.kind = PART_NONE}, drain = {.kind = PART_DRAIN};

/* ---- the ring of NEXTs */

static void wait_for_work(struct relay_line *line, uint64_t request)
{
    line->nexts[(line->next_first + line->next_count) % RELAY_NEXTS_MAX] = request;
    line->next_count++;
}

/* Answers the oldest one. ERR_FULL, ERR_UNREACHABLE: it waits on. */
static int answer(struct relay_line *line, const struct relay_part *part)
{
    struct msg *out = &line->client->relay->out;
    out->type = MSG_NEXT_OK;
    out->request = line->nexts[line->next_first];
    if (part != &out->part)
        out->part = *part;
    int err = link_send(line->link, out);
    if (err)
        return err;
    line->next_first = (line->next_first + 1) % RELAY_NEXTS_MAX;
    line->next_count--;
    return 0;
}

/* ---- what there is to tell an end */

static bool has_text_only(const struct relay_end *end)
{
    return end->closing && end->waiting.count == end->has_text;
}

static bool has_news(const struct relay_end *end)
{
    bool credit = end->session->state.now == RELAY_OPEN && relay_allowance(end) > end->allowed;
    return end->closing || end->waiting.count > 0 || credit;
}

static void close_part(const struct relay_end *end, struct relay_part *part)
{
    size_t n = 0;
    const uint8_t *text = end->has_text ? backlog_first(&end->waiting, &n) : NULL;
    part->kind = PART_CLOSE;
    part->code = (enum err)end->code;
    if (text)
        memcpy(part->text, text, n);
}

static void use_part(const struct relay_end *end, struct relay_part *part)
{
    size_t n;
    part->kind = PART_USE;
    part->handle = end->session->handle;
    part->user = relay_other(end)->line->client->peer->id;
    part->credit = relay_allowance(end);
    memcpy(part->noise, backlog_first(&end->waiting, &n), NOISE_FIRST_BYTES);
}

static void data_part(const struct relay_end *end, struct relay_part *part)
{
    size_t n = 0;
    part->kind = PART_DATA;
    part->credit = relay_allowance(end);
    part->bytes = end->waiting.count > 0 ? backlog_first(&end->waiting, &n) : NULL;
    part->len = (uint16_t)n;
}

static void next_part(const struct relay_end *end, struct relay_part *part)
{
    *part = (struct relay_part){.session = end->session->number};
    if (has_text_only(end))
        close_part(end, part);
    else if (end->session->state.now == RELAY_WANTED)
        use_part(end, part);
    else
        data_part(end, part);
}

/* The link has taken what next_part made. May free the session. */
static void told(struct relay_end *end, const struct relay_part *part)
{
    struct relay_end *other = relay_other(end);
    if (part->kind == PART_CLOSE) {
        relay_end_leave(end);
        return;
    }
    if (part->kind == PART_USE)
        relay_session_asked(end->session);
    end->allowed = part->credit;
    end->passed += part->len;
    if (end->waiting.count > 0)
        backlog_drop_first(&end->waiting);
    if (part->len > 0 && other->line) { /* it may have room for more now: nothing to hurry for */
        relay_turn_join(other);
        relay_line_serve_soon(other->line);
    }
}

/* ---- turns */

void relay_turn_join(struct relay_end *end)
{
    if (end->in_turn || !has_news(end))
        return;
    end->in_turn = true;
    end->after = NULL;
    *end->line->turn_last = end;
    end->line->turn_last = &end->after;
}

void relay_turn_leave(struct relay_end *end)
{
    struct relay_line *line = end->line;
    struct relay_end **at = &line->turn;
    if (!end->in_turn)
        return;
    while (*at != end)
        at = &(*at)->after;
    *at = end->after;
    if (line->turn_last == &end->after)
        line->turn_last = at;
    end->in_turn = false;
}

/* One part to the one whose turn it is. */
static int take_turn(struct relay_line *line)
{
    struct relay_end *end = line->turn;
    struct relay_part *part = &line->client->relay->out.part;
    next_part(end, part);
    int err = answer(line, part);
    if (err)
        return err;
    bool over = part->kind == PART_CLOSE;
    told(end, part);
    if (over)
        return 0;
    relay_turn_leave(end);
    relay_turn_join(end);
    return 0;
}

static int tell_drain(struct relay_line *line)
{
    int err = answer(line, &drain);
    line->drain = err != 0;
    return err;
}

void relay_line_serve(struct relay_line *line)
{
    struct core *core = line->client->relay->core;
    while (line->next_count > 0 && (line->drain || line->turn)) {
        if (!link_may_flow(line->link)) {
            core_timer(core, &line->timer, MILLISECOND);
            return;
        }
        int err = line->drain ? tell_drain(line) : take_turn(line);
        if (err) {
            core_timer(core, &line->timer, FULL_WAIT);
            return;
        }
    }
}

void relay_line_serve_soon(struct relay_line *line)
{
    core_timer(line->client->relay->core, &line->timer, 0);
}

static void serve_now(void *arg)
{
    relay_line_serve(arg);
}

void relay_line_init(struct relay_line *line)
{
    line->turn_last = &line->turn;
    line->drain = line->client->relay->draining;
    timer_init(&line->timer, serve_now, line);
}

/* ---- NEXT */

void relay_on_next(struct relay_line *line, const struct msg *m)
{
    if (line->next_count < RELAY_NEXTS_MAX || answer(line, &nothing) == 0) /* else its link is full: it is lost, as there */
        wait_for_work(line, m->request);
    relay_line_first(line);
    if (m->part.kind != PART_NONE)
        relay_on_part(line, m);
    relay_line_serve(line);
}

void relay_unknown_session(struct relay_line *line, uint64_t session)
{
    const struct relay_part part = {
        .kind = PART_CLOSE, .session = session, .code = ERR_NOT_FOUND, .text = "you have no such session at this relay"};
    line->client->relay->core->refused_messages++;
    answer(line, &part);
}
