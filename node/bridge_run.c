/* The thread of bridges: joins what has arrived, and moves bytes.
 *
 * Sockets are watched edge by edge, once for all: a stream whose sockets became ready stands in a queue, and moves at most
 * TURN_BYTES each way when its turn comes, so that one fast stream delays no other. One whose account has used up its rate
 * waits for it. A stream ends when both ways have come to their end, or when one socket breaks; which bytes these were, and
 * whether all were there, is for the two ends to know. */
#include "bridge_internal.h"

#include "bulk_port.h"
#include "bulk_thread.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 64
#define TURN_BYTES (512u * 1024u)
#define LOOK_EVERY (500 * MILLISECOND) /* at deadlines and silence */
#define PIPES_PAUSE (100 * MILLISECOND)

/* ---- the queue */

static void leave_queue(struct joint *j)
{
    struct bridges *bridges = j->span->bridges;

    if (j->turn == QUEUED) {
        TAILQ_REMOVE(&bridges->queue, j, link);
        bridges->queued--;
    } else if (j->turn == WAITING) {
        TAILQ_REMOVE(&j->span->account->waiting, j, link);
    }
    j->turn = REST;
}

static void enqueue(struct joint *j)
{
    struct bridges *bridges = j->span->bridges;

    if (j->turn == QUEUED || j->state != JOINT_JOINED)
        return;
    leave_queue(j);
    TAILQ_INSERT_TAIL(&bridges->queue, j, link);
    bridges->queued++;
    j->turn = QUEUED;
}

static void await_account(struct joint *j)
{
    leave_queue(j);
    TAILQ_INSERT_TAIL(&j->span->account->waiting, j, link);
    j->turn = WAITING;
}

/* Those whose account may go on. Returns when the next one may, or UINT64_MAX. */
static uint64_t release_waiting(struct bridges *bridges, uint64_t now)
{
    uint64_t next = UINT64_MAX;
    struct account *a;

    LIST_FOREACH(a, &bridges->accounts, link)
    {
        uint64_t due = TAILQ_EMPTY(&a->waiting) ? UINT64_MAX : account_due(a);
        if (due > now && due < next)
            next = due;
        while (due <= now && !TAILQ_EMPTY(&a->waiting))
            enqueue(TAILQ_FIRST(&a->waiting));
    }
    return next;
}

/* ---- ends */

static void joint_close(struct joint *j)
{
    struct bridges *bridges = j->span->bridges;

    leave_queue(j);
    j->state = JOINT_OVER;
    for (unsigned way = 0; way < 2; way++) {
        pump_fini(&j->pump[way], &bridges->pool);
        if (j->end[way] != NULL)
            conn_close(bridges, j->end[way]);
        j->end[way] = NULL;
    }
}

/* Lets go of all that the thread has of it. */
static void span_leave(struct span *span)
{
    for (unsigned i = 0; i < span->streams; i++)
        if (span->joint[i].state != JOINT_OVER)
            joint_close(&span->joint[i]);
    LIST_REMOVE(span, live);
    account_give(span);
    sodium_memzero(span->key, sizeof span->key);
}

/* The first fault is the bridge's. The span is the loop thread's from here on. */
static void span_end(struct span *span, int code, const char *why)
{
    struct bridges *bridges = span->bridges;

    if (span->fault.code == 0 && code != 0)
        fault_set(&span->fault, code, "%s", why);
    span_leave(span);
    span->posted = true;
    bridges->post(bridges->arg, span_delivered, span);
}

/* The span may be gone afterwards. */
static void joint_end(struct joint *j, int code, const char *why)
{
    struct span *span = j->span;

    if (span->fault.code == 0 && code != 0)
        fault_set(&span->fault, code, "%s", why);
    joint_close(j);
    if (++span->over == span->streams)
        span_end(span, 0, NULL);
}

/* ---- bytes */

/* The quota is used up: has this source more to say? If not it may still end well. */
static bool says_more(struct pump *p, struct side *from)
{
    char b;
    ssize_t n = !from->readable || p->ended ? -1 : recv(from->fd, &b, 1, MSG_PEEK | MSG_DONTWAIT);

    if (n == 0)
        p->ended = true;
    if (n < 0)
        from->readable = false;
    return n > 0;
}

static size_t allowed(const struct span *span, uint64_t now)
{
    uint64_t left = span->limit - span->moved;
    size_t n = left < TURN_BYTES ? (size_t)left : TURN_BYTES;

    return span->account != NULL ? account_allows(span->account, n, now) : n;
}

static void count(struct span *span, size_t bytes, uint64_t now)
{
    if (bytes == 0)
        return;
    span->moved += bytes;
    span->heard_at = now;
    atomic_store_explicit(&span->b->moved, span->moved, memory_order_relaxed);
    if (span->account != NULL)
        account_charge(span->account, bytes);
}

static enum pump_fault joint_pump(struct joint *j, unsigned way, uint64_t now)
{
    struct span *span = j->span;
    size_t may = allowed(span, now), left = may;

