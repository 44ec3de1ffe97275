/* Setting up the streams of a transfer: reception objects, who listens and who dials (claims OOB-2 to OOB-4).
 *
 * The receiver makes the reception object before the core sends the request; the sender dials it, says so by RPC, and nothing
 * is read from any stream before that RPC has come. When the receiver offers no address the roles of listener and dialler are
 * swapped; who sends and who receives, and the key, stay. Of a byte stream's two sides the caller is the receiver here. */
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

static bool dial_streams(struct transfer *t, const struct addr *addr, unsigned addrs, unsigned n)
{
    struct tls_secret secret;
    struct fault fault = {0};
    struct tls *tls = NULL;

    gate_tls(t->gate, &tls, &fault);
    for (unsigned i = 0; i < n && fault.code == 0; i++) {
        unsigned won;
        struct tls_link *link;
        struct dial d = {
            .tls = tls, .secret = &secret, .addr = addr, .addrs = addrs, .deadline = t->deadline, .stop_fd = t->stop_fd};
        if (derive(t, i, &secret) != 0)
            return false;
        if (dial_race(&d, &link, &won, &fault) == 0) {
            transfer_arrive(t, (uint8_t)i, link);
            addr += won; /* further streams take the way that won */
            addrs = 1;
        }
    }
    sodium_memzero(&secret, sizeof secret);
    if (fault.code != 0)
        transfer_fail(t, &fault);
    return fault.code == 0;
}

/* ---- the receiver */

static bool make_reception(struct transfer *t)
{
    struct reception_info *info = t->info;

    bool listen = t->r != NULL ? t->r->listen : t->d->listen;
    *info = (struct reception_info){
        .streams = t->streams_wanted, .limit = t->r != NULL ? fetch_limit(t->r) : INT64_MAX, .deadline_s = t->deadline_s};
    randombytes_buf(info->id.b, sizeof info->id.b);
    randombytes_buf(info->key, sizeof info->key);
    return !listen || t->addrs == 0 || listen_for_streams(t, info->addr, &info->addr_count);
}

static bool receive_streams(struct transfer *t)
{
    const struct msg_fetch_ok *answer = &t->answer;

    if (!make_reception(t))
        return false;
    t->tell(t, EVENT_READY);
    if (!transfer_wait_go(t))
        return false;
    if (answer->streams < fewest_streams(t) || answer->streams > t->info->streams ||
        (t->info->addr_count == 0 && answer->addr_count == 0)) {
        transfer_failf(t, ERR_MALFORMED, "the other side's confirmation does not fit the reception object");
        return false;
    }
    return t->info->addr_count > 0 ? transfer_wait_streams(t, answer->streams)
                                   : dial_streams(t, answer->addr, answer->addr_count, answer->streams);
}

bool transfer_connect_receive(struct transfer *t)
{
    bool ok = receive_streams(t);
    gate_close(t->gate, &t->pass);
    return ok && transfer_open_streams(t, t->answer.streams, STREAM_SILENCE_S);
}

/* ---- the sender */

static bool send_streams(struct transfer *t)
{
    const struct reception_info *info = t->info;
    struct msg_fetch_ok *answer = t->s != NULL ? &t->s->answer : &t->d->answer;
    bool listens = info->addr_count == 0;

    *answer = (struct msg_fetch_ok){.streams = info->streams};
    if (info->streams < fewest_streams(t) || info->streams > most_streams(t) || info->addr_count > RECEPTION_ENDPOINTS_MAX) {
        transfer_failf(t, ERR_MALFORMED, "a reception object without streams, or with too many");
        return false;
    }
    bool ok = listens ? listen_for_streams(t, answer->addr, &answer->addr_count)
                      : dial_streams(t, info->addr, info->addr_count, info->streams);
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
