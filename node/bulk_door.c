/* The thread at the bulk port: accepts, shakes hands, keeps silent and failed connections few and short.
 *
 * It never blocks but in epoll_wait. A connection's events are found by descriptor in a short list, so one that was closed
 * earlier in the same turn cannot be touched; a stale event at worst makes a handshake try to go on. */
#include "bulk_door.h"

#include "bulk_port.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS 64
#define ACCEPTS 64 /* in one turn, so that handshakes go on during a flood */
#define HALF_PER_HOST (HALF_OPEN_MAX / 4)
#define ACCEPT_PAUSE (100 * MILLISECOND) /* when there are no more descriptors */

/* ---- half-open connections */

static void half_free(struct gate *gate, struct half *half)
{
    TAILQ_REMOVE(&gate->halves, half, link);
    if (half->serial == 0)
        gate->unclaimed--;
    if (half->tls != NULL)
        tls_link_free(half->tls);
    else
        close(half->fd);
    free(half);
}

/* It has not shaken hands, and will not. */
static void half_refuse(struct gate *gate, struct half *half)
{
    char text[ADDR_TEXT];

    atomic_fetch_add(&gate->refused, 1);
    log_write(gate->log, LOG_DEBUG, "bulk", "refused a connection from %s", addr_text(&half->from, text));
    if (half->serial != 0)
        gate_arrived(gate, half, NULL);
    half_free(gate, half);
}

static struct half *half_of_fd(struct gate *gate, int fd)
{
    struct half *half;
    TAILQ_FOREACH(half, &gate->halves, link)
    if (half->fd == fd)
        return half;
    return NULL;
}

/* The oldest unclaimed one, of `from` or (NULL) of anyone; *count says how many of these there are. */
static struct half *oldest(struct gate *gate, const struct addr *from, unsigned *count)
{
    struct half *half, *first = NULL;

    *count = 0;
    TAILQ_FOREACH(half, &gate->halves, link)
    {
        if (half->serial != 0 || (from != NULL && !addr_same_host(&half->from, from)))
            continue;
        if ((*count)++ == 0)
            first = half;
    }
    return first;
}

/* A new one from `from` is due: who floods pushes out his own first. */
static void make_room(struct gate *gate, const struct addr *from)
{
    unsigned count;
    struct half *victim = oldest(gate, from, &count);

    if (count < HALF_PER_HOST && gate->unclaimed >= HALF_OPEN_MAX)
        victim = oldest(gate, NULL, &count);
    else if (count < HALF_PER_HOST)
        victim = NULL;
    if (victim != NULL)
        half_refuse(gate, victim);
}

