/* The doors. See doors.h.
 *
 * Invariants: (1) a door is in use when its fd is not -1, and then stands for one connection, known by the cookie that the
 * kernel gave its socket: descriptors are used again, cookies are not; (2) a door with a link is told of by closed() once,
 * when its connection ends first; (3) events come in the order in which libzmq's one I/O thread made them, so a
 * descriptor's end is known before it begins again. A descriptor could still be closed by libzmq in the instant between
 * comparing its cookie and shutting it. */
#include "doors.h"

#include "limits.h"
#include "socket.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <zmq.h>

#define AT_ONCE 256
#define LOOK_EVERY SECOND
#define LOOK_SOON (50 * MILLISECOND) /* while something looks suspicious */
#define DOORS_SPARE 64               /* while those that must go are going */
#define MONITORS_MAX 16
#define EVENTS (ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_ACCEPT_FAILED | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL)

struct door {
    int fd;
    struct monitor *by; /* that told of it; NULL when it was dialled */
    uint64_t cookie;
    uint64_t since;
    link_no link;     /* 0 until its first message */
    bool dialled;     /* by us: libzmq closes it when its socket is closed */
    uint64_t shut_at; /* 0: stays; TIMER_NEVER: it has been shut, and must end now */
    uint64_t shut_since;
    bool used;      /* since the latest look */
    uint64_t bytes; /* received when a message last came, or at the first look */
};

struct monitor {
    struct doors *doors;
    void *watched; /* NULL: free */
    void *socket;
    struct watch *watch;
    unsigned stuck; /* counted at each look */
};

struct doors {
    struct doors_config config;
    size_t count;
    uint64_t refused;
    struct timer look;
    unsigned names; /* of monitors so far: none is used twice */
    struct monitor monitor[MONITORS_MAX];
    struct door door[DOORS_MAX];
};

/* ---- connections */

static uint64_t cookie_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t n = sizeof cookie;
    return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &n) == 0 ? cookie : 0;
}

/* Ends a connection; libzmq then sees its end as if the other side had closed it. */
static void shut(int fd, uint64_t cookie)
{
    if (cookie != 0 && cookie_of(fd) == cookie)
        shutdown(fd, SHUT_RDWR);
}

/* Payload bytes received on a TCP connection; 0 for others, whose senders are of our own user. */
static uint64_t bytes_of(int fd)
{
    struct tcp_info info = {0};
    socklen_t n = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) != 0 ||
        n < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received)
        return 0;
    return info.tcpi_bytes_received;
}

static struct door *door_find(struct doors *doors, int fd)
{
    for (size_t i = 0; i < DOORS_MAX && fd >= 0; i++)
        if (doors->door[i].fd == fd && !doors->door[i].dialled)
            return &doors->door[i];
    return NULL;
}

static void door_free(struct doors *doors, struct door *door)
{
    door->fd = -1;
    doors->count--;
}

/* Its connection is no more. */
static void door_ended(struct doors *doors, struct door *door)
{
    link_no link = door->link;
    door_free(doors, door);
    if (link != 0)
        doors->config.closed(doors->config.arg, link);
}

static struct door *door_new(struct doors *doors, int fd, uint64_t cookie)
{
    for (size_t i = 0; i < DOORS_MAX; i++)
        if (doors->door[i].fd < 0) {
            doors->door[i] = (struct door){.fd = fd, .cookie = cookie, .since = loop_now()};
            doors->count++;
            if (doors->look.slot == TIMER_IDLE)
                loop_timer_set(doors->config.loop, &doors->look, doors->door[i].since + LOOK_EVERY);
            return &doors->door[i];
        }
    return NULL;
}

static void door_shut(struct door *door, uint64_t now)
{
    shut(door->fd, door->cookie);
    door->shut_at = TIMER_NEVER;
    door->shut_since = now;
}

static void refuse(struct doors *doors, struct door *door, const char *why)
{
    log_write(doors->config.log, LOG_INFO, "doors", "a connection is dropped: %s", why);
    doors->refused++;
    door_shut(door, loop_now());
}

/* ---- what the monitors tell */

/* The one that has been there longest without a message. */
static struct door *oldest_stranger(struct doors *doors)
{
    struct door *oldest = NULL;
    for (size_t i = 0; i < DOORS_MAX; i++) {
        struct door *d = &doors->door[i];
        if (d->fd >= 0 && d->link == 0 && d->shut_at == 0 && (!oldest || d->since < oldest->since))
            oldest = d;
    }
    return oldest;
}

static void on_accepted(struct monitor *by, int fd)
{
    struct doors *doors = by->doors;
    uint64_t cookie = cookie_of(fd);
    if (doors->count >= DOORS_MAX - DOORS_SPARE) {
        struct door *stranger = oldest_stranger(doors);
        if (stranger)
            refuse(doors, stranger, "there are too many");
    }
    struct door *door = door_new(doors, fd, cookie);
    if (door) {
        door->by = by;
    } else {
        doors->refused++;
        shut(fd, cookie);
    }
}