    enum pump_fault fault = pump_run(&j->pump[way], &span->bridges->pool, &j->end[way]->side, &j->end[1 - way]->side, &left);
    count(span, may - left, now);
    return fault;
}

/* What a socket that broke had said before goes on to the other one; what was on its way to it is void. That is an end in
 * order when the other one had ended: who closes does not wait for the last words. */
static void socket_broke(struct joint *j, unsigned way, enum pump_fault fault)
{
    struct pipe_pool *pool = &j->span->bridges->pool;
    struct pump *out = fault == PUMP_SOURCE ? &j->pump[way] : &j->pump[1 - way]; /* from that socket */
    struct pump *in = fault == PUMP_SOURCE ? &j->pump[1 - way] : &j->pump[way];

    j->broken |= !(fault == PUMP_SOURCE ? in : out)->ended;
    if (fault == PUMP_SOURCE)
        out->ended = true;
    pump_cut(in, pool);
}

static bool joint_ready(const struct joint *j)
{
    return pump_ready(&j->pump[0], &j->end[0]->side, &j->end[1]->side) ||
           pump_ready(&j->pump[1], &j->end[1]->side, &j->end[0]->side);
}

/* Whoever can still do something stands at the end of the queue again. */
static void joint_again(struct joint *j, uint64_t now)
{
    struct span *span = j->span;

    if (span->moved == span->limit && (says_more(&j->pump[0], &j->end[0]->side) || says_more(&j->pump[1], &j->end[1]->side)))
        span_end(span, ERR_FULL, "quota");
    else if (joint_ready(j) && span->account != NULL && allowed(span, now) == 0)
        await_account(j);
    else if (joint_ready(j))
        enqueue(j);
}

static void joint_run(struct joint *j, uint64_t now)
{
    struct bridges *bridges = j->span->bridges;

    for (unsigned way = 0; way < 2; way++) {
        enum pump_fault fault = joint_pump(j, way, now);
        if (fault == PUMP_PIPE) {
            bridges->retry = now + PIPES_PAUSE;
            return;
        }
        if (fault != PUMP_OK)
            socket_broke(j, way, fault);
    }
    if (j->pump[0].shut && j->pump[1].shut)
        joint_end(j, j->broken ? ERR_UNREACHABLE : 0, "a stream of this bridge broke");
    else
        joint_again(j, now);
}

static void run_queue(struct bridges *bridges, uint64_t now)
{
    for (unsigned n = bridges->queued; n > 0 && bridges->queued > 0; n--) {
        struct joint *j = TAILQ_FIRST(&bridges->queue);
        leave_queue(j);
        joint_run(j, now);
    }
}

/* ---- connections */

void joint_arrived(struct bridges *bridges, struct joint *j, unsigned way, struct conn *conn)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = conn};

    conn->joint = j;
    j->end[way] = conn;
    port_tune(conn->side.fd);
    epoll_ctl(bridges->epoll, EPOLL_CTL_MOD, conn->side.fd, &event);
    if (j->end[1 - way] == NULL)
        return;
    j->state = JOINT_JOINED;
    j->span->joined++;
    j->span->heard_at = now_ns();
    enqueue(j);
}

static void conn_event(struct bridges *bridges, struct conn *conn, uint32_t events)
{
    const uint32_t gone = EPOLLHUP | EPOLLERR;
    struct joint *j = conn->joint;

    if (conn->side.fd < 0)
        return; /* closed in this turn */
    if (j == NULL) {
        bridge_read_hello(bridges, conn);
        return;
    }
    conn->side.readable |= (events & (EPOLLIN | EPOLLRDHUP | gone)) != 0;
    conn->side.writable |= (events & (EPOLLOUT | gone)) != 0;
    if (j->state == JOINT_JOINED)
        enqueue(j);
    else if ((events & gone) != 0)
        joint_end(j, ERR_UNREACHABLE, "one of the two left before the other came");
}

static void bury(struct bridges *bridges)
{
    struct conn *conn;

    while ((conn = TAILQ_FIRST(&bridges->closed)) != NULL) {
        TAILQ_REMOVE(&bridges->closed, conn, link);
        free(conn);
    }
}

/* ---- deadlines */

/* Bytes that wait for one who does not read at the moment are no silence: a byte stream may stand still for hours. */
static bool stands_still(const struct span *span)
{
    for (unsigned i = 0; i < span->streams; i++)
        if (span->joint[i].pump[0].held > 0 || span->joint[i].pump[1].held > 0)
            return true;
    return false;
}

static void look(struct bridges *bridges, uint64_t now)
{
    struct span *span, *next;

    bridges->look_at = now + LOOK_EVERY;
    for (span = LIST_FIRST(&bridges->live); span != NULL; span = next) {
        next = LIST_NEXT(span, live);
        if (span->joined < span->streams && now >= span->deadline)
            span_end(span, ERR_TIMEOUT, "not all streams of this bridge came in time");
        else if (now - span->heard_at > bridges->silence && !stands_still(span))
            span_end(span, ERR_TIMEOUT, "no byte came for long");
    }
}

