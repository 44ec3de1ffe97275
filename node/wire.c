/* The wire. See wire.h; the table of its lines is in lines.h.
 *
 * Invariants: (1) a line in use has either a DEALER (`socket`) or a listener (`at`) with a routing id; (2) an inbound line's
 * messages all carry the User-Id that its first one had; (3) a routing id that was forgotten is ignored for as long as the
 * lines remember it, and is a stranger's after that. A callback may hang up any link, so after each one the line's number is
 * looked at again. */
#include "wire.h"

#include "core.h" /* LINK_INBOUND */
#include "lines.h"
#include "zap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#define AT_ONCE 64        /* messages of one socket in one turn */
#define SOCKETS_SPARE 256 /* beside the lines': listeners, ZAP, closed ones that linger */
#define READ_OUT (20 * MILLISECOND)
#define FULL_WINDOW (7 * SECOND)
#define RENEW_AGAIN (50 * MILLISECOND)

struct listener {
    struct wire *wire;
    void *socket; /* NULL while it is made anew */
    struct watch *watch;
    enum transport transport;
    char bound[ENDPOINT_TEXT];
    struct timer renewal;
};

struct wire {
    struct wire_config config;
    void *context;
    struct zap *zap;
    struct doors *doors;
    link_no next; /* of inbound links, without LINK_INBOUND */
    uint64_t malformed;
    struct timer losses;
    size_t listeners;
    struct listener listener[LISTENERS_MAX];
    struct lines lines;
};

/* ---- lines */

static void line_free(struct line *line)
{
    loop_unwatch(line->watch);
    doors_leave(line->wire->doors, line->door);
    if (line->socket)
        zmq_close(line->socket);
    lines_drop(&line->wire->lines, line);
}

/* Tells of lines that were found to be gone, outside the call that found it. */
static void tell_losses(void *arg)
{
    struct wire *wire = arg;
    for (size_t i = 0; i < LINES_MAX; i++) {
        struct line *line = &wire->lines.line[i];
        link_no no = line->no;
        if (no == 0 || (!line->lost && !line->ended))
            continue;
        line_free(line);
        wire->config.lost(wire->config.arg, no);
    }
}

static int line_lost(struct line *line)
{
    line->lost = true;
    loop_timer_set(line->wire->config.loop, &line->wire->losses, 0);
    return ERR_UNREACHABLE;
}

/* Its loss is told when what it sent last has been read. */
static void line_ended(struct line *line)
{
    line->door = NULL;
    line->ended = true;
    loop_timer_set(line->wire->config.loop, &line->wire->losses, loop_now() + READ_OUT);
}

static void door_closed(void *arg, link_no no)
{
    struct line *line = lines_find(&((struct wire *)arg)->lines, no);
    if (line)
        line_ended(line);
}

/* ---- sending */

static void count_sent(struct sent *sent, uint64_t now)
{
    if (now - sent->since >= FULL_WINDOW) {
        sent->before = now - sent->since < 2 * FULL_WINDOW ? sent->now : 0;
        sent->now = 0;
        sent->since = now;
    }
    sent->now++;
}

/* A DEALER cannot send. That is a full queue, unless less was sent lately than can fill one (libzmq learns by halves that it
 * has been emptied): then its connection is gone, or has taken nothing for so long that it may as well be. libzmq does not
 * say which. */
static int line_full(struct line *line)
{
    return line->sent.now + line->sent.before > SOCKET_QUEUE / 2 ? ERR_FULL : line_lost(line);
}

