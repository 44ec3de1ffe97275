/* Load for tests/bench/pipes: programs that hold, fill and empty pipes, and the same job done by bare ZeroMQ sockets.
 *
 *   pipe_load hold HOME COUNT PREFIX          binds COUNT pipes PREFIX0, PREFIX1, ... and prints "bound"
 *   pipe_load send HOME PIPE COUNT SIZE RATE  sends COUNT numbered messages, RATE a second (0: as fast as it goes)
 *   pipe_load spread HOME PIPE COUNT          the same, 64 bytes each, through a propagate pipe
 *   pipe_load receive HOME PIPE LOG shared|owned|propagate RANK   logs what it receives until it is killed
 *   pipe_load bare-receive ENDPOINT COUNT     a CURVE ROUTER; prints its endpoint and its key, then how long it took
 *   pipe_load bare-send ENDPOINT KEY COUNT SIZE  a CURVE DEALER
 *
 * A message begins with its number (8 bytes). A log is shared memory: what was written survives a kill of the program. It
 * holds, for each message in the order of receipt, its number and the time (CLOCK_MONOTONIC, ns). */
#include "weft.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#define LOG_ENTRIES (8u << 20)
#define KEY_TEXT 41
#define MESSAGE_MAX 49152

struct entry {
    uint64_t number, at;
};

struct log_file {
    _Atomic uint64_t count;
    struct entry entry[LOG_ENTRIES];
};

static uint64_t now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void die(const char *what, const struct weft_error *error)
{
    fprintf(stderr, "pipe_load: %s: %s\n", what, error ? error->text : strerror(errno));
    exit(1);
}

static struct log_file *log_open(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || ftruncate(fd, sizeof(struct log_file)) != 0)
        die(path, NULL);
    void *map = mmap(NULL, sizeof(struct log_file), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        die(path, NULL);
    close(fd);
    return map;
}

static void log_add(struct log_file *log, const void *message, size_t n)
{
    uint64_t at = atomic_load(&log->count);
    if (n < sizeof(uint64_t) || at == LOG_ENTRIES)
        return;
    memcpy(&log->entry[at].number, message, sizeof(uint64_t));
    log->entry[at].at = now();
    atomic_store(&log->count, at + 1);
}

/* ---- weft */

static void hold(const char *home, unsigned long count, const char *prefix)
{
    struct weft_error error;
    const struct weft_pipe_options options = {.is_public = true};
    for (unsigned long i = 0; i < count; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s%lu", prefix, i);
        if (!weft_pipe_listen(home, name, &options, &error))
            die(name, &error);
    }
    puts("bound");
    fflush(stdout);
    pause();
}

/* Waits until message `i` is due at `rate` a second. */
static void pace(uint64_t start, uint64_t i, uint64_t rate, struct weft_pipe *pipe)
{
    uint64_t due = start + i * 1000000000u / rate, t = now();
    if (t >= due)
        return;
    weft_pipe_flush(pipe, NULL);
    const struct timespec wait = {.tv_nsec = (long)(due - t)};
    ppoll(NULL, 0, &wait, NULL);
}

struct load {
    uint64_t count, rate;
    size_t size;
    bool propagate;
};

static void send_all(const char *home, const char *name, const struct load *load)
{
    struct weft_error error;
    const struct weft_pipe_options options = {.wait_ms = 10000, .propagate = load->propagate};
    static uint8_t message[MESSAGE_MAX];
    struct weft_pipe *pipe = weft_pipe_open(home, name, &options, &error);
    if (!pipe)
        die(name, &error);
    uint64_t start = now();
    for (uint64_t i = 0; i < load->count; i++) {
        if (load->rate)
            pace(start, i, load->rate, pipe);
        memcpy(message, &i, sizeof i);
        if (weft_pipe_send(pipe, message, load->size, -1, &error) != 0)
            die("send", &error);
    }
    if (weft_pipe_finish(pipe, &error) != 0)
        die("finish", &error);
    printf("%.6f\n", (double)(now() - start) / 1e9);
    weft_pipe_close(pipe);
}

