#include "session.h"

int session_open(struct link *link, const struct node_id *relay, const struct tag *handle)
{
    (void)link, (void)relay, (void)handle;
    return ERR_UNSUPPORTED;
}

int session_send(struct session *s, const void *bytes, size_t n)
{
    (void)s, (void)bytes, (void)n;
    return ERR_UNREACHABLE;
}

void session_hangup(struct session *s)
{
    (void)s;
}

const struct node_id *session_relay(const struct session *s)
{
    (void)s;
    return NULL;
}

const struct tag *session_handle(const struct session *s)
{
    (void)s;
    return NULL;
}

uint64_t session_idle(const struct session *s)
{
    (void)s;
    return 0;
}

int session_bridge(struct session *s, uint8_t streams, bridge_done *done, void *arg)
{
    (void)s, (void)streams, (void)done, (void)arg;
    return ERR_UNSUPPORTED;
}

void session_bridge_cancel(struct core *core, void *arg)
{
    (void)core, (void)arg;
}

void sessions_on_next(struct link *link, const struct msg *m)
{
    (void)m;
    link->core->refused_messages++;
}

void sessions_link_up(struct link *link)
{
    (void)link;
}

void sessions_link_lost(struct core *core, struct link *link)
{
    (void)core, (void)link;
}

void sessions_free(struct core *core)
{
    (void)core;
}

void sessions_describe(struct call *call)
{
    (void)call;
}