static void on_disconnected(struct doors *doors, int fd)
{
    struct door *door = door_find(doors, fd);
    if (door)
        door_ended(doors, door);
}

/* Descriptors have run out: those of strangers are the ones to give up. */
static void on_accept_failed(struct doors *doors)
{
    struct door *stranger = oldest_stranger(doors);
    if (stranger)
        refuse(doors, stranger, "files have run out");
}

/* Reads one event: a frame with its number and value, and a frame with an address. false when there is none. */
static bool event_read(void *socket, uint16_t *event, int32_t *value)
{
    uint8_t frame[6];
    int n = zmq_recv(socket, frame, sizeof frame, ZMQ_DONTWAIT);
    if (n < 0)
        return false;
    *event = 0;
    if (n == sizeof frame) {
        memcpy(event, frame, 2);
        memcpy(value, frame + 2, 4);
    }
    socket_skip(socket);
    return true;
}

static void read_events(struct monitor *m)
{
    uint16_t event = 0;
    int32_t value = -1;
    for (int i = 0; i < AT_ONCE; i++) {
        if (!event_read(m->socket, &event, &value))
            return;
        if (event == ZMQ_EVENT_ACCEPTED)
            on_accepted(m, value);
        else if (event == ZMQ_EVENT_DISCONNECTED)
            on_disconnected(m->doors, value);
        else if (event == ZMQ_EVENT_ACCEPT_FAILED)
            on_accept_failed(m->doors);
        else if (event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL) /* a browser, say: libzmq closes it */
            m->doors->refused++;
    }
}

static void monitor_ready(void *arg)
{
    read_events(arg);
}

static void read_all(struct doors *doors)
{
    for (size_t i = 0; i < MONITORS_MAX; i++)
        if (doors->monitor[i].watched)
            read_events(&doors->monitor[i]);
}

/* ---- looking after them */

/* Does it receive and receive, and no message comes of it? */
static bool unfinished(struct door *door, bool *suspicious)
{
    uint64_t bytes = bytes_of(door->fd);
    if (door->used || bytes < door->bytes)
        door->bytes = bytes;
    door->used = false;
    if (bytes - door->bytes > DOOR_UNFINISHED / 8)
        *suspicious = true;
    return bytes - door->bytes > DOOR_UNFINISHED;
}

static void look_at(struct doors *doors, struct door *door, uint64_t now, uint64_t *next)
{
    bool suspicious = false;
    if (door->dialled && cookie_of(door->fd) != door->cookie) {
        door_ended(doors, door);
        return;
    }
    if (door->shut_at == TIMER_NEVER) {
        if (door->by && now - door->shut_since > DOOR_STUCK)
            door->by->stuck++;
        return;
    }
    if (door->shut_at != 0 && door->shut_at <= now) {
        door_shut(door, now);
    } else if (door->link == 0 && door->shut_at == 0 && now - door->since > doors->config.silence) {
        refuse(doors, door, "it says nothing");
    } else if (unfinished(door, &suspicious)) {
        refuse(doors, door, "its message has no end");
    }
    if (door->shut_at != 0 && door->shut_at < *next)
        *next = door->shut_at;
    if (suspicious)
        *next = now + LOOK_SOON;
}

static void tell_stuck(struct doors *doors)
{
    for (size_t i = 0; i < MONITORS_MAX; i++) {
        struct monitor *m = &doors->monitor[i];
        if (m->watched && m->stuck >= DOORS_STUCK_MAX)
            doors->config.stuck(doors->config.arg, m->watched);
        m->stuck = 0;
    }
}

static void look(void *arg)
{
    struct doors *doors = arg;
    read_all(doors); /* those that have ended need no look; new ones are no newer than `now` */
    uint64_t now = loop_now(), next = now + LOOK_EVERY;
    for (size_t i = 0; i < DOORS_MAX && doors->count > 0; i++)
        if (doors->door[i].fd >= 0)
            look_at(doors, &doors->door[i], now, &next);
    tell_stuck(doors);
    if (doors->count > 0)
        loop_timer_set(doors->config.loop, &doors->look, next);
}

/* ---- for the wire */

struct door *doors_enter(struct doors *doors, int fd, link_no link)
{
    read_all(doors); /* the connection may be newer than what has been read so far */
    struct door *door = door_find(doors, fd);
    if (!door || door->link != 0)
        return NULL;
    door->link = link;
    door_used(door);
    return door;
}

static bool leads_to(int fd, const struct addr *peer)
{
    struct sockaddr_storage sa = {.ss_family = AF_UNSPEC};
    socklen_t n = sizeof sa;
    struct addr a;
    if (getpeername(fd, (struct sockaddr *)&sa, &n) != 0)
        return false;
    if (peer->family == 0)
        return sa.ss_family == AF_UNIX;
    return addr_from_sockaddr((struct sockaddr *)&sa, &a) == 0 && a.port == peer->port && addr_same_host(&a, peer);
}

