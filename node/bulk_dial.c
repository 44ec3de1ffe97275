#include "bulk_dial.h"

#include "bridge_hello.h"
#include "bulk_gate.h"
#include "bulk_port.h"
#include "bulk_thread.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STAGGER (50 * MILLISECOND) /* between the starts of two addresses */
#define AGAIN (20 * MILLISECOND)   /* before an address is tried again whose listener dropped us: it may be flooded */
#define TRIES 5                    /* of one address */
#define WAY_STAGGER \
    (2 * SECOND) /* a relay that was told the way says nothing before the other end is there: no other is tried */

struct runner {
    enum { WAITING, CONNECTING, SHAKING, LOST } state;
    int fd;                /* from CONNECTING on */
    struct tls_link *link; /* from SHAKING on; it owns fd */
    short want;
    unsigned tries;
    uint64_t start; /* when WAITING ends */
};

struct offer { /* of the one identity, to who shows it on any connection of this race */
    struct served served;
    const struct tls_secret *secret;
    bool claimed;
};

struct race {
    const struct dial *dial;
    struct offer offer;
    struct runner runner[RECEPTION_ENDPOINTS_MAX];
    int code; /* why the last one lost */
};

static void runner_drop(struct runner *r)
{
    if (r->state == SHAKING)
        tls_link_free(r->link);
    else if (r->state == CONNECTING)
        close(r->fd);
    r->state = LOST;
}

static bool offer_claim(struct served *self, const uint8_t identity[TLS_IDENTITY_BYTES], uint8_t psk[TLS_PSK_BYTES])
{
    struct offer *offer = (struct offer *)self;

    if (sodium_memcmp(offer->secret->identity, identity, TLS_IDENTITY_BYTES) != 0 || offer->claimed)
        return false;
    offer->claimed = true;
    memcpy(psk, offer->secret->psk, TLS_PSK_BYTES);
    return true;
}

static void runner_lose(struct race *race, struct runner *r, int code)
{
    bool again = r->state == SHAKING && code == ERR_UNREACHABLE && r->tries < TRIES && !race->offer.claimed;

    runner_drop(r);
    race->code = code;
    if (again) {
        r->state = WAITING;
        r->start = now_ns() + AGAIN;
    }
}

static void runner_start(struct race *race, struct runner *r)
{
    struct sockaddr_storage ss;
    socklen_t len = addr_to_sockaddr(&race->dial->addr[r - race->runner], &ss);

    r->fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    r->tries++;
    if (r->fd < 0) {
        r->state = LOST;
        race->code = ERR_UNREACHABLE;
        return;
    }
    r->state = CONNECTING;
    r->want = POLLOUT;
    if (connect(r->fd, (struct sockaddr *)&ss, len) != 0 && errno != EINPROGRESS)
        runner_lose(race, r, ERR_UNREACHABLE);
}

/* Says to a relay which way to go. The others hold back: they would be refused. */
static bool say_way(struct race *race, const struct runner *r)
{
    const struct dial *d = race->dial;
    uint8_t hello[HELLO_BYTES];

    hello_encode(hello, d->way, d->index);
    port_tune(r->fd);
    ssize_t n = send(r->fd, hello, sizeof hello, MSG_NOSIGNAL | (d->serve ? 0 : MSG_MORE)); /* a new socket has room for it */
    sodium_memzero(hello, sizeof hello);
    for (unsigned i = 0; i < d->addrs; i++)
        if (race->runner[i].state == WAITING)
            race->runner[i].start = now_ns() + WAY_STAGGER;
    return n == sizeof hello;
}

/* It is connected, or not: then the handshake begins. */
static bool runner_connected(struct race *race, struct runner *r)
{
    const struct dial *d = race->dial;
    int error = 0;
    socklen_t len = sizeof error;

    if (getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0 || (d->way != NULL && !say_way(race, r))) {
        runner_lose(race, r, ERR_UNREACHABLE);
        return false;
    }
    r->link = d->serve ? tls_server(d->tls, r->fd, &race->offer.served) : tls_client(d->tls, r->fd, d->secret);
    r->state = r->link != NULL ? SHAKING : LOST;
    if (r->link == NULL)
        race->code = ERR_NOMEM;
    else if (d->way != NULL)
        tls_written_before(r->link, HELLO_BYTES);
    return r->link != NULL;
}

