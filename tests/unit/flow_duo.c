/* See flow_duo.h. */
#include "flow_duo.h"

#include "bulk_thread.h"
#include "packet.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the two cores */

static struct end *end_of(struct duplex *d)
{
    struct duo *duo = d->owner;
    return &duo->end[d->calling ? CALLER : CALLEE];
}

static void on_done(struct duplex *d)
{
    struct duo *duo = d->owner;
    struct end *e = end_of(d);
    assert_false(e->done);
    e->done = true;
    if (duo->on_done)
        duo->on_done(duo);
}

static void on_ready(struct duplex *d)
{
    struct duo *duo = d->owner;
    duo->end[CALLEE].d.reception = d->reception;
    if (duo->on_ready)
        duo->on_ready(duo);
    else
        bulk_duplex_start(duo->end[CALLEE].bulk, &duo->end[CALLEE].d);
}

static void on_connected(struct duplex *d)
{
    struct duo *duo = d->owner;
    struct end *caller = &duo->end[CALLER], *callee = &duo->end[CALLEE];
    if (duo->on_answer)
        duo->on_answer(duo);
    bulk_duplex_confirm(caller->bulk, &caller->d, &callee->d.answer, caller->pass);
    bulk_duplex_go(callee->bulk, &callee->d, callee->pass);
    for (int i = 0; i < 2; i++)
        duo->end[i].pass[0] = duo->end[i].pass[1] = -1;
    duo->joined = true;
}

bool duo_is_over(const struct pair *p)
{
    const struct duo *duo = (const struct duo *)(const void *)p;
    return duo->end[CALLER].done && duo->end[CALLEE].done;
}

/* ---- life */

static void pipes_for(struct end *e)
{
    int in[2], out[2];
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    e->pass[0] = in[0];
    e->feed = in[1];
    e->drain = out[0];
    e->pass[1] = out[1];
}

void duo_make(struct duo *duo)
{
    pair_make(&duo->pair, &(struct pair_options){.deadline_s = 5});
    for (int i = 0; i < 2; i++) {
        struct end *e = &duo->end[i];
        pipes_for(e);
        e->bulk = i == CALLER ? duo->pair.receiver : duo->pair.sender;
        e->d = (struct duplex){.peer = i == CALLER ? duo->pair.sender_id : duo->pair.receiver_id,
                               .calling = i == CALLER,
                               .listen = true,
                               .owner = duo,
                               .ready = on_ready,
                               .connected = on_connected,
                               .done = on_done};
    }
}

int duo_setup(void **state)
{
    struct duo *duo = calloc(1, sizeof *duo);
    assert_non_null(duo);
    duo_make(duo);
    *state = duo;
    return 0;
}

void shut(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void duo_break(struct duo *duo)
{
    pair_free(&duo->pair);
    for (int i = 0; i < 2; i++) {
        packet_close(duo->end[i].pass);
        shut(&duo->end[i].feed);
        shut(&duo->end[i].drain);
    }
}

int duo_teardown(void **state)
{
    duo_break(*state);
    free(*state);
    return 0;
}

void duo_start(struct duo *duo)
{
    duo->joined = false;
    bulk_duplex_start(duo->end[CALLER].bulk, &duo->end[CALLER].d);
}

bool duo_is_joined(const struct pair *p)
{
    const struct duo *duo = (const struct duo *)(const void *)p;
    return duo->joined || duo->end[CALLER].done;
}

void duo_join(struct duo *duo)
{
    duo_start(duo);
    pair_until(&duo->pair, duo_is_joined);
    assert_int_equal(duo->end[CALLER].d.fault.code, 0);
}

void duo_finish(struct duo *duo)
{
    pair_until(&duo->pair, duo_is_over);
}

void assert_fault(const struct end *e, int code)
{
    if ((int)e->d.fault.code != code)
        fail_msg("%s: %s, not %s", err_name((int)e->d.fault.code), e->d.fault.text, err_name(code));
}

void assert_moved(const struct end *e, uint64_t in, uint64_t out)
{
    assert_int_equal(e->d.bytes_in, in);
    assert_int_equal(e->d.bytes_out, out);
}

void put_text(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

void expect_text(int fd, const char *text)
{
    char buf[256];
    size_t n = 0, want = strlen(text);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (n < want && poll(&p, 1, 20000) == 1) {
        ssize_t got = read(fd, buf + n, want - n);
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    assert_int_equal(n, want);
    assert_memory_equal(buf, text, want);
}

void expect_end(int fd)
{
    char byte;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 20000), 1);
    assert_int_equal(read(fd, &byte, 1), 0);
}

/* ---- streams that last */

void duo_last(struct duo *duo)
{
    for (int i = 0; i < 2; i++) {
        duo->end[i].d.lasting = true;
        memset(&duo->end[i].d.stream, 'a' + i, sizeof duo->end[i].d.stream);
    }
}

void duo_again(struct duo *duo)
{
    for (int i = 0; i < 2; i++) {
        struct end *e = &duo->end[i];
        e->d.again = true;
        e->d.parked = false;
        e->d.fault = (struct fault){0};
        e->done = false;
    }
    duo_start(duo);
}

void duo_rejoin(struct duo *duo)
{
    duo_again(duo);
    pair_until(&duo->pair, duo_is_joined);
    assert_int_equal(duo->end[CALLER].d.fault.code, 0);
}

/* ---- load */

static uint8_t byte_at(uint64_t i)
{
    uint64_t x = (i >> 3) * 0x9e3779b97f4a7c15ull;
    return (uint8_t)((x ^ x >> 29) >> 8 * (i & 7));
}

static void *feeding(void *arg)
{
    struct load *l = arg;
    uint8_t buf[65536];
    while (l->done < l->bytes) {
        size_t n = l->piece < l->bytes - l->done ? l->piece : (size_t)(l->bytes - l->done);
        for (size_t i = 0; i < n; i++)
            buf[i] = byte_at(l->done + i);
        ssize_t put = write(*l->fd, buf, n);
        if (put <= 0)
            break;
        l->done += (uint64_t)put;
    }
    shut(l->fd);
    return NULL;
}

static void *draining(void *arg)
{
    struct load *l = arg;
    uint8_t buf[65536];
    ssize_t n;
    while ((n = read(*l->fd, buf, l->piece)) > 0)
        for (ssize_t i = 0; i < n; i++)
            l->wrong |= buf[i] != byte_at(l->done++);
    return NULL;
}

void load_feed(struct load *l, int *fd, uint64_t bytes, size_t piece)
{
    *l = (struct load){.fd = fd, .bytes = bytes, .piece = piece};
    assert_int_equal(bulk_thread(&l->thread, feeding, l), 0);
}

void load_drain(struct load *l, int *fd, size_t piece)
{
    *l = (struct load){.fd = fd, .piece = piece};
    assert_int_equal(bulk_thread(&l->thread, draining, l), 0);
}

void load_join(struct load *l)
{
    pthread_join(l->thread, NULL);
}