struct door *doors_follow(struct doors *doors, int fd, const struct addr *peer, link_no link)
{
    uint64_t cookie = cookie_of(fd);
    if (cookie == 0 || !leads_to(fd, peer) || cookie_of(fd) != cookie)
        return NULL;
    struct door *door = door_new(doors, fd, cookie);
    if (door) {
        door->link = link;
        door->dialled = true;
        door_used(door);
    }
    return door;
}

void door_used(struct door *door)
{
    door->used = true;
}

void doors_leave(struct doors *doors, struct door *door)
{
    if (!door)
        return;
    door->link = 0;
    if (door->dialled) {
        door_free(doors, door);
        return;
    }
    if (door->shut_at == 0)
        door->shut_at = loop_now() + SOCKET_LINGER_MS * MILLISECOND;
    if (door->shut_at != TIMER_NEVER && (doors->look.slot == TIMER_IDLE || doors->look.at > door->shut_at))
        loop_timer_set(doors->config.loop, &doors->look, door->shut_at);
}

/* Does it stand on one of these addresses, or on none, being local? */
static bool stands_on(int fd, const struct addr *local, size_t count)
{
    struct sockaddr_storage sa = {.ss_family = AF_UNSPEC};
    socklen_t n = sizeof sa;
    struct addr a;
    if (getsockname(fd, (struct sockaddr *)&sa, &n) != 0 || addr_from_sockaddr((struct sockaddr *)&sa, &a) != 0)
        return true;
    for (size_t i = 0; i < count; i++)
        if (addr_same_host(&a, &local[i]))
            return true;
    return false;
}

void doors_keep(struct doors *doors, const struct addr *local, size_t count)
{
    for (size_t i = 0; i < DOORS_MAX; i++) {
        struct door *d = &doors->door[i];
        if (d->fd < 0 || d->shut_at == TIMER_NEVER || stands_on(d->fd, local, count))
            continue;
        log_write(doors->config.log, LOG_INFO, "doors", "a connection is dropped: its interface is gone");
        door_shut(d, loop_now());
    }
}

uint64_t doors_refused(const struct doors *doors)
{
    return doors->refused;
}

static struct monitor *monitor_of(struct doors *doors, const void *watched)
{
    for (size_t i = 0; i < MONITORS_MAX; i++)
        if (doors->monitor[i].watched == watched)
            return &doors->monitor[i];
    return NULL;
}

static void monitor_free(struct monitor *m)
{
    loop_unwatch(m->watch);
    if (m->socket)
        zmq_close(m->socket);
    *m = (struct monitor){.watched = NULL};
}

static int monitor_open(struct monitor *m, struct doors *doors, void *watched)
{
    char name[48];
    int unbounded = 0;
    snprintf(name, sizeof name, "inproc://weft-doors-%u", doors->names++);
    *m = (struct monitor){.doors = doors, .watched = watched, .socket = socket_open(doors->config.context, ZMQ_PAIR)};
    if (!m->socket)
        return ERR_NOMEM;
    /* libzmq's I/O thread must never wait for us. */
    if (zmq_setsockopt(m->socket, ZMQ_RCVHWM, &unbounded, sizeof unbounded) != 0 ||
        zmq_socket_monitor(watched, name, EVENTS) != 0 || zmq_connect(m->socket, name) != 0)
        return ERR_IO;
    m->watch = loop_watch_socket(doors->config.loop, m->socket, monitor_ready, m);
    return m->watch ? 0 : ERR_NOMEM;
}

int doors_watch(struct doors *doors, void *socket)
{
    struct monitor *m = monitor_of(doors, NULL);
    int err = m ? monitor_open(m, doors, socket) : ERR_FULL;
    if (err && m)
        monitor_free(m);
    return err;
}

void doors_forget(struct doors *doors, void *socket)
{
    struct monitor *m = monitor_of(doors, socket);
    if (!m)
        return;
    for (size_t i = 0; i < DOORS_MAX; i++)
        if (doors->door[i].fd >= 0 && doors->door[i].by == m)
            door_free(doors, &doors->door[i]);
    monitor_free(m);
}

int doors_new(const struct doors_config *config, struct doors **out, struct fault *fault)
{
    struct doors *doors = calloc(1, sizeof *doors);
    *out = NULL;
    if (!doors)
        return fault_set(fault, ERR_NOMEM, "out of memory");
    doors->config = *config;
    if (doors->config.silence == 0)
        doors->config.silence = DOOR_SILENCE;
    timer_init(&doors->look, look, doors);
    for (size_t i = 0; i < DOORS_MAX; i++)
        doors->door[i].fd = -1;
    *out = doors;
    return 0;
}

void doors_free(struct doors *doors)
{
    if (!doors)
        return;
    loop_timer_cancel(doors->config.loop, &doors->look);
    for (size_t i = 0; i < MONITORS_MAX; i++)
        monitor_free(&doors->monitor[i]);
    free(doors);
}
