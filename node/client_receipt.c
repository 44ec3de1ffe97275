/* Receipts of a reading program: see base/receipt.h. Best effort, and never in the way: what cannot be sent now is not sent.
 *
 * One goes out when the program has handled all it had, and every RECEIPT_EVERY while it has more. */
#include "client_pipe.h"

#include "addr.h"
#include "receipt.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECEIPT_EVERY MILLISECOND
#define WAYS_MAX 4

struct receipt_to {
    uint8_t key[RECEIPT_KEY_BYTES];
    struct tag tag;
    uint64_t told;
    size_t count;
    struct addr addr[WAYS_MAX];
};

struct receipt_to *client_receipt_new(const struct row *row)
{
    size_t tag_n, key_n, hosts = row_count(row, "to");
    const char *tag = row_get_bytes(row, "tag", &tag_n), *key = row_get_bytes(row, "key", &key_n);
    if (!tag || !key || tag_n != TAG_BYTES || key_n != RECEIPT_KEY_BYTES)
        return NULL;
    struct receipt_to *to = calloc(1, sizeof *to);
    if (!to)
        return NULL;
    memcpy(to->tag.b, tag, TAG_BYTES);
    memcpy(to->key, key, RECEIPT_KEY_BYTES);
    for (size_t i = 0; i < hosts && to->count < WAYS_MAX; i++)
        if (addr_parse(row_get_text_at(row, "to", i, ""), &to->addr[to->count]) == 0)
            to->count++;
    return to;
}

void client_receipt_free(struct receipt_to *to)
{
    free(to);
}

/* The socket for a family, made at first use: -1 when there is none. */
static int socket_for(struct weft_pipe *pipe, int family)
{
    int *fd = &pipe->in.receipts[family == AF_INET6];
    if (*fd < 0)
        *fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return *fd;
}

static void send_one(struct weft_pipe *pipe, struct receipt_to *to, uint64_t seq)
{
    uint8_t bytes[RECEIPT_BYTES_MAX];
    size_t n = receipt_write(&(struct receipt){.channel = to->tag, .seq = seq}, to->key, bytes);
    for (size_t i = 0; i < to->count; i++) {
        struct sockaddr_storage ss;
        socklen_t len = addr_to_sockaddr(&to->addr[i], &ss);
        int fd = socket_for(pipe, to->addr[i].family);
        if (fd >= 0)
            sendto(fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&ss, len);
    }
    to->told = seq;
}

void client_receipts_send(struct weft_pipe *pipe)
{
    pipe->in.receipted_at = client_pipe_now();
    for (struct sender *s = pipe->in.senders; s; s = s->next)
        if (s->receipt && s->due > s->receipt->told)
            send_one(pipe, s->receipt, s->due);
}

void client_receipts_soon(struct weft_pipe *pipe)
{
    if (client_pipe_now() - pipe->in.receipted_at >= RECEIPT_EVERY)
        client_receipts_send(pipe);
}

void client_receipts_fini(struct weft_pipe *pipe)
{
    for (int i = 0; i < 2; i++)
        if (pipe->in.receipts[i] >= 0)
            close(pipe->in.receipts[i]);
}