int wire_send(struct wire *wire, link_no no, const void *bytes, size_t n)
{
    struct line *line = lines_find(&wire->lines, no);
    if (!line || line->lost)
        return ERR_UNREACHABLE;
    if (n > MSG_BYTES_MAX)
        return ERR_LIMIT;
    void *socket = line->socket ? line->socket : line->at->socket;
    count_sent(&line->sent, loop_now());
    if (line->at && zmq_send(socket, line->rid, SOCKET_ID_BYTES, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
        return errno == EAGAIN ? ERR_FULL : line_lost(line);
    if (zmq_send(socket, bytes, n, ZMQ_DONTWAIT) >= 0)
        return 0;
    return line->at ? line_lost(line) : line_full(line);
}

void wire_hangup(struct wire *wire, link_no no)
{
    struct line *line = lines_find(&wire->lines, no);
    if (line)
        line_free(line);
}

/* ---- receiving */

static bool has_more(void *socket)
{
    int more = 0;
    size_t size = sizeof more;
    return zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size) == 0 && more;
}

/* Receives the one frame that may follow. false when there are more, or it is too long; the message is gone then. */
static bool payload_read(void *socket, zmq_msg_t *payload)
{
    if (zmq_msg_recv(payload, socket, ZMQ_DONTWAIT) < 0)
        return false;
    if (!has_more(socket))
        return zmq_msg_size(payload) <= MSG_BYTES_MAX;
    socket_skip(socket);
    return false;
}

static void deliver(struct line *line, zmq_msg_t *payload)
{
    const struct wire_config *c = &line->wire->config;
    if (!line->lost)
        c->message(c->arg, line->no, zmq_msg_data(payload), zmq_msg_size(payload));
}

static void dealer_ready(void *arg)
{
    struct line *line = arg;
    struct wire *wire = line->wire;
    link_no no = line->no;
    void *socket = line->socket;
    for (int i = 0; i < AT_ONCE && line->no == no; i++) {
        zmq_msg_t payload;
        zmq_msg_init(&payload);
        errno = 0;
        bool good = payload_read(socket, &payload);
        bool none = !good && errno == EAGAIN;
        if (good && line->door)
            door_used(line->door);
        else if (good && !line->ended)
            line->door = doors_follow(wire->doors, zmq_msg_get(&payload, ZMQ_SRCFD), &line->dialled, no);
        if (good)
            deliver(line, &payload);
        else if (!none)
            wire->malformed++;
        zmq_msg_close(&payload);
        if (none)
            return;
    }
}

/* The line of an inbound message; a new one for a stranger, who is announced. NULL when it is to be dropped. */
static struct line *line_of(struct listener *at, const uint8_t rid[SOCKET_ID_BYTES], zmq_msg_t *payload)
{
    struct wire *wire = at->wire;
    uint8_t curve[CURVE_KEY_BYTES];
    struct line *line = lines_from(&wire->lines, at, rid);
    if (zap_user_key(zmq_msg_gets(payload, "User-Id"), curve) != 0)
        return NULL;
    if (line && line->door)
        door_used(line->door);
    if (line)
        return memcmp(line->curve, curve, CURVE_KEY_BYTES) == 0 ? line : NULL;
    if (lines_ignored(&wire->lines, at, rid))
        return NULL;
    link_no no = LINK_INBOUND | ++wire->next;
    line = lines_add(&wire->lines, no);
    if (!line) {
        lines_ignore(&wire->lines, at, rid);
        return NULL;
    }
    lines_inbound(&wire->lines, line, at, rid);
    memcpy(line->curve, curve, CURVE_KEY_BYTES);
    line->door = doors_enter(wire->doors, zmq_msg_get(payload, ZMQ_SRCFD), no);
    if (!line->door) /* it said something and went */
        line_ended(line);
    wire->config.accepted(wire->config.arg, no, curve);
    return line->no == no ? line : NULL;
}

/* One message of a ROUTER. false when there is none. Routing ids that the peer chose itself are not ours and are dropped. */
static bool router_read(struct listener *at)
{
    uint8_t rid[SOCKET_ID_BYTES + 1];
    int len = zmq_recv(at->socket, rid, sizeof rid, ZMQ_DONTWAIT);
    if (len < 0)
        return false;
    zmq_msg_t payload;
    zmq_msg_init(&payload);
    bool good = has_more(at->socket) && payload_read(at->socket, &payload) && len == SOCKET_ID_BYTES;
    struct line *line = good ? line_of(at, rid, &payload) : NULL;
    if (line)
        deliver(line, &payload);
    at->wire->malformed += !good;
    zmq_msg_close(&payload);
    return true;
}

static void router_ready(void *arg)
{
    struct listener *at = arg;
    for (int i = 0; i < AT_ONCE && router_read(at); i++)
        ;
}

/* ---- listening and dialling */

static int listen_fault(struct fault *fault, const char *endpoint, int errnum)
{
    if (errnum == EADDRINUSE)
        return fault_set(fault, ERR_EXISTS, "cannot listen at %s: something else does already", endpoint);
    if (errnum == EADDRNOTAVAIL || errnum == ENODEV)
        return fault_set(fault, ERR_USAGE, "cannot listen at %s: this machine has no such address", endpoint);
    return fault_set(fault, errnum == EINVAL ? ERR_USAGE : err_from_errno(errnum), "cannot listen at %s: %s", endpoint,
                     zmq_strerror(errnum));
}

/* Opens it and binds it; what became of the endpoint is in l->bound then. An error number of libzmq's, or 0. */
static int listener_open(struct listener *l, const char *endpoint)
{
    static const size_t scheme = sizeof "ws://" - 1;
    size_t size = sizeof l->bound;
    struct wire *wire = l->wire;
    errno = 0;
    l->socket = socket_open(wire->context, ZMQ_ROUTER);
    if (!l->socket || socket_keys(l->socket, wire->config.identity, NULL) != 0 || doors_watch(wire->doors, l->socket) != 0 ||
        zmq_bind(l->socket, endpoint) != 0 || zmq_getsockopt(l->socket, ZMQ_LAST_ENDPOINT, l->bound, &size) != 0 ||
        !(l->watch = loop_watch_socket(wire->config.loop, l->socket, router_ready, l)))
        return errno ? errno : ENOMEM;
    if (l->transport == TRANSPORT_WS) /* libzmq names the path that it takes */
        l->bound[scheme + strcspn(l->bound + scheme, "/")] = '\0';
    return 0;
}

static void listener_close(struct listener *l)
{
    loop_unwatch(l->watch);
    l->watch = NULL;
    if (!l->socket)
        return;
    doors_forget(l->wire->doors, l->socket);
    zmq_close(l->socket);
    l->socket = NULL;
}

/* The address is free again once libzmq's thread has closed the old socket. */
static void renew(void *arg)
{
    struct listener *l = arg;
    char endpoint[ENDPOINT_TEXT];
    memcpy(endpoint, l->bound, sizeof endpoint);
    if (listener_open(l, endpoint) != 0) {
        listener_close(l);
        memcpy(l->bound, endpoint, sizeof endpoint);
        loop_timer_set(l->wire->config.loop, &l->renewal, loop_now() + RENEW_AGAIN);
    }
}

/* Its links are lost; whoever wants them dials again. */
static void listener_renew(struct listener *l)
{
    struct lines *lines = &l->wire->lines;
    log_write(l->wire->config.log, LOG_WARN, "wire", "libzmq keeps connections that were shut: listening anew at %s", l->bound);
    for (size_t i = 0; i < LINES_MAX; i++)
        if (lines->line[i].no != 0 && lines->line[i].at == l) {
            lines->line[i].door = NULL;
            line_lost(&lines->line[i]);
        }
    listener_close(l);
    loop_timer_set(l->wire->config.loop, &l->renewal, loop_now() + RENEW_AGAIN);
}

static void doors_stuck(void *arg, void *socket)
{
    struct wire *wire = arg;
    for (size_t i = 0; i < wire->listeners; i++)
        if (wire->listener[i].socket == socket)
            listener_renew(&wire->listener[i]);
}

int wire_listen(struct wire *wire, const char *endpoint, char bound[ENDPOINT_TEXT], struct fault *fault)
{
    enum transport transport;
    if (endpoint_transport(endpoint, &transport) != 0)
        return fault_set(fault, ERR_USAGE, "'%s' is no endpoint: it should look like tcp://*:9338 or ipc:///path", endpoint);
    if (wire->listeners == LISTENERS_MAX)
        return fault_set(fault, ERR_FULL, "at most %d endpoints can be listened at", LISTENERS_MAX);
    struct listener *l = &wire->listener[wire->listeners];
    *l = (struct listener){.wire = wire, .transport = transport};
    timer_init(&l->renewal, renew, l);
    int errnum = listener_open(l, endpoint);
    if (errnum) {
        listener_close(l);
        return listen_fault(fault, endpoint, errnum);
    }
    wire->listeners++;
    memcpy(bound, l->bound, ENDPOINT_TEXT);
    return 0;
}

/* An endpoint from a peer: numeric, or the absolute path of a socket. */
static bool can_be_dialled(const char *endpoint)
{
    struct endpoint e = {.transport = TRANSPORT_ANY};
    if (strlen(endpoint) >= sizeof e.text || endpoint_transport(endpoint, &e.transport) != 0)
        return false;
    strcpy(e.text, endpoint);
    return endpoint_valid(&e) && (e.transport != TRANSPORT_IPC || e.text[strlen("ipc://")] == '/');
}

int wire_dial(struct wire *wire, link_no no, const struct node_id *peer, const char *endpoint)
{
    if (!can_be_dialled(endpoint))
        return ERR_MALFORMED;
    void *socket = socket_open(wire->context, ZMQ_DEALER);
    struct line *line = socket && wire->lines.in_use < LINKS_MAX ? lines_add(&wire->lines, no) : NULL;
    if (!line) {
        if (socket)
            zmq_close(socket);
        return ERR_FULL;
    }
    line->socket = socket;
    endpoint_addr(endpoint, &line->dialled);
    int err = socket_keys(socket, wire->config.identity, peer);
    if (!err && zmq_connect(socket, endpoint) != 0)
        err = ERR_MALFORMED;
    if (!err && !(line->watch = loop_watch_socket(wire->config.loop, socket, dealer_ready, line)))
        err = ERR_FULL;
    if (err)
        line_free(line);
    return err;
}

/* ---- life */

int wire_new(const struct wire_config *config, struct wire **out, struct fault *fault)
{
    struct wire *wire = calloc(1, sizeof *wire);
    *out = NULL;
    if (!wire)
        return fault_set(fault, ERR_NOMEM, "out of memory");
    wire->config = *config;
    timer_init(&wire->losses, tell_losses, wire);
    lines_init(&wire->lines, wire);
    wire->context = socket_context(LINES_MAX + SOCKETS_SPARE);
    const struct doors_config doors = {.context = wire->context,
                                       .loop = config->loop,
                                       .log = config->log,
                                       .closed = door_closed,
                                       .stuck = doors_stuck,
                                       .arg = wire};
    int err = wire->context ? zap_new(wire->context, config->loop, config->log, &wire->zap, fault)
                            : fault_errno(fault, errno, "cannot start ZeroMQ");
    if (!err)
        err = doors_new(&doors, &wire->doors, fault);
    if (err)
        wire_free(wire);
    else
        *out = wire;
    return err;
}

void wire_free(struct wire *wire)
{
    if (!wire)
        return;
    loop_timer_cancel(wire->config.loop, &wire->losses);
    for (size_t i = 0; i < LINES_MAX; i++)
        if (wire->lines.line[i].no != 0)
            line_free(&wire->lines.line[i]);
    for (size_t i = 0; i < wire->listeners; i++) {
        loop_timer_cancel(wire->config.loop, &wire->listener[i].renewal);
        listener_close(&wire->listener[i]);
    }
    doors_free(wire->doors);
    zap_free(wire->zap);
    while (wire->context && zmq_ctx_term(wire->context) != 0 && errno == EINTR)
        ;
    for (size_t i = 0; i < wire->listeners; i++)
        if (wire->listener[i].transport == TRANSPORT_IPC) /* libzmq leaves it lying about */
            unlink(wire->listener[i].bound + strlen("ipc://"));
    free(wire);
}

void wire_keep(struct wire *wire, const struct addr *local, size_t count)
{
    doors_keep(wire->doors, local, count);
}

void wire_count(const struct wire *wire, struct wire_counts *out)
{
    *out = (struct wire_counts){.links = wire->lines.in_use,
                                .refused = zap_refused(wire->zap) + doors_refused(wire->doors),
                                .malformed = wire->malformed};
}
