/* The real port: what the core asks for, done by the loop, the wire, UDP, the actors, the bulk plane and the control
 * socket; and the other way, what happens there, told to the core. See base/port.h. */
#include "bridge.h"
#include "node.h"
#include "resource.h"
#include "rows.h"
#include "work.h"

#include <linux/ioprio.h>
#include <sodium.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define QUIET_NICE 19
#define QUIET_IO 7 /* the last of the levels that do not starve */

/* ---- time and chance */

static uint64_t port_now(void *self)
{
    (void)self;
    return loop_now();
}

static void port_random(void *self, void *buf, size_t n)
{
    (void)self;
    randombytes_buf(buf, n);
}

static void port_timer_set(void *self, struct timer *t, uint64_t at)
{
    loop_timer_set(((struct weft_node *)self)->loop, t, at);
}

static void port_timer_cancel(void *self, struct timer *t)
{
    loop_timer_cancel(((struct weft_node *)self)->loop, t);
}

/* ---- datagrams and links */

static void port_datagram(void *self, const struct addr *to, const void *bytes, size_t n)
{
    udp_send(((struct weft_node *)self)->udp, to, bytes, n);
}

static int port_dial(void *self, link_no link, const struct node_id *peer, const char *endpoint)
{
    return wire_dial(((struct weft_node *)self)->wire, link, peer, endpoint);
}

static int port_send(void *self, link_no link, const void *bytes, size_t n)
{
    return wire_send(((struct weft_node *)self)->wire, link, bytes, n);
}

static void port_hangup(void *self, link_no link)
{
    wire_hangup(((struct weft_node *)self)->wire, link);
}

void node_accepted(void *arg, link_no link, const uint8_t curve[CURVE_KEY_BYTES])
{
    core_accepted(((struct weft_node *)arg)->core, link, curve);
}

void node_message(void *arg, link_no link, const void *bytes, size_t n)
{
    core_message(((struct weft_node *)arg)->core, link, bytes, n);
}

void node_link_lost(void *arg, link_no link)
{
    core_link_lost(((struct weft_node *)arg)->core, link);
}

static void on_datagram(void *arg, const struct addr *from, const void *bytes, size_t n)
{
    core_datagram(((struct weft_node *)arg)->core, from, bytes, n);
}

/* A cable that is pulled and put back at once costs no links. */
#define SETTLING SECOND
#define LOCAL_MAX 256

void node_settled(void *arg)
{
    struct weft_node *node = arg;
    struct addr local[LOCAL_MAX];
    size_t n = udp_local(local, LOCAL_MAX);
    if (n > 0)
        wire_keep(node->wire, local, n);
}

void node_udp_ready(void *arg)
{
    struct weft_node *node = arg;
    bool changed;
    udp_read(node->udp, on_datagram, node, &changed);
    if (!changed)
        return;
    core_endpoints_changed(node->core);
    loop_timer_set(node->loop, &node->settled, loop_now() + SETTLING);
}

size_t node_endpoints(void *self, struct endpoint *out, size_t max)
{
    struct weft_node *node = self;
    struct udp_interface face[UDP_INTERFACES_MAX];
    size_t n = udp_interfaces(node->udp, face, UDP_INTERFACES_MAX);
    return places_endpoints(&node->places, face, n, out, max);
}

static bool port_in_scope(void *self, uint64_t scope)
{
    return places_in_scope(&((struct weft_node *)self)->places, scope);
}

/* ---- jobs */

static void job_back(void *data)
{
    struct job *job = data;
    job->done(job);
}

void node_job_finished(void *arg, struct job *job)
{
    loop_post(((struct weft_node *)arg)->loop, job_back, job);
}

void node_store_work(void *arg, struct job *job)
{
    job_store(((struct weft_node *)arg)->db, job);
}

void node_worker_work(void *arg, struct job *job)
{
    (void)arg;
    job_work(job);
}

/* Without privileges there is no way back from a low priority, so the thread keeps it: it does nothing else. */
void node_quiet_work(void *arg, struct job *job)
{
    (void)arg;
    setpriority(PRIO_PROCESS, 0, QUIET_NICE);
    syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, QUIET_IO));
    job_work(job);
}

static struct actor *actor_for(const struct weft_node *node, const struct job *job)
{
    if (job_is_store(job))
        return node->store;
    if (job_is_quiet(job))
        return node->quiet;
    return job_is_long(job) ? node->builders : node->workers;
}

static void port_job(void *self, struct job *job)
{
    struct weft_node *node = self;
    struct actor *actor = actor_for(node, job);
    job->fault = (struct fault){0};
    if (actor && actor_send(actor, job) == 0)
        return;
    fault_set(&job->fault, ERR_FULL, "too much is waiting to be done on this node; try again");
    node_job_finished(node, job);
}

/* ---- transfers */

static void port_receive_start(void *self, struct receive *r)
{
    bulk_receive_start(((struct weft_node *)self)->bulk, r);
}

static void port_receive_confirm(void *self, struct receive *r, const struct msg_fetch_ok *answer)
{
    bulk_receive_confirm(((struct weft_node *)self)->bulk, r, answer);
}

static void port_receive_cancel(void *self, struct receive *r, int code)
{
    struct weft_node *node = self;
    if (node->bulk)
        bulk_receive_cancel(node->bulk, r, code);
}

