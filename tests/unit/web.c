#include "web.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define VISITS 256
#define HEAD_BYTES 4096

struct visit {
    struct web *web;
    pthread_t thread;
    int fd;
    char path[64];
};

struct web {
    pthread_mutex_t lock;
    pthread_t thread;
    int listener;
    unsigned port, visits;
    struct visit visit[VISITS];
    char head[HEAD_BYTES];
};

static bool say(int fd, const char *text)
{
    size_t n = strlen(text);
    return send(fd, text, n, MSG_NOSIGNAL) == (ssize_t)n;
}

static void wait_for_end(int fd)
{
    char byte;
    while (recv(fd, &byte, 1, 0) > 0)
        ;
}

/* Answers of one text; what comes after them is nothing. */
static const char *const answers[][2] = {
    {"/ok", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"},
    {"/empty", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
    {"/until-close", "HTTP/1.0 200 OK\r\n\r\nhello"},
    {"/chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nA: b\r\n\r\n"},
    {"/continue", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"},
    {"/404", "HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\nsecret"},
    {"/500", "HTTP/1.1 500 Oh\r\nContent-Length: 6\r\n\r\nsecret"},
    {"/302", "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 6\r\n\r\nsecret"},
    {"/302-file", "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n"},
    {"/short", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello"},
    {"/broken-chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n"},
    {"/garbage", "\x01\x02 this is no HTTP\r\n\r\n\r\n"},
    {"/nothing", ""},
};

static void answer(const struct visit *v)
{
    static char block[65536];
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
        if (strcmp(v->path, answers[i][0]) == 0)
            say(v->fd, answers[i][1]);
    if (strcmp(v->path, "/endless") == 0 && say(v->fd, "HTTP/1.0 200 OK\r\n\r\n"))
        while (send(v->fd, block, sizeof block, MSG_NOSIGNAL) > 0)
            ;
    if (strcmp(v->path, "/endless-head") == 0 && say(v->fd, "HTTP/1.1 200 OK\r\n"))
        while (say(v->fd, "A: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n"))
            ;
    if (strcmp(v->path, "/stall") == 0 && say(v->fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello"))
        wait_for_end(v->fd);
    if (strcmp(v->path, "/hang") == 0)
        wait_for_end(v->fd);
}

static void *serve(void *arg)
{
    struct visit *v = arg;
    struct web *web = v->web;
    char head[HEAD_BYTES] = "";
    size_t n = 0;
    ssize_t got = 1;
    while (got > 0 && n < sizeof head - 1 && !strstr(head, "\r\n\r\n")) {
        got = recv(v->fd, head + n, sizeof head - 1 - n, 0);
        n += got > 0 ? (size_t)got : 0;
        head[n] = '\0';
    }
    pthread_mutex_lock(&web->lock);
    strcpy(web->head, head);
    if (sscanf(head, "GET %63s", v->path) != 1)
        v->path[0] = '\0';
    pthread_mutex_unlock(&web->lock);
    answer(v);
    shutdown(v->fd, SHUT_RDWR);
    return NULL;
}

static void *run(void *arg)
{
    struct web *web = arg;
    for (;;) {
        int fd = accept(web->listener, NULL, NULL);
        if (fd < 0 && (errno == EMFILE || errno == ECONNABORTED)) { /* a test may leave us none for a while */
            poll(NULL, 0, 1);
            continue;
        }
        if (fd < 0)
            return NULL;
        pthread_mutex_lock(&web->lock);
        assert_true(web->visits < VISITS);
        struct visit *v = &web->visit[web->visits++];
        *v = (struct visit){.web = web, .fd = fd};
        assert_int_equal(pthread_create(&v->thread, NULL, serve, v), 0);
        pthread_mutex_unlock(&web->lock);
    }
}

struct web *web_new(void)
{
    struct web *web = calloc(1, sizeof *web);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof address;
    pthread_mutex_init(&web->lock, NULL);
    web->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(web->listener, (struct sockaddr *)&address, n), 0);
    assert_int_equal(listen(web->listener, 64), 0);
    assert_int_equal(getsockname(web->listener, (struct sockaddr *)&address, &n), 0);
    web->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&web->thread, NULL, run, web), 0);
    return web;
}

void web_free(struct web *web)
{
    shutdown(web->listener, SHUT_RDWR);
    pthread_join(web->thread, NULL);
    close(web->listener);
    for (unsigned i = 0; i < web->visits; i++) {
        shutdown(web->visit[i].fd, SHUT_RDWR);
        pthread_join(web->visit[i].thread, NULL);
        close(web->visit[i].fd);
    }
    pthread_mutex_destroy(&web->lock);
    free(web);
}

unsigned web_port(const struct web *web)
{
    return web->port;
}

unsigned web_asked(struct web *web, const char *path)
{
    unsigned count = 0;
    pthread_mutex_lock(&web->lock);
    for (unsigned i = 0; i < web->visits; i++)
        count += strcmp(web->visit[i].path, path) == 0;
    pthread_mutex_unlock(&web->lock);
    return count;
}

void web_last(struct web *web, char *out, unsigned cap)
{
    pthread_mutex_lock(&web->lock);
    snprintf(out, cap, "%s", web->head);
    pthread_mutex_unlock(&web->lock);
}
