#include "bulk_dial.h"

#include "bulk_thread.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define STAGGER (50 * MILLISECOND) /* between the starts of two addresses */
#define AGAIN (20 * MILLISECOND)   /* before an address is tried again whose listener dropped us: it may be flooded */
#define TRIES 5                    /* of one address */

struct runner {
    enum { WAITING, CONNECTING, SHAKING, LOST } state;
    int fd;                /* from CONNECTING on */
    struct tls_link *link; /* from SHAKING on; it owns fd */
    short want;
    unsigned tries;
    uint64_t start; /* when WAITING ends */
};

struct race {
    const struct dial *dial;
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

static void runner_lose(struct race *race, struct runner *r, int code)
{
    bool again = r->state == SHAKING && code == ERR_UNREACHABLE && r->tries < TRIES;

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

/* The socket is ready. True when the race is won. */
static bool runner_step(struct race *race, struct runner *r)
{
    int error = 0;
    socklen_t len = sizeof error;

    if (r->state == CONNECTING) {
        if (getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0) {
            runner_lose(race, r, ERR_UNREACHABLE);
            return false;
        }
        r->link = tls_client(race->dial->tls, r->fd, race->dial->secret);
        r->state = r->link != NULL ? SHAKING : LOST;
        if (r->link == NULL) {
            race->code = ERR_NOMEM;
            return false;
        }
    }
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
        return fault_set(fault, ERR_TIMEOUT, "no bulk connection to %s in time; is a firewall in the way?", first);
    case ERR_REFUSED: return fault_set(fault, ERR_REFUSED, "who answered at %s did not prove the key of this transfer", first);
    case ERR_NOMEM: return fault_set(fault, ERR_NOMEM, "out of memory for a bulk connection");
    default: return fault_set(fault, ERR_UNREACHABLE, "no bulk connection to %s or its other addresses", first);
    }
}

int dial_race(const struct dial *d, struct tls_link **link, unsigned *won, struct fault *fault)
{
    struct race race = {.dial = d, .code = ERR_UNREACHABLE};
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
