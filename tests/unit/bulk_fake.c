/* Playing the other side by hand. */
#include "bulk_dial.h"
#include "bulk_list.h"
#include "bulk_pair.h"
#include "bulk_thread.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

static bool no_claim(void *connection, const uint8_t identity[TLS_IDENTITY_BYTES], uint8_t psk[TLS_PSK_BYTES])
{
    (void)connection;
    (void)identity;
    (void)psk;
    return false;
}

void fake_dial(struct stream *s, const struct reception_info *info, const struct addr *addr, const struct pair *p)
{
    fake_dial_index(s, 0, info, addr, p);
}

void fake_dial_index(struct stream *s, uint8_t index, const struct reception_info *info, const struct addr *addr,
                     const struct pair *p)
{
    struct tls *tls;
    struct tls_secret secret;
    struct tls_link *link;
    struct fault fault = {0};
    unsigned won;

    signal(SIGPIPE, SIG_IGN); /* as in the threads of the bulk plane: a closed socket is an error */
    assert_int_equal(tls_new(no_claim, &tls, &fault), 0);
    assert_int_equal(tls_derive(info, &p->receiver_id, &p->sender_id, index, &secret), 0);
    struct dial d = {
        .tls = tls, .secret = &secret, .addr = addr, .addrs = 1, .deadline = now_ns() + 10 * SECOND, .stop_fd = -1};
    assert_int_equal(dial_race(&d, &link, &won, &fault), 0);
    assert_int_equal(stream_init(s, link, 20, &fault), 0);
    tls_free(tls);
}

void fake_put(struct stream *s, const uint8_t *frame, size_t n)
{
    uint8_t *b = stream_room(s, n);
    assert_non_null(b);
    memcpy(b, frame, n);
    stream_put(s, n);
}

void fake_list(struct stream *s, const struct list_entry *e, unsigned n)
{
    uint8_t *frame = malloc(FRAME_HEAD + LIST_BYTES_MAX), end_frame[FRAME_HEAD + LIST_END_BYTES];
    struct list_writer w;
    struct list_hash hash;
    struct list_end end = {.count = n};

    assert_non_null(frame);
    assert_int_equal(list_hash_init(&hash), 0);
    list_begin(&w, frame);
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(list_add(&w, &e[i]), 0);
        end.bytes += e[i].entry.kind == ENTRY_FILE && e[i].status == ITEM_OK ? e[i].entry.size : 0;
    }
    size_t len = list_end(&w);
    list_hash_add(&hash, frame + FRAME_HEAD, len - FRAME_HEAD);
    fake_put(s, frame, len);
    end.hash = list_hash_end(&hash);
    fake_put(s, end_frame, list_end_encode(end_frame, &end));
    assert_int_equal(stream_flush(s), 0);
    list_hash_fini(&hash);
    free(frame);
}

void fake_drain(struct stream *s)
{
    struct frame_head head;

    stream_flush(s);
    while (stream_next(s, &head) == 0 && stream_body(s, &head) != NULL && head.type != FRAME_STOP)
        ;
}
