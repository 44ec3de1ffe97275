/* Using a running node: the client's end of the control socket. See weft.h. */
#include "client.h"
#include "control.h"
#include "packet.h"
#include "rows.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DOWN_MS 10000 /* a node takes at most about four seconds to stop */

struct weft {
    int fd;
    uint64_t seq;
    _Atomic bool cancelled;
    uint8_t cancel[64]; /* an encoded row, so that weft_cancel needs only send(2) */
    size_t cancel_len;
    uint8_t buf[ROW_BYTES + 1];
};

int error_of(const struct fault *fault, struct weft_error *error)
{
    if (error) {
        error->code = (int)fault->code;
        error->name = err_name((int)fault->code);
        memcpy(error->text, fault->text, sizeof error->text);
    }
    return (int)fault->code;
}

int weft_home(const char *given, char *path, size_t cap, struct weft_error *error)
{
    struct fault fault = {0};
    return home_where(given, path, cap, &fault) ? error_of(&fault, error) : 0;
}

/* Opens the home that weft_home names. */
static int open_home(const char *given, bool make, struct home *home, struct fault *fault)
{
    char path[HOME_PATH];
    int err = home_where(given, path, sizeof path, fault);
    if (!err)
        err = home_open(path, make, home, fault);
    if (err == ERR_NOT_FOUND)
        err = fault_set(fault, ERR_NO_NODE, "no node has run here yet: there is no '%s'", path);
    return err;
}

static int read_id(struct home *home, struct node_id *id, struct fault *fault)
{
    uint8_t seed[SEED_BYTES];
    struct identity identity;
    int err = home_seed(home, seed, fault);
    if (err)
        return err;
    identity_from_seed(seed, &identity);
    *id = identity.id;
    sodium_memzero(seed, sizeof seed);
    identity_wipe(&identity);
    return 0;
}

int weft_id(const char *given, char *text, size_t cap, struct weft_error *error)
{
    struct fault fault = {0};
    struct home home;
    struct node_id id;
    int err = cap > NODE_ID_TEXT ? open_home(given, true, &home, &fault)
                                 : fault_set(&fault, ERR_USAGE, "an id takes %d bytes", NODE_ID_TEXT + 1);
    if (err)
        return error_of(&fault, error);
    err = read_id(&home, &id, &fault);
    home_close(&home);
    if (err)
        return error_of(&fault, error);
    strcpy(text, id_text(&id).s);
    return 0;
}

/* ---- connections */

static int encode_cancel(struct weft *weft)
{
    struct row *row = row_new("cancel");
    int err = row ? row_encode(row, 0, weft->cancel, sizeof weft->cancel, &weft->cancel_len) : ERR_NOMEM;
    row_free(row);
    return err;
}

int client_dial(const char *given, struct fault *fault)
{
    struct home home;
    if (open_home(given, false, &home, fault) != 0)
        return -1;
    int fd = control_connect(&home, fault);
    home_close(&home);
    return fd;
}

static int open_weft(const char *given, struct weft *weft, struct fault *fault)
{
    weft->fd = client_dial(given, fault);
    if (weft->fd < 0)
        return (int)fault->code;
    return encode_cancel(weft) == 0 ? 0 : fault_set(fault, ERR_NOMEM, "out of memory");
}

struct weft *weft_open(const char *home, struct weft_error *error)
{
    struct fault fault = {0};
    struct weft *weft = calloc(1, sizeof *weft);
    if (!weft) {
        fault_set(&fault, ERR_NOMEM, "out of memory");
        error_of(&fault, error);
        return NULL;
    }
    weft->fd = -1;
    if (open_weft(home, weft, &fault) == 0)
        return weft;
    weft_close(weft);
    error_of(&fault, error);
    return NULL;
}

void weft_close(struct weft *weft)
{
    if (!weft)
        return;
    if (weft->fd >= 0)
        close(weft->fd);
    free(weft);
}