static void receive_all(const char *home, const char *name, const char *path, const char *kind, int rank)
{
    struct weft_error error;
    struct weft_event event;
    const struct weft_pipe_options options = {
        .shared = kind[0] == 's', .propagate = kind[0] == 'p', .is_public = true, .rank = rank};
    struct log_file *log = log_open(path);
    struct weft_pipe *pipe = weft_pipe_listen(home, name, &options, &error);
    if (!pipe)
        die(name, &error);
    puts("bound");
    fflush(stdout);
    while (weft_pipe_receive(pipe, &event, -1, &error) == 0)
        if (event.kind == WEFT_PIPE_MESSAGE)
            log_add(log, event.bytes, event.n);
    die("receive", &error);
}

/* ---- bare ZeroMQ */

static void *curve_socket(void *context, int type, const char *server_key)
{
    char public_key[KEY_TEXT], secret_key[KEY_TEXT];
    void *socket = zmq_socket(context, type);
    if (zmq_curve_keypair(public_key, secret_key) != 0)
        die("keys", NULL);
    if (server_key) {
        zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server_key, KEY_TEXT);
        zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, public_key, KEY_TEXT);
    } else {
        const int yes = 1;
        zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &yes, sizeof yes);
        printf("%s\n", public_key);
    }
    zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret_key, KEY_TEXT);
    return socket;
}

/* Answers the last message, so that the sender knows that all has arrived. */
static void bare_receive(const char *endpoint, uint64_t count)
{
    static char bytes[MESSAGE_MAX];
    char bound[256];
    size_t n = sizeof bound;
    uint8_t peer[256];
    int peer_n = 0;
    void *context = zmq_ctx_new(), *socket = curve_socket(context, ZMQ_ROUTER, NULL);
    if (zmq_bind(socket, endpoint) != 0 || zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, bound, &n) != 0)
        die(endpoint, NULL);
    printf("%s\n", bound);
    fflush(stdout);
    for (uint64_t i = 0; i < count; i++) {
        peer_n = zmq_recv(socket, peer, sizeof peer, 0);
        zmq_recv(socket, bytes, sizeof bytes, 0);
    }
    zmq_send(socket, peer, (size_t)peer_n, ZMQ_SNDMORE);
    zmq_send(socket, "", 0, 0);
    zmq_close(socket);
    zmq_ctx_term(context);
}

static void bare_send(const char *endpoint, const char *key, uint64_t count, size_t size)
{
    static uint8_t message[MESSAGE_MAX];
    void *context = zmq_ctx_new(), *socket = curve_socket(context, ZMQ_DEALER, key);
    if (zmq_connect(socket, endpoint) != 0)
        die(endpoint, NULL);
    uint64_t start = now();
    for (uint64_t i = 0; i < count; i++) {
        memcpy(message, &i, sizeof i);
        zmq_send(socket, message, size, 0);
    }
    zmq_recv(socket, message, sizeof message, 0);
    printf("%.6f\n", (double)(now() - start) / 1e9);
    zmq_close(socket);
    zmq_ctx_term(context);
}

static uint64_t number(const char *text)
{
    return strtoull(text, NULL, 10);
}

int main(int argc, char **argv)
{
    const char *job = argc > 1 ? argv[1] : "";
    if (argc == 5 && strcmp(job, "hold") == 0)
        hold(argv[2], number(argv[3]), argv[4]);
    else if (argc == 7 && strcmp(job, "send") == 0)
        send_all(argv[2], argv[3], &(struct load){.count = number(argv[4]), .size = number(argv[5]), .rate = number(argv[6])});
    else if (argc == 5 && strcmp(job, "spread") == 0)
        send_all(argv[2], argv[3], &(struct load){.count = number(argv[4]), .size = 64, .rate = 100, .propagate = true});
    else if (argc == 7 && strcmp(job, "receive") == 0)
        receive_all(argv[2], argv[3], argv[4], argv[5], (int)number(argv[6]));
    else if (argc == 4 && strcmp(job, "bare-receive") == 0)
        bare_receive(argv[2], number(argv[3]));
    else if (argc == 6 && strcmp(job, "bare-send") == 0)
        bare_send(argv[2], argv[3], number(argv[4]), number(argv[5]));
    else
        return fprintf(stderr, "usage: see the head of pipe_load.c\n"), 2;
    return 0;
}
