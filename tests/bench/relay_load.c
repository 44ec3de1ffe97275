/* Load for tests/bench/relay: many clients of one relay in one process, and verbs that are timed without starting a program.
 *
 *   relay_load ids COUNT                       prints the node ids of the clients, in order
 *   relay_load clients ENDPOINT RELAY COUNT    so many clients, each with a share offered at the relay; prints "reserved N" as
 *                                              it grows. A line "SESSIONS" on stdin: so many of them list the share of the next
 *                                              one, through the relay, once a second from then on; prints "sessions N failed M"
 *   relay_load call HOME COUNT PAUSE_MS VERB TARGET     calls a verb of a running node; prints microseconds, a line each
 *   relay_load echo ADDRESS PORT               sends every datagram back
 *   relay_load rtt ADDRESS PORT COUNT          to there and back, in microseconds, a line each
 *
 * The clients are the shipped core, each behind a port of this program's: time, one DEALER for each connection, and a database
 * that forgets. They dial out and cannot be dialled. */
#include "core.h"
#include "job.h"
#include "session.h"
#include "socket.h"
#include "weft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#define LINKS_OF_CLIENT 8
#define CALLS_EVERY SECOND

static uint64_t now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "relay_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void identity_of(unsigned number, struct identity *out)
{
    uint8_t seed[SEED_BYTES];
    char name[32];
    int n = snprintf(name, sizeof name, "relay load %u", number);
    crypto_generichash(seed, sizeof seed, (const unsigned char *)name, (unsigned long long)n, NULL, 0);
    identity_from_seed(seed, out);
}

/* ---- clients */

struct load;

struct connection {
    struct client *client;
    link_no no;
    void *socket; /* NULL: free */
    bool touched;
};

struct client {
    struct load *load;
    unsigned number;
    struct identity identity;
    struct port port;
    struct core *core;
    struct connection connection[LINKS_OF_CLIENT];
    struct timer again;
};

struct load {
    void *context;
    int epoll;
    struct timers timers;
    struct client *client;
    unsigned count, reserved, answered, failed;
    struct job *jobs[4096]; /* that come back in the next turn */
    size_t job_count;
    struct connection *touched[4096]; /* sent to: their descriptors may be quiet though there is something to be read */
    size_t touched_count;
    struct log log;
};

static uint64_t port_now(void *self)
{
    (void)self;
    return now();
}

static void port_random(void *self, void *buf, size_t n)
{
    (void)self;
    randombytes_buf(buf, n);
}

static void port_timer_set(void *self, struct timer *t, uint64_t at)
{
    timers_set(&((struct client *)self)->load->timers, t, at);
}

static void port_timer_cancel(void *self, struct timer *t)
{
    timers_cancel(&((struct client *)self)->load->timers, t);
}

static void port_datagram(void *self, const struct addr *to, const void *bytes, size_t n)
{
    (void)self, (void)to, (void)bytes, (void)n;
}

static struct connection *connection_of(struct client *c, link_no no)
{
    for (size_t i = 0; i < LINKS_OF_CLIENT; i++)
        if (c->connection[i].socket && c->connection[i].no == no)
            return &c->connection[i];
    return NULL;
}

static int port_dial(void *self, link_no link, const struct node_id *peer, const char *endpoint)
{
    struct client *c = self;
    size_t i = 0;
    while (i < LINKS_OF_CLIENT && c->connection[i].socket)
        i++;
    if (i == LINKS_OF_CLIENT)
        return ERR_FULL;
    void *socket = socket_open(c->load->context, ZMQ_DEALER);
    int fd = -1;
    size_t size = sizeof fd;
    if (!socket || socket_keys(socket, &c->identity, peer) != 0 || zmq_connect(socket, endpoint) != 0 ||
        zmq_getsockopt(socket, ZMQ_FD, &fd, &size) != 0)
        die("dial");
    c->connection[i] = (struct connection){.client = c, .no = link, .socket = socket};
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = &c->connection[i]};
    if (epoll_ctl(c->load->epoll, EPOLL_CTL_ADD, fd, &e) != 0)
        die("epoll");
    return 0;
}

static int port_send(void *self, link_no link, const void *bytes, size_t n)
{
    struct connection *k = connection_of(self, link);
    struct load *load = ((struct client *)self)->load;
    if (!k)
        return ERR_UNREACHABLE;
    if (!k->touched && load->touched_count < sizeof load->touched / sizeof load->touched[0])
        load->touched[load->touched_count++] = k;
    k->touched = true;
    return zmq_send(k->socket, bytes, n, ZMQ_DONTWAIT) >= 0 ? 0 : ERR_FULL;
}

static void port_hangup(void *self, link_no link)
{
    struct connection *k = connection_of(self, link);
    if (k) {
        zmq_close(k->socket);
        k->socket = NULL;
    }
}

static void port_job(void *self, struct job *job)
{
    struct load *load = ((struct client *)self)->load;
    if (load->job_count == sizeof load->jobs / sizeof load->jobs[0])
        die("too many jobs");
    load->jobs[load->job_count++] = job;
}

