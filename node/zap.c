/* The ZAP handler. See zap.h.
 *
 * A REP socket on the loop, not a thread: a request is answered in microseconds. Requests come from our own libzmq alone; a
 * malformed one is answered with a refusal all the same. */
#include "zap.h"

#include "limits.h"
#include "socket.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define FRAMES 7 /* version, request id, domain, address, identity, mechanism, key */
#define FRAME_MAX 255
#define AT_ONCE 64
#define USER_ID_CHARS ((size_t)CURVE_KEY_BYTES * 2)

enum { VERSION, REQUEST, DOMAIN, ADDRESS, IDENTITY, MECHANISM, KEY };

struct address {
    char text[64];
    double tokens;
    uint64_t at;
};

struct zap {
    void *socket;
    struct watch *watch;
    const struct log *log;
    uint64_t refused;
    size_t count;
    struct address address[ADDRESSES_MAX];
};

struct request {
    size_t len[FRAMES];
    uint8_t frame[FRAMES][FRAME_MAX + 1]; /* each followed by a zero */
};

/* ---- rates */

static struct address *address_of(struct zap *zap, const char *text, uint64_t now)
{
    struct address *oldest = &zap->address[0];
    for (size_t i = 0; i < zap->count; i++) {
        if (strncmp(zap->address[i].text, text, sizeof zap->address[i].text - 1) == 0)
            return &zap->address[i];
        if (zap->address[i].at < oldest->at)
            oldest = &zap->address[i];
    }
    if (zap->count < ADDRESSES_MAX)
        oldest = &zap->address[zap->count++];
    memset(oldest, 0, sizeof *oldest);
    memcpy(oldest->text, text, strnlen(text, sizeof oldest->text - 1));
    oldest->tokens = CONNECTS_BURST;
    oldest->at = now;
    return oldest;
}

static bool at_bearable_rate(struct zap *zap, const char *text)
{
    uint64_t now = loop_now();
    struct address *a = address_of(zap, text, now);
    a->tokens += (double)(now - a->at) / (double)SECOND * CONNECTS_PER_S;
    if (a->tokens > CONNECTS_BURST)
        a->tokens = CONNECTS_BURST;
    a->at = now;
    if (a->tokens < 1)
        return false;
    a->tokens -= 1;
    return true;
}

/* ---- requests */

/* Reads one request whole. 0; ERR_FULL when there is none; ERR_MALFORMED. */
static int request_read(void *socket, struct request *r)
{
    int err = 0, more = 1;
    size_t n = 0, size = sizeof more;
    memset(r, 0, sizeof *r);
    while (more) {
        uint8_t frame[FRAME_MAX];
        int len = zmq_recv(socket, frame, sizeof frame, ZMQ_DONTWAIT);
        if (len < 0)
            return n == 0 ? ERR_FULL : ERR_MALFORMED;
        if (n < FRAMES && len <= FRAME_MAX) {
            memcpy(r->frame[n], frame, (size_t)len);
            r->len[n] = (size_t)len;
        } else {
            err = ERR_MALFORMED;
        }
        n++;
        zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size);
    }
    return n == FRAMES ? err : ERR_MALFORMED;
}

static bool frame_is(const struct request *r, int i, const char *text)
{
    return r->len[i] == strlen(text) && memcmp(r->frame[i], text, r->len[i]) == 0;
}

static void answer(struct zap *zap, const struct request *r, const char *code, const char *text, const char *user)
{
    zmq_send(zap->socket, "1.0", 3, ZMQ_SNDMORE);
    zmq_send(zap->socket, r->frame[REQUEST], r->len[REQUEST], ZMQ_SNDMORE);
    zmq_send(zap->socket, code, strlen(code), ZMQ_SNDMORE);
    zmq_send(zap->socket, text, strlen(text), ZMQ_SNDMORE);
    zmq_send(zap->socket, user, strlen(user), ZMQ_SNDMORE);
    zmq_send(zap->socket, "", 0, 0);
}

static void judge(struct zap *zap, const struct request *r)
{
    char user[USER_ID_CHARS + 1];
    const char *address = (const char *)r->frame[ADDRESS];
    if (!frame_is(r, VERSION, "1.0") || !frame_is(r, DOMAIN, "weft") || !frame_is(r, MECHANISM, "CURVE") ||
        r->len[KEY] != CURVE_KEY_BYTES) {
        answer(zap, r, "400", "CURVE only", "");
    } else if (!at_bearable_rate(zap, address)) {
        zap->refused++;
        log_write(zap->log, LOG_DEBUG, "zap", "too many connections from %s", address);
        answer(zap, r, "400", "too many connections", "");
    } else {
        sodium_bin2hex(user, sizeof user, r->frame[KEY], CURVE_KEY_BYTES);
        answer(zap, r, "200", "OK", user);
    }
}

static void ready(void *arg)
{
    struct zap *zap = arg;
    struct request r;
    for (int i = 0; i < AT_ONCE; i++) {
        int err = request_read(zap->socket, &r);
        if (err == ERR_FULL)
            return;
        if (err)
            answer(zap, &r, "400", "malformed", "");
        else
            judge(zap, &r);
    }
}

int zap_user_key(const char *user_id, uint8_t key[CURVE_KEY_BYTES])
{
    size_t n = 0;
    if (!user_id || strlen(user_id) != USER_ID_CHARS ||
        sodium_hex2bin(key, CURVE_KEY_BYTES, user_id, USER_ID_CHARS, NULL, &n, NULL) != 0 || n != CURVE_KEY_BYTES)
        return ERR_MALFORMED;
    return 0;
}

uint64_t zap_refused(const struct zap *zap)
{
    return zap->refused;
}

int zap_new(void *context, struct loop *loop, const struct log *log, struct zap **out, struct fault *fault)
{
    struct zap *zap = calloc(1, sizeof *zap);
    *out = NULL;
    if (!zap)
        return fault_set(fault, ERR_NOMEM, "out of memory");
    zap->log = log;
    zap->socket = socket_open(context, ZMQ_REP);
    if (!zap->socket || zmq_bind(zap->socket, "inproc://zeromq.zap.01") != 0) {
        fault_errno(fault, errno, "cannot make the door of the node's sockets");
        zap_free(zap);
        return ERR_IO;
    }
    zap->watch = loop_watch_socket(loop, zap->socket, ready, zap);
    if (!zap->watch) {
        zap_free(zap);
        return fault_set(fault, ERR_NOMEM, "out of memory");
    }
    *out = zap;
    return 0;
}

void zap_free(struct zap *zap)
{
    if (!zap)
        return;
    loop_unwatch(zap->watch);
    if (zap->socket)
        zmq_close(zap->socket);
    free(zap);
}