static void try_pipes_again(struct bridges *bridges)
{
    struct span *span;

    bridges->retry = 0;
    LIST_FOREACH(span, &bridges->live, live)
    for (unsigned i = 0; i < span->streams; i++)
        enqueue(&span->joint[i]);
}

/* ---- the thread */

/* Takes in what the loop thread has opened, and ends what it has closed. */
static void adopt(struct bridges *bridges, uint64_t now)
{
    struct span *span, *next;

    pthread_mutex_lock(&bridges->lock);
    while ((span = STAILQ_FIRST(&bridges->inbox)) != NULL) {
        STAILQ_REMOVE_HEAD(&bridges->inbox, inbox);
        LIST_INSERT_HEAD(&bridges->live, span, live);
        span->heard_at = now;
        if (account_take(bridges, span, now) != 0)
            span->close_code = ERR_NOMEM;
        bridges->closing |= span->close_code != 0;
    }
    for (span = LIST_FIRST(&bridges->live); span != NULL && bridges->closing; span = next) {
        next = LIST_NEXT(span, live);
        if (span->close_code != 0)
            span_end(span, span->close_code, err_text(span->close_code));
    }
    bridges->closing = false;
    bool closed = bridges->listener < 0;
    pthread_mutex_unlock(&bridges->lock);
    if (closed)
        bridge_drop_halves(bridges);
}

static void sooner(uint64_t *next, uint64_t at)
{
    if (at != 0 && at < *next)
        *next = at;
}

static int timeout_ms(struct bridges *bridges, uint64_t released)
{
    const struct conn *half = TAILQ_FIRST(&bridges->halves);
    uint64_t now = now_ns(), next = released;

    if (bridges->queued > 0)
        return 0;
    sooner(&next, half != NULL ? half->deadline : 0);
    sooner(&next, bridges->resume);
    sooner(&next, bridges->retry);
    sooner(&next, LIST_EMPTY(&bridges->live) ? 0 : bridges->look_at);
    if (next == UINT64_MAX)
        return -1;
    return next <= now ? 0 : (int)((next - now) / MILLISECOND) + 1;
}

static void handle(struct bridges *bridges, const struct epoll_event *event)
{
    uint64_t woken;

    if (event->data.ptr == &bridges->listener)
        bridge_accept(bridges);
    else if (event->data.ptr != &bridges->wake)
        conn_event(bridges, event->data.ptr, event->events);
    else if (read(bridges->wake, &woken, sizeof woken) < 0)
        return;
}

static void *run(void *arg)
{
    struct bridges *bridges = arg;
    struct epoll_event event[EVENTS];
    uint64_t released = UINT64_MAX;

    pthread_setname_np(pthread_self(), "weft-bridge");
    while (!atomic_load(&bridges->stopping)) {
        int n = epoll_wait(bridges->epoll, event, EVENTS, timeout_ms(bridges, released));
        uint64_t now = now_ns();
        adopt(bridges, now);
        for (int i = 0; i < n; i++)
            handle(bridges, &event[i]);
        if (bridges->retry != 0 && bridges->retry <= now)
            try_pipes_again(bridges);
        run_queue(bridges, now);
        bridge_expire(bridges, now);
        if (now >= bridges->look_at)
            look(bridges, now);
        released = release_waiting(bridges, now); /* also those that this turn made wait */
        bury(bridges);
    }
    bridge_drop_halves(bridges);
    while (!LIST_EMPTY(&bridges->live))
        span_leave(LIST_FIRST(&bridges->live));
    bury(bridges);
    pipe_pool_fini(&bridges->pool);
    return NULL;
}

void bridge_thread_wake(struct bridges *bridges)
{
    const uint64_t one = 1;
    ssize_t n = write(bridges->wake, &one, sizeof one);
    (void)n;
}

int bridge_thread_start(struct bridges *bridges, struct fault *fault)
{
    bridges->epoll = epoll_create1(EPOLL_CLOEXEC);
    bridges->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &bridges->wake};
    if (bridges->epoll < 0 || bridges->wake < 0 || epoll_ctl(bridges->epoll, EPOLL_CTL_ADD, bridges->wake, &event) != 0)
        return fault_errno(fault, errno, "cannot set up the port for bridges");
    int err = bulk_thread(&bridges->thread, run, bridges);
    if (err != 0)
        return fault_errno(fault, err, "cannot start a thread for bridges");
    bridges->started = true;
    return 0;
}

void bridge_thread_stop(struct bridges *bridges)
{
    if (bridges->started) {
        atomic_store(&bridges->stopping, true);
        bridge_thread_wake(bridges);
        pthread_join(bridges->thread, NULL);
    }
    if (bridges->epoll >= 0)
        close(bridges->epoll);
    if (bridges->wake >= 0)
        close(bridges->wake);
}