void weft_cancel(struct weft *weft)
{
    int kept = errno; /* may be in a signal handler */
    atomic_store(&weft->cancelled, true);
    send(weft->fd, weft->cancel, weft->cancel_len, MSG_DONTWAIT | MSG_NOSIGNAL);
    errno = kept;
}

/* ---- calls */

int client_lost(struct fault *fault)
{
    return fault_set(fault, ERR_NO_NODE, "the node ended before it had answered; is it still up? 'weft status' tells");
}

int client_send(int control, const struct row *row, uint64_t seq, const int fd[2], struct fault *fault)
{
    uint8_t buf[ROW_BYTES];
    size_t n;
    int err = row_encode(row, seq, buf, sizeof buf, &n);
    if (err)
        return fault_set(fault, err, "the request is too long: at most %d bytes", ROW_BYTES);
    if (packet_send(control, buf, n, fd, 0) >= 0)
        return 0;
    if (errno == EBADF || errno == ETOOMANYREFS)
        return fault_set(fault, ERR_USAGE, "these two descriptors cannot be passed to the node");
    return errno == EAGAIN ? fault_set(fault, ERR_FULL, "the node does not read what it is sent") : client_lost(fault);
}

static int send_request(struct weft *weft, const struct row *request, const int fd[2], struct fault *fault)
{
    int err = client_send(weft->fd, request, ++weft->seq, fd, fault);
    if (!err && atomic_load(&weft->cancelled))
        weft_cancel(weft); /* it may have come before the request, to which it would not have been about anything */
    return err;
}

/* The next row of the answer to the latest request; rows of earlier ones are passed over. */
static int receive_row(struct weft *weft, struct row **row, struct fault *fault)
{
    for (;;) {
        uint64_t seq;
        ssize_t n = recv(weft->fd, weft->buf, sizeof weft->buf, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return client_lost(fault);
        if ((size_t)n > ROW_BYTES || row_decode(weft->buf, (size_t)n, &seq, row) != 0)
            return fault_set(fault, ERR_MALFORMED, "the node's answer cannot be read; is it of another version?");
        if (seq == weft->seq)
            return 0;
        row_free(*row);
    }
}

int client_error(const struct row *row, struct fault *fault)
{
    int code = err_from_name(row_get_text(row, "code", ""));
    return fault_set(fault, code ? code : ERR_IO, "%s", row_get_text(row, "text", "the node does not say why"));
}

/* Hands on one row. *end is set by the last one. */
static int take_row(const struct row *row, weft_on_row *on_row, void *arg, bool *end, struct fault *fault)
{
    *end = strcmp(row_kind(row), "done") == 0;
    if (strcmp(row_kind(row), "error") == 0)
        return client_error(row, fault);
    if (on_row)
        on_row(arg, row_shown(row));
    return 0;
}

/* After "down": until the node has let go of its home, which it shows by closing the connection. */
static void await_end(struct weft *weft)
{
    struct pollfd p = {.fd = weft->fd, .events = POLLIN};
    while (poll(&p, 1, DOWN_MS) == 1 && recv(weft->fd, weft->buf, sizeof weft->buf, MSG_DONTWAIT) > 0)
        ;
}

int client_call(struct weft *weft, const struct row *request, const int fd[2], weft_on_row *on_row, void *arg,
                struct fault *fault)
{
    bool end = false;
    int err = send_request(weft, request, fd, fault);
    while (!err && !end) {
        struct row *row = NULL;
        err = receive_row(weft, &row, fault);
        if (err)
            break;
        err = take_row(row, on_row, arg, &end, fault);
        row_free(row);
    }
    if (!err && strcmp(row_kind(request), "down") == 0)
        await_end(weft);
    atomic_store(&weft->cancelled, false);
    return err;
}

int weft_call(struct weft *weft, const struct weft_row *request, weft_on_row *on_row, void *arg, struct weft_error *error)
{
    struct fault fault = {0};
    return client_call(weft, row_of(request), NULL, on_row, arg, &fault) ? error_of(&fault, error) : 0;
}