static void jobs_run(struct load *load)
{
    while (load->job_count > 0) {
        struct job *job = load->jobs[--load->job_count];
        if (job->kind == JOB_LIST) {
            struct tree_page *page = &((struct list_job *)job)->page;
            memcpy(page->names, "file", 4);
            page->names_len = 4;
            page->entry[page->count++] =
                (struct entry){.kind = ENTRY_FILE, .mode = 0644, .name = page->names, .name_len = 4, .target = ""};
        }
        job->done(job);
    }
}

static void call_again(void *arg);

static void port_reply(void *self, uint64_t client, const struct row *row)
{
    struct client *c = self;
    bool failed = strcmp(row_kind(row), "error") == 0;
    if (client != 1 || (!failed && strcmp(row_kind(row), "done") != 0))
        return;
    c->load->answered++;
    c->load->failed += failed;
    if (failed)
        fprintf(stderr, "client %u: %s\n", c->number, row_get_text(row, "text", "?"));
    timers_set(&c->load->timers, &c->again, now() + CALLS_EVERY);
}

static size_t port_unread(void *self, uint64_t client)
{
    (void)self, (void)client;
    return 0;
}

static size_t port_endpoints(void *self, struct endpoint *out, size_t max)
{
    (void)self, (void)out, (void)max;
    return 0;
}

static bool port_in_scope(void *self, uint64_t scope)
{
    (void)self;
    return scope == 0;
}

static void port_nothing(void *self)
{
    (void)self;
}

static void client_start(struct load *load, unsigned number, const struct seed *relay)
{
    struct client *c = &load->client[number];
    c->load = load;
    c->number = number;
    identity_of(number, &c->identity);
    timer_init(&c->again, call_again, c);
    c->port = (struct port){.self = c,
                            .log = &load->log,
                            .now = port_now,
                            .random = port_random,
                            .timer_set = port_timer_set,
                            .timer_cancel = port_timer_cancel,
                            .datagram = port_datagram,
                            .dial = port_dial,
                            .send = port_send,
                            .hangup = port_hangup,
                            .job = port_job,
                            .reply = port_reply,
                            .unread = port_unread,
                            .stop = port_nothing,
                            .endpoints = port_endpoints,
                            .in_scope = port_in_scope};
    struct core_config config = {.identity = &c->identity, .incarnation = (uint64_t)time(NULL), .no_beacon = true};
    snprintf(config.name, sizeof config.name, "load%u", number);
    if (core_new(&config, &c->port, &c->core) != 0)
        die("core_new");
    struct peer_row peer = {.id = relay->id, .name = "relay", .trust = TRUST_TRUSTED};
    core_load_peer(c->core, &peer);
    struct identity next;
    identity_of((number + 1) % load->count, &next);
    struct peer_row other = {.id = next.id, .trust = TRUST_TRUSTED};
    core_load_peer(c->core, &other);
    struct share_row share = {
        .name = "things", .path = "/nowhere", .kind = RESOURCE_DIR, .is_public = true, .via_count = 1, .via = {relay->id}};
    core_load_share(c->core, &share);
    core_add_seed(c->core, relay);
    core_start(c->core);
}

static void call_again(void *arg)
{
    struct client *c = arg;
    struct identity next;
    struct row *row = row_new("ls");
    char target[NODE_ID_TEXT + 16];
    identity_of((c->number + 1) % c->load->count, &next);
    snprintf(target, sizeof target, "%s:things", id_text(&next.id).s);
    row_text(row, "target", target);
    core_request(c->core, 1, row);
    row_free(row);
}

static void receive(struct connection *k)
{
    static uint8_t buf[MSG_BYTES_MAX];
    while (k->socket) {
        int n = zmq_recv(k->socket, buf, sizeof buf, ZMQ_DONTWAIT);
        if (n < 0)
            return;
        core_message(k->client->core, k->no, buf, (size_t)n);
    }
}

/* How many of them have their reservation. */
static void tell_reserved(struct load *load)
{
    unsigned reserved = 0;
    struct endpoint relay;
    for (unsigned i = 0; i < load->count; i++)
        reserved += reservations_endpoints(load->client[i].core, &relay, 1) > 0;
    if (reserved != load->reserved)
        printf("reserved %u\n", reserved);
    load->reserved = reserved;
}

static void take_order(struct load *load)
{
    char line[64];
    ssize_t n = read(STDIN_FILENO, line, sizeof line - 1);
    if (n <= 0)
        exit(0);
    line[n] = '\0';
    unsigned sessions = (unsigned)strtoul(line, NULL, 10);
    for (unsigned i = 0; i < sessions && i < load->count; i++)
        timers_set(&load->timers, &load->client[i].again, now() + i * (CALLS_EVERY / sessions));
    load->answered = load->failed = 0;
}