static void port_send_start(void *self, struct send *s)
{
    bulk_send_start(((struct weft_node *)self)->bulk, s);
}

static void port_send_go(void *self, struct send *s)
{
    bulk_send_go(((struct weft_node *)self)->bulk, s);
}

static void port_send_cancel(void *self, struct send *s, int code)
{
    struct weft_node *node = self;
    if (node->bulk)
        bulk_send_cancel(node->bulk, s, code);
}

static void no_descriptors(void *data)
{
    struct duplex *d = data;
    fault_set(&d->fault, ERR_USAGE, "a byte stream needs two descriptors, and the program passed none");
    d->done(d);
}

static void port_duplex_start(void *self, struct duplex *d)
{
    struct weft_node *node = self;
    if (d->again || d->resource || control_brought(node->control, d->client))
        bulk_duplex_start(node->bulk, d);
    else
        loop_post(node->loop, no_descriptors, d);
}

/* Those of the resource, or of the program; a stream that goes on has them already. */
static void take_descriptors(struct weft_node *node, const struct duplex *d, int fd[2])
{
    fd[0] = fd[1] = -1;
    if (d->again)
        return;
    if (d->resource)
        resource_take(d->resource, fd);
    else
        control_take(node->control, d->client, fd);
}

static void port_duplex_confirm(void *self, struct duplex *d, const struct msg_fetch_ok *answer)
{
    struct weft_node *node = self;
    int fd[2];
    take_descriptors(node, d, fd);
    bulk_duplex_confirm(node->bulk, d, answer, fd);
}

static void port_duplex_go(void *self, struct duplex *d)
{
    struct weft_node *node = self;
    int fd[2];
    take_descriptors(node, d, fd);
    bulk_duplex_go(node->bulk, d, fd);
}

static void port_duplex_cancel(void *self, struct duplex *d, int code)
{
    struct weft_node *node = self;
    if (node->bulk)
        bulk_duplex_cancel(node->bulk, d, code);
}

static void port_duplex_drop(void *self, const struct tag *stream)
{
    struct weft_node *node = self;
    if (node->bulk)
        bulk_duplex_drop(node->bulk, stream);
}

static void port_resource_open(void *self, struct resource *r)
{
    resource_open(((struct weft_node *)self)->supplies, r);
}

static void port_resource_close(void *self, struct resource *r)
{
    resource_close(((struct weft_node *)self)->supplies, r);
}

static int port_bridge_open(void *self, struct bridge *b)
{
    return bridge_open(((struct weft_node *)self)->bridges, b);
}

static void port_bridge_close(void *self, struct bridge *b, int code)
{
    struct weft_node *node = self;
    if (node->bridges)
        bridge_close(node->bridges, b, code);
}

size_t node_addresses(void *arg, struct addr *out, size_t max)
{
    struct udp_interface face[UDP_INTERFACES_MAX];
    size_t n = udp_interfaces(((struct weft_node *)arg)->udp, face, UDP_INTERFACES_MAX);
    return places_addresses(face, n, out, max);
}

void node_post(void *arg, void (*fn)(void *data), void *data)
{
    loop_post(((struct weft_node *)arg)->loop, fn, data);
}

/* ---- clients */

void node_event(struct weft_node *node, const struct row *row)
{
    if (node->options.event)
        node->options.event(node->options.arg, row_shown(row));
}

static void port_reply(void *self, uint64_t client, const struct row *row)
{
    struct weft_node *node = self;
    if (client == 0)
        node_event(node, row);
    else
        control_send(node->control, client, row);
}

static size_t port_unread(void *self, uint64_t client)
{
    return control_unread(((struct weft_node *)self)->control, client);
}

void node_request(void *arg, uint64_t client, const struct row *row)
{
    core_request(((struct weft_node *)arg)->core, client, row);
}

void node_client_gone(void *arg, uint64_t client)
{
    core_client_gone(((struct weft_node *)arg)->core, client);
}

void node_control_ready(void *arg)
{
    control_step(((struct weft_node *)arg)->control);
}

static void port_stop(void *self)
{
    loop_stop(((struct weft_node *)self)->loop); /* the turn goes on to its end, so that the client gets its answer */
}

void node_port(struct weft_node *node)
{
    node->port = (struct port){
        .self = node,
        .log = &node->log,
        .now = port_now,
        .random = port_random,
        .timer_set = port_timer_set,
        .timer_cancel = port_timer_cancel,
        .datagram = port_datagram,
        .dial = port_dial,
        .send = port_send,
        .hangup = port_hangup,
        .job = port_job,
        .receive_start = port_receive_start,
        .receive_confirm = port_receive_confirm,
        .receive_cancel = port_receive_cancel,
        .send_start = port_send_start,
        .send_go = port_send_go,
        .send_cancel = port_send_cancel,
        .duplex_start = port_duplex_start,
        .duplex_confirm = port_duplex_confirm,
        .duplex_go = port_duplex_go,
        .duplex_cancel = port_duplex_cancel,
        .duplex_drop = port_duplex_drop,
        .resource_open = port_resource_open,
        .resource_close = port_resource_close,
        .bridge_open = port_bridge_open,
        .bridge_close = port_bridge_close,
        .reply = port_reply,
        .unread = port_unread,
        .describe = node_describe,
        .check = node_check,
        .stop = port_stop,
        .endpoints = node_endpoints,
        .in_scope = port_in_scope,
    };
}
