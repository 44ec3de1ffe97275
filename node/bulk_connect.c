/* Setting up the streams of a transfer: reception objects, who listens and who dials (claims OOB-2 to OOB-4).
 *
 * The receiver makes the reception object before the core sends the request; the sender dials it, says so by RPC, and nothing
 * is read from any stream before that RPC has come. When the receiver offers no address the roles of listener and dialler are
 * swapped; who sends and who receives, and the key, stay. With a way through a relay both dial it, and the receiver serves TLS
 * there. Of a byte stream's two sides the caller is the receiver here. */
#include "bulk_dial.h"
#include "bulk_transfer.h"

#include "bulk_thread.h"

#include <sodium.h>

static bool is_receiver(const struct transfer *t)
{
    return t->r != NULL || (t->d != NULL && t->d->calling);
}

static const struct node_id *peer(const struct transfer *t)
{
    return t->r != NULL ? &t->r->peer : t->s != NULL ? &t->s->peer : &t->d->peer;
}

/* A byte stream needs both its streams. */
static uint8_t fewest_streams(const struct transfer *t)
{
    return t->d != NULL ? DUPLEX_STREAMS : 1;
}

static uint8_t most_streams(const struct transfer *t)
{
    return t->d != NULL ? DUPLEX_STREAMS : STREAMS_MAX;
}

/* The receiver's own way through a relay, or NULL. */
static const struct relay_way *own_way(const struct transfer *t)
{
    const struct relay_way *way = t->r != NULL ? &t->r->way : &t->d->way;
    return way->addr_count > 0 ? way : NULL;
}

static int derive(struct transfer *t, unsigned index, struct tls_secret *out)
{
    bool receives = is_receiver(t);
    int err = tls_derive(t->info, receives ? &t->self : peer(t), receives ? peer(t) : &t->self, (uint8_t)index, out);

    if (err != 0)
        transfer_failf(t, err, "out of memory for a key");
    return err;
}

/* Opens the port for this transfer and writes where it can be reached into addr[]. */
static bool listen_for_streams(struct transfer *t, struct addr *addr, uint8_t *count)
{
    struct fault fault;
    uint16_t port;

    t->pass.streams = t->info->streams;
    t->pass.deadline = t->deadline;
    t->pass.arrive = transfer_arrive;
    t->pass.arg = t;
    for (uint8_t i = 0; i < t->pass.streams; i++)
        if (derive(t, i, &t->pass.secret[i]) != 0)
            return false;
    if (gate_open(t->gate, &t->pass, &port, &fault) != 0) {
        transfer_fail(t, &fault);
        return false;
    }
    *count = (uint8_t)t->addrs;
    for (unsigned i = 0; i < t->addrs; i++) {
        addr[i] = t->addr[i];
        addr[i].port = port;
    }
    return true;
}

struct dialling { /* of one stream */
    struct transfer *t;
    struct dial d;
    unsigned won;
    pthread_t thread;
};

static bool dial_stream(struct dialling *w)
{
    struct transfer *t = w->t;
    struct tls_secret secret;
    struct tls_link *link;
    struct fault fault;

    if (derive(t, w->d.index, &secret) != 0)
        return false;
    w->d.secret = &secret;
    int err = dial_race(&w->d, &link, &w->won, &fault);
    sodium_memzero(&secret, sizeof secret);
    if (err == 0)
        transfer_arrive(t, w->d.index, link);
    else if (!transfer_stopped(t)) /* else by what has stopped it, which tells more */
        transfer_fail(t, &fault);
    return err == 0;
}

static void *dialling(void *arg)
{
    pthread_setname_np(pthread_self(), "weft-dial");
    dial_stream(arg);
    return NULL;
}

/* Dials the streams 0 to n - 1 to where `d` says: its addresses and, through a relay, its way. Which address answers is found
 * by the first; the others take that, all at once, for each costs several round trips. */
static bool dial_streams(struct transfer *t, struct dial d, unsigned n)
{
    struct dialling w[STREAMS_MAX];
    struct fault fault;
    struct tls *tls;
    unsigned started = 1;

    if (gate_tls(t->gate, &tls, &fault) != 0) {
        transfer_fail(t, &fault);
        return false;
    }
    d.tls = tls;
    d.deadline = t->deadline;
    d.stop_fd = t->stop_fd;
    w[0] = (struct dialling){.t = t, .d = d};
    if (!dial_stream(&w[0]))
        return false;
    d.addr += w[0].won;
    d.addrs = 1;
    for (; started < n; started++) {
        w[started] = (struct dialling){.t = t, .d = d};
        w[started].d.index = (uint8_t)started;
        if (bulk_thread(&w[started].thread, dialling, &w[started]) != 0) {
            transfer_failf(t, ERR_NOMEM, "cannot start a thread for a stream");
            break;
        }
    }
    for (unsigned i = 1; i < started; i++)
        pthread_join(w[i].thread, NULL);
    return !transfer_stopped(t);
}

