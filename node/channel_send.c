/* What an outgoing channel sends to its binder, and when. See channel_out_internal.h. */
#include "channel_out_internal.h"

#define GATHER (MILLISECOND / 2) /* small batches wait this long for others */
#define FLOW_AGAIN MILLISECOND   /* after the link was full */

static bool send_data(struct channel_out *c, const struct outflow_part *part)
{
    struct msg m;
    if (!link_may_flow(c->link))
        return false;
    m.type = MSG_DATA;
    m.request = 0;
    m.data =
        (struct msg_data){.channel = c->tag, .seq = part->seq, .stamp = c->stamp, .again = part->again, .batch = part->batch};
    if (link_send(c->link, &m) != 0)
        return false;
    c->echoed = c->stamp;
    c->echoed_at = c->stamp_at;
    c->sent_at = c->link->used_at = core_now(c->core);
    return true;
}

void channel_send_all(struct channel_out *c)
{
    struct outflow_part part;
    bool waiting = outflow_outstanding(&c->flow);
    while (outflow_next(&c->flow, &part)) {
        if (!send_data(c, &part)) {
            core_timer(c->core, &c->flush, FLOW_AGAIN);
            break;
        }
        outflow_sent(&c->flow, &part);
    }
    if (!waiting && outflow_outstanding(&c->flow)) { /* from now on its silence means something */
        c->quiet = 0;
        channel_plan(c);
    }
}

/* What fills a DATA leaves at once, and so does what comes after a pause; the rest waits a little for company. */
void channel_send_soon(struct channel_out *c)
{
    uint64_t now = core_now(c->core);
    if (outflow_ready(&c->flow) >= BATCH_BYTES_MAX / 2 || now - c->sent_at >= GATHER)
        channel_send_all(c);
    else if (c->flow.at && c->flush.slot == TIMER_IDLE)
        c->core->port->timer_set(c->core->port->self, &c->flush, c->sent_at + GATHER);
}

void channel_echo(struct channel_out *c)
{
    struct outflow_part empty = {.seq = c->flow.next};
    bool stale = c->echoed == 0 || core_now(c->core) - c->echoed_at >= c->lease / 4;
    if (c->lease > 0 && c->stamp != c->echoed && stale && outflow_outstanding(&c->flow))
        send_data(c, &empty);
}