/* The socket is ready. True when the race is won. */
static bool runner_step(struct race *race, struct runner *r)
{
    if (r->state == CONNECTING && !runner_connected(race, r))
        return false;
    int err = tls_shake(r->link, &r->want);
    if (err != 0)
        runner_lose(race, r, err);
    return err == 0 && r->want == 0;
}

/* Starts who is due; the next of the waiting also as soon as nobody is under way. Returns when to look again, or 0 when all
 * have lost. */
static uint64_t start_due(struct race *race, uint64_t now)
{
    unsigned running = 0;
    uint64_t next = UINT64_MAX;

    for (unsigned i = 0; i < race->dial->addrs; i++)
        running += race->runner[i].state == CONNECTING || race->runner[i].state == SHAKING;
    for (unsigned i = 0; i < race->dial->addrs; i++) {
        struct runner *r = &race->runner[i];
        if (r->state == WAITING && (r->start <= now || (running == 0 && r->tries == 0)))
            runner_start(race, r);
        if (r->state == CONNECTING || r->state == SHAKING)
            running++;
        if (r->state == WAITING && r->start < next)
            next = r->start;
    }
    return running == 0 && next == UINT64_MAX ? 0 : next < race->dial->deadline ? next : race->dial->deadline;
}

static int wait_ms(uint64_t until)
{
    uint64_t now = now_ns();
    return until <= now ? 0 : (int)((until - now) / MILLISECOND) + 1;
}

/* One turn: polls, and moves who is ready. The winner's number, or -1. */
static int turn(struct race *race, uint64_t until, bool *stopped)
{
    struct pollfd p[RECEPTION_ENDPOINTS_MAX + 1];
    unsigned who[RECEPTION_ENDPOINTS_MAX], n = 0;

    for (unsigned i = 0; i < race->dial->addrs; i++) {
        const struct runner *r = &race->runner[i];
        if (r->state != CONNECTING && r->state != SHAKING)
            continue;
        who[n] = i;
        p[n++] = (struct pollfd){.fd = r->fd, .events = r->want};
    }
    p[n] = (struct pollfd){.fd = race->dial->stop_fd, .events = POLLIN};
    if (poll(p, n + 1, wait_ms(until)) <= 0)
        return -1;
    *stopped = p[n].revents != 0;
    for (unsigned i = 0; i < n && !*stopped; i++)
        if (p[i].revents != 0 && runner_step(race, &race->runner[who[i]]))
            return (int)who[i];
    return -1;
}

static int race_fault(const struct race *race, struct fault *fault)
{
    char text[ADDR_TEXT];
    const char *first = race->dial->addrs > 0 ? addr_text(&race->dial->addr[0], text) : "nowhere";

    switch (race->code) {
    case ERR_CANCELLED: return fault_set(fault, ERR_CANCELLED, "stopped while connecting");
    case ERR_TIMEOUT:
        if (race->dial->way != NULL)
            return fault_set(fault, ERR_TIMEOUT, "the other side did not come to the relay at %s in time", first);
        return fault_set(fault, ERR_TIMEOUT, "no bulk connection to %s in time; is a firewall in the way?", first);
    case ERR_REFUSED: return fault_set(fault, ERR_REFUSED, "who answered at %s did not prove the key of this transfer", first);
    case ERR_NOMEM: return fault_set(fault, ERR_NOMEM, "out of memory for a bulk connection");
    default:
        return fault_set(fault, ERR_UNREACHABLE, "no bulk connection %s %s or its other addresses",
                         race->dial->way != NULL ? "by way of the relay at" : "to", first);
    }
}

int dial_race(const struct dial *d, struct tls_link **link, unsigned *won, struct fault *fault)
{
    struct race race = {.dial = d, .offer = {{offer_claim}, d->secret, false}, .code = ERR_UNREACHABLE};
    uint64_t now = now_ns(), until;
    bool stopped = false;
    int winner = -1;

    for (unsigned i = 0; i < d->addrs; i++)
        race.runner[i].start = now + i * STAGGER;
    while (winner < 0 && (until = start_due(&race, now)) != 0) {
        winner = turn(&race, until, &stopped);
        now = now_ns();
        if (winner >= 0)
            break;
        if (stopped || now >= d->deadline) {
            race.code = stopped ? ERR_CANCELLED : ERR_TIMEOUT;
            break;
        }
    }
    for (unsigned i = 0; i < d->addrs; i++)
        if ((int)i != winner)
            runner_drop(&race.runner[i]);
    if (winner < 0)
        return race_fault(&race, fault);
    *link = race.runner[winner].link;
    *won = (unsigned)winner;
    return 0;
}