/* ---- the receiver */

static bool make_reception(struct transfer *t)
{
    struct reception_info *info = t->info;

    bool listen = (t->r != NULL ? t->r->listen : t->d->listen) && own_way(t) == NULL;
    if (t->r != NULL && t->r->streams > 0)
        t->streams_wanted = t->r->streams;
    *info = (struct reception_info){
        .streams = t->streams_wanted, .limit = t->r != NULL ? fetch_limit(t->r) : INT64_MAX, .deadline_s = t->deadline_s};
    randombytes_buf(info->id.b, sizeof info->id.b);
    randombytes_buf(info->key, sizeof info->key);
    if (own_way(t) != NULL)
        info->way = t->r != NULL ? t->r->other : t->d->other;
    return !listen || t->addrs == 0 || listen_for_streams(t, info->addr, &info->addr_count);
}

/* A relay joins all streams of its bridge or none. */
static bool answer_fits(const struct transfer *t)
{
    const struct msg_fetch_ok *answer = &t->answer;

    if (own_way(t) != NULL)
        return answer->streams == t->info->streams;
    return answer->streams >= fewest_streams(t) && answer->streams <= t->info->streams &&
           (t->info->addr_count > 0 || answer->addr_count > 0);
}

static bool receive_streams(struct transfer *t)
{
    const struct msg_fetch_ok *answer = &t->answer;
    const struct relay_way *way = own_way(t);

    if (!make_reception(t))
        return false;
    t->tell(t, EVENT_READY);
    if (way != NULL) /* the sender confirms when it has met us there */
        if (!dial_streams(t, (struct dial){.way = way, .addr = way->addr, .addrs = way->addr_count, .serve = true},
                          t->info->streams))
            return false;
    if (!transfer_wait_go(t))
        return false;
    if (!answer_fits(t)) {
        transfer_failf(t, ERR_MALFORMED, "the other side's confirmation does not fit the reception object");
        return false;
    }
    if (way != NULL || t->info->addr_count > 0)
        return transfer_wait_streams(t, answer->streams);
    return dial_streams(t, (struct dial){.addr = answer->addr, .addrs = answer->addr_count}, answer->streams);
}

bool transfer_connect_receive(struct transfer *t)
{
    bool ok = receive_streams(t);
    gate_close(t->gate, &t->pass);
    return ok && transfer_open_streams(t, t->answer.streams, STREAM_SILENCE_S);
}

/* ---- the sender */

static bool dial_receiver(struct transfer *t)
{
    const struct reception_info *info = t->info;
    const struct relay_way *way = &info->way;

    if (way->addr_count > 0)
        return dial_streams(t, (struct dial){.way = way, .addr = way->addr, .addrs = way->addr_count}, info->streams);
    return dial_streams(t, (struct dial){.addr = info->addr, .addrs = info->addr_count}, info->streams);
}

static bool send_streams(struct transfer *t)
{
    const struct reception_info *info = t->info;
    struct msg_fetch_ok *answer = t->s != NULL ? &t->s->answer : &t->d->answer;
    bool listens = info->addr_count == 0 && info->way.addr_count == 0;

    *answer = (struct msg_fetch_ok){.streams = info->streams};
    if (info->streams < fewest_streams(t) || info->streams > most_streams(t) || info->addr_count > RECEPTION_ENDPOINTS_MAX ||
        info->way.addr_count > RECEPTION_ENDPOINTS_MAX) {
        transfer_failf(t, ERR_MALFORMED, "a reception object without streams, or with too many");
        return false;
    }
    bool ok = listens ? listen_for_streams(t, answer->addr, &answer->addr_count) : dial_receiver(t);
    if (ok && listens && answer->addr_count == 0) {
        ok = false;
        transfer_failf(t, ERR_UNREACHABLE, "neither side has an address that the other could dial");
    }
    if (!ok)
        return false;
    t->tell(t, EVENT_CONNECTED);
    return transfer_wait_go(t) && (!listens || transfer_wait_streams(t, info->streams));
}

bool transfer_connect_send(struct transfer *t)
{
    bool ok = send_streams(t);
    gate_close(t->gate, &t->pass);
    return ok && transfer_open_streams(t, t->info->streams, t->d != NULL ? STREAM_SILENCE_S : SEND_PATIENCE_S);
}