static void clients_run(struct load *load)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL}, events[256];
    uint64_t told = 0;
    if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, STDIN_FILENO, &e) != 0)
        die("epoll");
    for (;;) {
        uint64_t next = timers_next(&load->timers), at = now();
        int wait = next <= at ? 0 : next - at > 100 * MILLISECOND ? 100 : (int)((next - at) / MILLISECOND) + 1;
        int n = epoll_wait(load->epoll, events, 256, wait);
        for (int i = 0; i < n; i++)
            if (events[i].data.ptr)
                receive(events[i].data.ptr);
            else
                take_order(load);
        timers_run(&load->timers, now());
        jobs_run(load);
        while (load->touched_count > 0) {
            struct connection *k = load->touched[--load->touched_count];
            k->touched = false;
            receive(k);
        }
        if (now() - told > SECOND / 4) {
            told = now();
            tell_reserved(load);
            if (load->answered > 0)
                printf("sessions %u failed %u\n", load->answered, load->failed);
            fflush(stdout);
        }
    }
}

static void clients(const char *endpoint, const char *relay, unsigned count)
{
    static struct load load;
    struct seed seed = {.id_known = true};
    struct rlimit files = {.rlim_cur = 65536, .rlim_max = 65536};
    setrlimit(RLIMIT_NOFILE, &files);
    snprintf(seed.endpoint, sizeof seed.endpoint, "%s", endpoint);
    if (id_parse(relay, &seed.id) != 0)
        die(relay);
    load.context = socket_context((int)count * 2 + 64);
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    load.client = calloc(count, sizeof *load.client);
    load.count = count;
    timers_init(&load.timers);
    if (!load.context || load.epoll < 0 || !load.client)
        die("start");
    for (unsigned i = 0; i < count; i++)
        client_start(&load, i, &seed);
    clients_run(&load);
}

/* ---- timed calls */

static void on_row(void *arg, const struct weft_row *row)
{
    (void)arg, (void)row;
}

static void timed_calls(const char *home, unsigned count, unsigned pause_ms, const char *verb, const char *target)
{
    struct weft_error error;
    struct weft *w = weft_open(home, &error);
    if (!w)
        die(error.text);
    for (unsigned i = 0; i < count; i++) {
        struct weft_row *row = weft_row_new(verb);
        weft_row_set_text(row, strcmp(verb, "ping") == 0 ? "peer" : "target", target);
        uint64_t from = now();
        int err = weft_call(w, row, on_row, NULL, &error);
        if (err) {
            fprintf(stderr, "relay_load: %s %s: %s\n", verb, target, error.text);
            exit(1);
        }
        printf("%llu\n", (unsigned long long)((now() - from) / 1000));
        weft_row_free(row);
        poll(NULL, 0, (int)pause_ms);
    }
    weft_close(w);
}

/* ---- the bare network */

static int udp(const char *address, const char *port, struct sockaddr_in *at)
{
    *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || inet_pton(AF_INET, address, &at->sin_addr) != 1)
        die(address);
    return fd;
}

static void echo(const char *address, const char *port)
{
    struct sockaddr_in at, from;
    char buf[64];
    int fd = udp(address, port, &at);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0)
        die("bind");
    puts("ready");
    fflush(stdout);
    for (;;) {
        socklen_t size = sizeof from;
        ssize_t n = recvfrom(fd, buf, sizeof buf, 0, (struct sockaddr *)&from, &size);
        if (n > 0)
            sendto(fd, buf, (size_t)n, 0, (struct sockaddr *)&from, size);
    }
}

static void rtt(const char *address, const char *port, unsigned count)
{
    struct sockaddr_in at;
    char buf[64] = "";
    int fd = udp(address, port, &at);
    for (unsigned i = 0; i < count; i++) {
        uint64_t from = now();
        sendto(fd, buf, sizeof buf, 0, (struct sockaddr *)&at, sizeof at);
        if (recv(fd, buf, sizeof buf, 0) < 0)
            die("recv");
        printf("%llu\n", (unsigned long long)((now() - from) / 1000));
    }
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (sodium_init() < 0)
        die("sodium");
    if (strcmp(what, "ids") == 0 && argc == 3) {
        for (unsigned i = 0; i < strtoul(argv[2], NULL, 10); i++) {
            struct identity identity;
            identity_of(i, &identity);
            puts(id_text(&identity.id).s);
        }
    } else if (strcmp(what, "clients") == 0 && argc == 5) {
        clients(argv[2], argv[3], (unsigned)strtoul(argv[4], NULL, 10));
    } else if (strcmp(what, "call") == 0 && argc == 7) {
        timed_calls(argv[2], (unsigned)strtoul(argv[3], NULL, 10), (unsigned)strtoul(argv[4], NULL, 10), argv[5], argv[6]);
    } else if (strcmp(what, "echo") == 0 && argc == 4) {
        echo(argv[2], argv[3]);
    } else if (strcmp(what, "rtt") == 0 && argc == 5) {
        rtt(argv[2], argv[3], (unsigned)strtoul(argv[4], NULL, 10));
    } else {
        fprintf(stderr, "relay_load: see the top of its source\n");
        return 2;
    }
    return 0;
}