static int half_add(struct gate *gate, int fd, const struct addr *from)
{
    make_room(gate, from);
    struct half *half = calloc(1, sizeof *half);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (half == NULL || epoll_ctl(gate->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        free(half);
        close(fd);
        return ERR_NOMEM;
    }
    *half =
        (struct half){.served = {gate_claim}, .gate = gate, .fd = fd, .from = *from, .deadline = now_ns() + HANDSHAKE_DEADLINE};
    TAILQ_INSERT_TAIL(&gate->halves, half, link);
    gate->unclaimed++;
    return 0;
}

/* ---- shaking hands */

static void half_finish(struct gate *gate, struct half *half)
{
    epoll_ctl(gate->epoll, EPOLL_CTL_DEL, half->fd, NULL);
    gate_arrived(gate, half, half->tls);
    TAILQ_REMOVE(&gate->halves, half, link);
    free(half);
}

static void half_step(struct gate *gate, struct half *half)
{
    short want = 0;

    if (half->tls == NULL) {
        struct tls *tls;
        if (gate_tls(gate, &tls, NULL) == 0)
            half->tls = tls_server(tls, half->fd, &half->served);
        else
            close(half->fd);
        if (half->tls == NULL) { /* tls_server, too, has closed the descriptor */
            TAILQ_REMOVE(&gate->halves, half, link);
            gate->unclaimed--;
            free(half);
            return;
        }
    }
    bool was_claimed = half->serial != 0;
    int err = tls_shake(half->tls, &want);
    if (!was_claimed && half->serial != 0)
        gate->unclaimed--;
    if (err == 0 && want == 0 && half->serial != 0) {
        half_finish(gate, half);
    } else if (err != 0 || want == 0) {
        half_refuse(gate, half);
    } else {
        struct epoll_event event = {.events = want == POLLOUT ? EPOLLOUT : EPOLLIN, .data.fd = half->fd};
        epoll_ctl(gate->epoll, EPOLL_CTL_MOD, half->fd, &event);
    }
}

/* ---- accepting */

/* One connection. 0, or the errno value for which accepting ends. The lock keeps the listener open meanwhile. */
static int accept_one(struct gate *gate, int *fd, struct addr *from)
{
    pthread_mutex_lock(&gate->lock);
    int why = gate->listener < 0 ? EAGAIN : port_accept(gate->listener, fd, from);
    pthread_mutex_unlock(&gate->lock);
    return why;
}

/* Listens to the port or not; the listener may have been closed meanwhile. */
static void watch_port(struct gate *gate, bool watch)
{
    pthread_mutex_lock(&gate->lock);
    struct epoll_event event = {.events = watch ? EPOLLIN : 0, .data.fd = gate->listener};
    if (gate->listener >= 0)
        epoll_ctl(gate->epoll, EPOLL_CTL_MOD, gate->listener, &event);
    pthread_mutex_unlock(&gate->lock);
}

static void accept_some(struct gate *gate)
{
    for (int i = 0; i < ACCEPTS; i++) {
        int fd;
        struct addr from;
        int why = accept_one(gate, &fd, &from);
        if (port_exhausted(why)) {
            log_write(gate->log, LOG_WARN, "bulk", "no more descriptors: accepting pauses");
            watch_port(gate, false); /* it would be ready for ever, and the thread spin */
            gate->resume = now_ns() + ACCEPT_PAUSE;
            return;
        }
        if (why == EAGAIN)
            return;
        if (why == 0)
            half_add(gate, fd, &from);
    }
}

/* ---- the thread */

static void expire(struct gate *gate, uint64_t now)
{
    struct half *half;

    if (gate->resume != 0 && gate->resume <= now) {
        gate->resume = 0;
        watch_port(gate, true);
    }
    while ((half = TAILQ_FIRST(&gate->halves)) != NULL && half->deadline <= now)
        half_refuse(gate, half);
}

static void drop_all(struct gate *gate)
{
    while (!TAILQ_EMPTY(&gate->halves))
        half_refuse(gate, TAILQ_FIRST(&gate->halves));
}

static int timeout_ms(const struct gate *gate, uint64_t now)
{
    const struct half *half = TAILQ_FIRST(&gate->halves);
    uint64_t next = half == NULL ? UINT64_MAX : half->deadline;

    if (gate->resume != 0 && gate->resume < next)
        next = gate->resume;
    if (next == UINT64_MAX)
        return -1;
    return next <= now ? 0 : (int)((next - now) / MILLISECOND) + 1;
}

/* The port was closed, or the node stops. */
static void woken(struct gate *gate)
{
    uint64_t count;
    ssize_t n = read(gate->wake, &count, sizeof count);
    (void)n;
    pthread_mutex_lock(&gate->lock);
    bool closed = gate->listener < 0;
    pthread_mutex_unlock(&gate->lock);
    if (closed)
        drop_all(gate);
}

static void handle(struct gate *gate, int fd)
{
    struct half *half;

    if (fd == gate->wake)
        woken(gate);
    else if ((half = half_of_fd(gate, fd)) != NULL)
        half_step(gate, half);
    else
        accept_some(gate);
}

static void *door(void *arg)
{
    struct gate *gate = arg;
    struct epoll_event event[EVENTS];

    pthread_setname_np(pthread_self(), "weft-gate");
    while (!atomic_load(&gate->stopping)) {
        int n = epoll_wait(gate->epoll, event, EVENTS, timeout_ms(gate, now_ns()));
        for (int i = 0; i < n; i++)
            handle(gate, event[i].data.fd);
        expire(gate, now_ns());
    }
    drop_all(gate);
    return NULL;
}

void door_wake(struct gate *gate)
{
    const uint64_t one = 1;
    ssize_t n = write(gate->wake, &one, sizeof one);
    (void)n;
}

int door_start(struct gate *gate, struct fault *fault)
{
    gate->epoll = epoll_create1(EPOLL_CLOEXEC);
    gate->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = gate->wake};
    if (gate->epoll < 0 || gate->wake < 0 || epoll_ctl(gate->epoll, EPOLL_CTL_ADD, gate->wake, &event) != 0)
        return fault_errno(fault, errno, "cannot set up the bulk port");
    int err = bulk_thread(&gate->thread, door, gate);
    if (err != 0)
        return fault_errno(fault, err, "cannot start a thread for the bulk port");
    gate->started = true;
    return 0;
}

void door_stop(struct gate *gate)
{
    if (gate->started) {
        atomic_store(&gate->stopping, true);
        door_wake(gate);
        pthread_join(gate->thread, NULL);
    }
    if (gate->epoll >= 0)
        close(gate->epoll);
    if (gate->wake >= 0)
        close(gate->wake);
}
