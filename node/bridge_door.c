/* Who comes to the port of bridges: a connection says hello (bridge_hello.h) in time and is the end of a stream that it names
 * and can prove, or it is closed without a word and counted.
 *
 * At most HALF_OPEN_MAX have not said it; the oldest of the address that has most of them makes room. */
#include "bridge_internal.h"

#include "bulk_port.h"
#include "bulk_thread.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS 64 /* in one turn, so that streams go on during a flood */
#define HALF_PER_HOST (HALF_OPEN_MAX / 4)
#define ACCEPT_PAUSE (100 * MILLISECOND) /* when there are no more descriptors */

void conn_close(struct bridges *bridges, struct conn *conn)
{
    close(conn->side.fd);
    conn->side.fd = -1;
    TAILQ_INSERT_TAIL(&bridges->closed, conn, link);
}

static void half_leave(struct bridges *bridges, struct conn *half)
{
    TAILQ_REMOVE(&bridges->halves, half, link);
    bridges->half_count--;
}

static void half_refuse(struct bridges *bridges, struct conn *half)
{
    char text[ADDR_TEXT];

    atomic_fetch_add(&bridges->refused, 1);
    log_write(bridges->log, LOG_DEBUG, "bridge", "refused a connection from %s", addr_text(&half->from, text));
    half_leave(bridges, half);
    conn_close(bridges, half);
}

/* ---- the hello */

struct found {
    struct span *span;
    unsigned way;
    uint8_t key[32];
};

/* All are compared, whichever it is. Without one the key is a random one, so that what follows takes as long. */
static void find_way(const struct bridges *bridges, const struct tag *id, struct found *found)
{
    struct span *span;

    found->span = NULL;
    randombytes_buf(found->key, sizeof found->key);
    LIST_FOREACH(span, &bridges->live, live)
    for (unsigned way = 0; way < 2; way++)
        if (sodium_memcmp(span->id[way].b, id->b, TAG_BYTES) == 0) {
            found->span = span;
            found->way = way;
            memcpy(found->key, span->key[way], sizeof found->key);
        }
}

/* The stream whose end this is, as it has proved: then that end is taken. */
static struct joint *admit(const struct bridges *bridges, const struct conn *half, unsigned *way)
{
    struct hello hello;
    struct found found;

    if (hello_decode(half->hello, &hello) != 0)
        return NULL;
    find_way(bridges, &hello.id, &found);
    bool proved = hello_proves(half->hello, found.key);
    sodium_memzero(found.key, sizeof found.key);
    if (found.span == NULL || !proved || hello.index >= found.span->streams || now_ns() >= found.span->deadline)
        return NULL;
    struct joint *joint = &found.span->joint[hello.index];
    if (joint->state != JOINT_OPEN || (joint->used >> found.way & 1) != 0)
        return NULL;
    joint->used |= (uint8_t)(1u << found.way);
    *way = found.way;
    return joint;
}

/* Not one byte more is read: the rest is the other end's. */
void bridge_read_hello(struct bridges *bridges, struct conn *half)
{
    unsigned way;
    ssize_t n = recv(half->side.fd, half->hello + half->have, HELLO_BYTES - half->have, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        half_refuse(bridges, half);
        return;
    }
    half->have += (size_t)n;
    if (half->have < HELLO_BYTES)
        return;
    struct joint *joint = admit(bridges, half, &way);
    sodium_memzero(half->hello, sizeof half->hello);
    if (joint == NULL) {
        half_refuse(bridges, half);
        return;
    }
    half_leave(bridges, half);
    joint_arrived(bridges, joint, way, half);
}

/* ---- accepting */

/* The oldest one, of `from` or (NULL) of anyone; *count says how many of these there are. */
static struct conn *oldest(struct bridges *bridges, const struct addr *from, unsigned *count)
{
    struct conn *half, *first = NULL;

    *count = 0;
    TAILQ_FOREACH(half, &bridges->halves, link)
    if (from == NULL || addr_same_host(&half->from, from)) {
        if ((*count)++ == 0)
            first = half;
    }
    return first;
}

/* A new one from `from` is due: who floods pushes out his own first. */
static void make_room(struct bridges *bridges, const struct addr *from)
{
    unsigned count;
    struct conn *victim = oldest(bridges, from, &count);

    if (count < HALF_PER_HOST && bridges->half_count >= HALF_OPEN_MAX)
        victim = oldest(bridges, NULL, &count);
    else if (count < HALF_PER_HOST)
        victim = NULL;
    if (victim != NULL)
        half_refuse(bridges, victim);
}

static void half_add(struct bridges *bridges, int fd, const struct addr *from)
{
    make_room(bridges, from);
    struct conn *half = calloc(1, sizeof *half);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = half};
    if (half == NULL || epoll_ctl(bridges->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        free(half);
        close(fd);
        return;
    }
    half->side.fd = fd;
    half->from = *from;
    half->deadline = now_ns() + HANDSHAKE_DEADLINE;
    TAILQ_INSERT_TAIL(&bridges->halves, half, link);
    bridges->half_count++;
}

/* The lock keeps the port open meanwhile. */
static int accept_one(struct bridges *bridges, int *fd, struct addr *from)
{
    pthread_mutex_lock(&bridges->lock);
    int why = bridges->listener < 0 ? EAGAIN : port_accept(bridges->listener, fd, from);
    pthread_mutex_unlock(&bridges->lock);
    return why;
}

static void watch_port(struct bridges *bridges, bool watch)
{
    pthread_mutex_lock(&bridges->lock);
    struct epoll_event event = {.events = watch ? EPOLLIN : 0, .data.ptr = &bridges->listener};
    if (bridges->listener >= 0)
        epoll_ctl(bridges->epoll, EPOLL_CTL_MOD, bridges->listener, &event);
    pthread_mutex_unlock(&bridges->lock);
}

void bridge_accept(struct bridges *bridges)
{
    for (int i = 0; i < ACCEPTS; i++) {
        int fd;
        struct addr from;
        int why = accept_one(bridges, &fd, &from);
        if (port_exhausted(why)) {
            log_write(bridges->log, LOG_WARN, "bridge", "no more descriptors: accepting pauses");
            watch_port(bridges, false);
            bridges->resume = now_ns() + ACCEPT_PAUSE;
            return;
        }
        if (why == EAGAIN)
            return;
        if (why == 0)
            half_add(bridges, fd, &from);
    }
}

void bridge_expire(struct bridges *bridges, uint64_t now)
{
    struct conn *half;

    if (bridges->resume != 0 && bridges->resume <= now) {
        bridges->resume = 0;
        watch_port(bridges, true);
    }
    while ((half = TAILQ_FIRST(&bridges->halves)) != NULL && half->deadline <= now)
        half_refuse(bridges, half);
}

void bridge_drop_halves(struct bridges *bridges)
{
    while (!TAILQ_EMPTY(&bridges->halves))
        half_refuse(bridges, TAILQ_FIRST(&bridges->halves));
}
