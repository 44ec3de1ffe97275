/* Requests of ours over a link: numbered, answered once, or failed with a reason in bounded time. */
#include "core_internal.h"

#include <stdlib.h>
#include <string.h>

struct ask {
    struct ask *next;
    struct core *core;
    struct link *link;
    uint64_t number;
    enum msg_type answer;
    struct timer timer;
    bool is_long; /* as long as the other side says that it works on it */
    ask_progress *progress;
    ask_done *done;
    void *arg;
};

static void ask_drop(struct ask *a)
{
    struct core *core = a->core;
    core_cancel(core, &a->timer);
    struct ask **at = &core->asks;
    while (*at != a)
        at = &(*at)->next;
    *at = a->next;
    free(a);
}

static void ask_end(struct ask *a, const struct msg *m, const struct fault *fault)
{
    ask_done *done = a->done;
    void *arg = a->arg;
    ask_drop(a);
    done(arg, m, fault);
}

static void ask_expired(void *arg)
{
    struct ask *a = arg;
    char label[NAME_MAX_BYTES + 1];
    struct fault fault;
    peer_label(a->link->peer, label);
    fault_set(&fault, ERR_TIMEOUT, "%s did not answer in time; it may be busy or gone: try 'weft ping %s'", label, label);
    ask_end(a, NULL, &fault);
}

static int begin(struct link *link, struct msg *m, uint64_t timeout, struct ask **out)
{
    struct core *core = link->core;
    m->request = ++core->next_request;
    int err = link_send(link, m);
    if (err)
        return err;
    struct ask *a = calloc(1, sizeof *a);
    if (!a)
        return ERR_NOMEM;
    a->core = core;
    a->link = link;
    a->number = m->request;
    timer_init(&a->timer, ask_expired, a);
    a->next = core->asks;
    core->asks = a;
    link->used_at = core_now(core);
    core_timer(core, &a->timer, timeout);
    *out = a;
    return 0;
}

int ask(struct link *link, struct msg *m, enum msg_type answer, uint64_t timeout, ask_done *done, void *arg)
{
    struct ask *a;
    int err = begin(link, m, timeout, &a);
    if (err)
        return err;
    a->answer = answer;
    a->done = done;
    a->arg = arg;
    return 0;
}

int ask_for_long(struct link *link, struct msg *m, enum msg_type answer, ask_progress *progress, ask_done *done, void *arg)
{
    int err = ask(link, m, answer, ASK_SILENCE, done, arg);
    if (!err) {
        link->core->asks->is_long = true;
        link->core->asks->progress = progress;
    }
    return err;
}

static void withdraw(const struct ask *a)
{
    struct msg cancel = {.type = MSG_CANCEL, .cancel = {.request = a->number}};
    link_send(a->link, &cancel);
}

void ask_withdraw(struct core *core, void *arg)
{
    for (const struct ask *a = core->asks; a; a = a->next)
        if (a->arg == arg)
            withdraw(a);
    ask_cancel(core, arg);
}

uint64_t ask_number(struct core *core, void *arg)
{
    for (struct ask *a = core->asks; a; a = a->next)
        if (a->arg == arg)
            return a->number;
    return 0;
}

bool ask_waits(const struct core *core, const struct link *link)
{
    const struct ask *a = core->asks;
    while (a && a->link != link)
        a = a->next;
    return a != NULL;
}

void ask_cancel(struct core *core, void *arg)
{
    struct ask *a = core->asks;
    while (a) {
        struct ask *next = a->next;
        if (a->arg == arg)
            ask_drop(a);
        a = next;
    }
}

/* An answer's `done` may start and cancel other requests, so the search begins anew after each. */
void ask_link_lost(struct core *core, struct link *link)
{
    struct ask *a = core->asks;
    while (a) {
        if (a->link != link) {
            a = a->next;
            continue;
        }
        char label[NAME_MAX_BYTES + 1];
        struct fault fault;
        peer_label(link->peer, label);
        fault_set(&fault, ERR_UNREACHABLE, "the link to %s broke before it answered; try again when it is back", label);
        ask_end(a, NULL, &fault);
        a = core->asks;
    }
}

static void ask_refused(struct ask *a, const struct msg *m)
{
    char label[NAME_MAX_BYTES + 1], text[ERROR_TEXT_MAX * 4 + 1];
    struct fault fault;
    peer_label(a->link->peer, label);
    fault_set(&fault, (int)m->error.code, "%s: %s", label, escape(m->error.text, strlen(m->error.text), text, sizeof text));
    ask_end(a, NULL, &fault);
}

static void ask_in_work(struct ask *a, const struct msg_progress *p)
{
    core_timer(a->core, &a->timer, ASK_SILENCE);
    if (a->progress)
        a->progress(a->arg, p);
}

bool ask_on_answer(struct link *link, const struct msg *m)
{
    for (struct ask *a = link->core->asks; a; a = a->next) {
        if (a->link != link || a->number != m->request)
            continue;
        if (m->type == MSG_PROGRESS && a->is_long)
            ask_in_work(a, &m->progress);
        else if (m->type == MSG_ERROR)
            ask_refused(a, m);
        else if (m->type == a->answer)
            ask_end(a, m, NULL);
        else
            return false;
        return true;
    }
    return false;
}
