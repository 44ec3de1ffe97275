/* A node's life: built in the thread that starts it, run and torn down on one of its own. See node.h and weft.h.
 *
 * Order is all there is to this file: what is built later uses what was built before, and teardown goes the other way. First go
 * the threads that post to the loop, then the core, then what the core calls; the lock of the home is let go last but for the
 * connections of clients, who may wait for just that. */
#include "node.h"

#include "bases.h"
#include "client.h"
#include "seeds.h"

#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <zmq.h>

#define STOP_PATIENCE (3 * SECOND)
#define STOP_LOOK (10 * MILLISECOND)
#define FILES_SOFT 65536
#define WORKERS 2
#define COMPARERS 2 /* puts of this node's own clients that go on though peers have all that is theirs in work */
#define BUILDERS (GATHERS_MAX + INDEXES_MAX + COMPARERS)

/* ---- stopping */

/* Is what ran over, and read by those who wait for it? */
static void look_whether_done(void *arg)
{
    struct weft_node *node = arg;
    bool done = core_idle(node->core) && !control_waiting(node->control);
    if (done || loop_now() >= node->stop_by)
        loop_stop(node->loop);
    else
        loop_timer_set(node->loop, &node->stop_timer, loop_now() + STOP_LOOK);
}

static void begin_stop(struct weft_node *node)
{
    struct row *row = row_new("stopping");
    if (row)
        node_event(node, row);
    row_free(row);
    core_stop(node->core);
    node->stop_by = loop_now() + STOP_PATIENCE + (node->options.relay ? RELAY_DRAIN : 0);
    loop_timer_set(node->loop, &node->stop_timer, 0);
}

/* Takes down whatever has been built. The loop stays: weft_node_stop may be called until the end. */
static void tear_down(struct weft_node *node)
{
    bridges_free(node->bridges);
    node->bridges = NULL;
    bulk_free(node->bulk);
    node->bulk = NULL; /* the core may still want to cancel what it had there */
    actor_free(node->quiet);
    actor_free(node->builders);
    actor_free(node->workers);
    actor_free(node->store);
    node->store = node->workers = node->builders = node->quiet = NULL; /* nor does it hand over any more jobs */
    if (node->loop) {
        loop_drain(node->loop);
        loop_timer_cancel(node->loop, &node->stop_timer);
        loop_timer_cancel(node->loop, &node->settled);
    }
    core_free(node->core);
    supplies_free(node->supplies);
    for (int i = 0; i < UDP_FDS; i++)
        loop_unwatch(node->udp_watch[i]);
    loop_unwatch(node->control_watch);
    udp_free(node->udp);
    wire_free(node->wire);
    if (node->control)
        control_shut(node->control);
    db_close(node->db);
    home_close(&node->home);
    control_free(node->control);
    identity_wipe(&node->identity);
}

/* ---- the node's thread */

static void tell_ready(struct weft_node *node)
{
    struct row *row = row_new("ready");
    if (!row)
        return;
    row_text(row, "name", node->name);
    row_text(row, "id", id_text(&node->identity.id).s);
    row_data(row, "home", node->home.path, strlen(node->home.path));
    node_row_endpoints(node, row);
    node_event(node, row);
    row_free(row);
}

static void *run(void *arg)
{
    struct weft_node *node = arg;
    core_start(node->core);
    tell_ready(node);
    sem_post(&node->ready);
    loop_run(node->loop); /* until it is asked to stop */
    begin_stop(node);
    loop_run(node->loop); /* until all has ended, patience has, or it is asked again */
    tear_down(node);
    return NULL;
}

static int start_thread(struct weft_node *node, struct fault *fault)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int errnum = pthread_create(&node->thread, NULL, run, node);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (errnum)
        return fault_errno(fault, errnum, "cannot start the node's thread");
    pthread_setname_np(node->thread, "weft-loop");
    while (sem_wait(&node->ready) != 0)
        ;
    return 0;
}

/* ---- building */

static void sink(void *arg, enum log_level level, const char *module, const char *line)
{
    struct weft_node *node = arg;
    node->options.log(node->options.arg, (int)level, module, line);
}

/* libzmq, SQLite and transfers need more files than the usual soft limit allows. */
static void raise_files_limit(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= FILES_SOFT)
        return;
    files.rlim_cur = files.rlim_max < FILES_SOFT ? files.rlim_max : FILES_SOFT;
    setrlimit(RLIMIT_NOFILE, &files);
}

static int copy_options(struct weft_node *node, const struct weft_options *options, struct fault *fault)
{
    size_t n = 0;
    node->options = *options;
    if (node->options.beacon_port == 0)
        node->options.beacon_port = BEACON_PORT;
    node->log = (struct log){.level = (enum log_level)options->log_level, .sink = sink, .arg = node};
    if (!options->log)
        node->log = (struct log){.level = LOG_ERROR};
    while (options->interfaces && options->interfaces[n])
        n++;
    if (n == 0)
        return 0;
    node->interfaces = calloc(n + 1, sizeof *node->interfaces);
    if (!node->interfaces)
        return fault_set(fault, ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        node->interfaces[i] = strdup(options->interfaces[i]);
        if (!node->interfaces[i])
            return fault_set(fault, ERR_NOMEM, "out of memory");
    }
    return 0;
}

static int open_home(struct weft_node *node, struct fault *fault)
{
    char path[HOME_PATH];
    uint8_t seed[SEED_BYTES];
    int err = home_where(node->options.home, path, sizeof path, fault);
    if (!err)
        err = home_open(path, true, &node->home, fault);
    if (!err)
        err = home_lock(&node->home, fault);
    if (!err)
        err = home_seed(&node->home, seed, fault);
    if (err)
        return err;
    identity_from_seed(seed, &node->identity);
    sodium_memzero(seed, sizeof seed);
    err = home_name(&node->home, node->options.name, node->name, fault);
    if (!err && home_file(&node->home, "state.db", path, sizeof path) != 0)
        err = fault_set(fault, ERR_LIMIT, "the path of the home is too long");
    if (!err)
        err = home_folder(&node->home, "bases", node->bases, sizeof node->bases, fault);
    if (!err)
        err = home_folder(&node->home, "spool", node->spool, sizeof node->spool, fault);
    if (!err)
        base_files_sweep(node->spool, NULL, NULL); /* what it held was for requests that are no more */
    return err ? err : db_open(path, &node->db, fault);
}

/* ---- listening */

static int listen_at(struct weft_node *node, const char *endpoint, char bound[ENDPOINT_TEXT], struct fault *fault)
{
    int err = wire_listen(node->wire, endpoint, bound, fault);
    if (!err)
        places_add(&node->places, bound);
    return err;
}

static uint16_t port_of(const char *bound)
{
    struct addr a;
    const char *rest = strstr(bound, "://");
    return rest && addr_parse(rest + 3, &a) == 0 ? a.port : 0;
}

/* The port of last time if it is free, so that remembered addresses stay true; else any. `file` of the home remembers it. */
static int listen_at_port(struct weft_node *node, const char *transport, const char *file, uint16_t *port, struct fault *fault)
{
    char before[8], now[8], endpoint[ENDPOINT_TEXT], bound[ENDPOINT_TEXT];
    int err = home_read(&node->home, file, before, sizeof before);
    snprintf(endpoint, sizeof endpoint, "%s://*:%s", transport, before);
    if (err || strspn(before, "0123456789") != strlen(before) || strlen(before) < 4 ||
        listen_at(node, endpoint, bound, fault) != 0) {
        snprintf(endpoint, sizeof endpoint, "%s://*:*", transport);
        err = listen_at(node, endpoint, bound, fault);
    }
    if (err)
        return err;
    *port = port_of(bound);
    snprintf(now, sizeof now, "%u", *port);
    return strcmp(now, before) == 0 ? 0 : home_write(&node->home, file, now, fault);
}

/* A node without it is still a node: some builds of libzmq have none. */
static void listen_ws(struct weft_node *node)
{
    uint16_t port;
    struct fault fault;
    if (!zmq_has("WS"))
        log_write(&node->log, LOG_INFO, "node", "this libzmq has no WebSockets: this node cannot be reached by them");
    else if (listen_at_port(node, "ws", "ws-port", &port, &fault) != 0)
        log_write(&node->log, LOG_WARN, "node", "%s", fault.text);
}

static void listen_ipc(struct weft_node *node)
{
    char endpoint[ENDPOINT_TEXT], bound[ENDPOINT_TEXT];
    struct fault fault;
    if (places_ipc(node->home.path, endpoint) != 0)
        log_write(&node->log, LOG_INFO, "node", "no folder is fit for an ipc socket: this machine's nodes use tcp");
    else if (listen_at(node, endpoint, bound, &fault) != 0)
        log_write(&node->log, LOG_WARN, "node", "%s", fault.text);
}

static int listen_everywhere(struct weft_node *node, uint16_t *port, struct fault *fault)
{
    *port = 0;
    if (!node->options.listen || !node->options.listen[0]) {
        listen_ipc(node);
        int err = listen_at_port(node, "tcp", "port", port, fault);
        if (!err)
            listen_ws(node);
        return err;
    }
    for (const char *const *endpoint = node->options.listen; *endpoint; endpoint++) {
        char bound[ENDPOINT_TEXT];
        int err = listen_at(node, *endpoint, bound, fault);
        if (err)
            return err;
        if (*port == 0)
            *port = port_of(bound);
    }
    return 0;
}

/* ---- parts */

static int build_network(struct weft_node *node, struct fault *fault)
{
    uint16_t port;
    const struct wire_config wire = {.identity = &node->identity,
                                     .loop = node->loop,
                                     .log = &node->log,
                                     .accepted = node_accepted,
                                     .message = node_message,
                                     .lost = node_link_lost,
                                     .arg = node};
    places_init(&node->places);
    int err = wire_new(&wire, &node->wire, fault);
    if (!err)
        err = listen_everywhere(node, &port, fault);
    if (err)
        return err;
    const struct udp_config udp = {.beacon_port = node->options.beacon_port,
                                   .own_port = port,
                                   .interfaces = (const char *const *)node->interfaces,
                                   .no_beacon = node->options.no_beacon,
                                   .log = &node->log};
    return udp_new(&udp, &node->udp, fault);
}

static int build_workers(struct weft_node *node, struct fault *fault)
{
    const struct actor_config store = {"weft-store", 1, node_store_work, node_job_finished, node};
    const struct actor_config workers = {"weft-work", WORKERS, node_worker_work, node_job_finished, node};
    const struct actor_config builders = {"weft-build", BUILDERS, node_worker_work, node_job_finished, node};
    const struct actor_config quiet = {"weft-quiet", 1, node_quiet_work, node_job_finished, node};
    const struct bulk_config bulk = {.log = &node->log,
                                     .self = node->identity.id,
                                     .spool = node->home.path,
                                     .addresses = node_addresses,
                                     .post = node_post,
                                     .arg = node};
    int err = actor_new(&store, &node->store, fault);
    if (!err)
        err = actor_new(&workers, &node->workers, fault);
    if (!err)
        err = actor_new(&builders, &node->builders, fault);
    if (!err)
        err = actor_new(&quiet, &node->quiet, fault);
    if (!err)
        err = supplies_new(node->loop, NULL, &node->supplies, fault);
    if (!err && node->options.relay)
        err = bridges_new(&bulk, &node->bridges, fault);
    return err ? err : bulk_new(&bulk, &node->bulk, fault);
}

static int load_peer(void *arg, const struct peer_row *row)
{
    core_load_peer(arg, row);
    return 0;
}

static int load_share(void *arg, const struct share_row *row)
{
    core_load_share(arg, row);
    return 0;
}

static void add_seed(void *arg, const struct seed *seed)
{
    core_add_seed(arg, seed);
}

/* A name that has no address now is no reason not to start; one that could never have is. */
static int add_seeds(struct weft_node *node, struct fault *fault)
{
    for (const char *const *peer = node->options.peers; peer && *peer; peer++) {
        int err = seeds_resolve(*peer, add_seed, node->core, fault);
        if (err == ERR_UNREACHABLE)
            log_write(&node->log, LOG_WARN, "node", "%s", fault->text);
        else if (err)
            return err;
    }
    return 0;
}

/* The store actor has the database by now but nothing to do: until the loop runs it is still ours to read. */
static int build_core(struct weft_node *node, struct fault *fault)
{
    struct core_config config = {.identity = &node->identity, .no_beacon = node->options.no_beacon};
    strcpy(config.name, node->name);
    config.bases = node->bases;
    config.base_limit = node->options.base_bytes ? node->options.base_bytes : BASE_CACHE_BYTES;
    if (node->options.no_bases)
        config.base_limit = 0;
    config.spool = node->spool;
    config.roles = (node->options.relay ? ROLE_RELAY : 0u) | (node->options.hub ? ROLE_HUB : 0u);
    config.quota = (struct relay_quota){node->options.relay_sessions, node->options.relay_bytes, node->options.relay_rate};
    node_port(node);
    int err = state_db_incarnation(node->db, &config.incarnation, fault);
    if (err)
        return err;
    if (core_new(&config, &node->port, &node->core) != 0)
        return fault_set(fault, ERR_NOMEM, "out of memory");
    err = state_db_peers(node->db, load_peer, node->core, fault);
    if (!err)
        err = state_db_shares(node->db, load_share, node->core, fault);
    return err ? err : add_seeds(node, fault);
}

/* From here on what comes in reaches the core. */
static int watch_all(struct weft_node *node, struct fault *fault)
{
    const struct control_config control = {
        .home = &node->home, .log = &node->log, .request = node_request, .gone = node_client_gone, .arg = node};
    int fds[UDP_FDS];
    int err = control_new(&control, &node->control, fault);
    if (err)
        return err;
    udp_fds(node->udp, fds);
    for (int i = 0; i < UDP_FDS; i++)
        if (fds[i] >= 0 && !(node->udp_watch[i] = loop_watch_fd(node->loop, fds[i], node_udp_ready, node)))
            return fault_set(fault, ERR_NOMEM, "out of memory");
    node->control_watch = loop_watch_fd(node->loop, control_fd(node->control), node_control_ready, node);
    return node->control_watch ? 0 : fault_set(fault, ERR_NOMEM, "out of memory");
}

static int build(struct weft_node *node, const struct weft_options *options, struct fault *fault)
{
    raise_files_limit();
    if (sodium_init() < 0)
        return fault_set(fault, ERR_IO, "the system gives no random numbers");
    int err = copy_options(node, options, fault);
    if (!err)
        err = open_home(node, fault);
    if (!err)
        err = loop_new(&node->loop, fault);
    if (!err)
        err = build_network(node, fault);
    if (!err)
        err = build_workers(node, fault);
    if (!err)
        err = build_core(node, fault);
    return err ? err : watch_all(node, fault);
}

/* ---- the public half */

static void node_free(struct weft_node *node)
{
    loop_free(node->loop);
    for (char **name = node->interfaces; name && *name; name++)
        free(*name);
    free(node->interfaces);
    sem_destroy(&node->ready);
    free(node);
}

struct weft_node *weft_node_start(const struct weft_options *options, struct weft_error *error)
{
    struct fault fault = {0};
    struct weft_node *node = calloc(1, sizeof *node);
    if (!node) {
        fault_set(&fault, ERR_NOMEM, "out of memory");
        error_of(&fault, error);
        return NULL;
    }
    node->home = (struct home){.fd = -1, .lock = -1};
    timer_init(&node->stop_timer, look_whether_done, node);
    timer_init(&node->settled, node_settled, node);
    sem_init(&node->ready, 0, 0);
    int err = build(node, options, &fault);
    if (!err)
        err = start_thread(node, &fault);
    if (!err)
        return node;
    tear_down(node);
    node_free(node);
    error_of(&fault, error);
    return NULL;
}

void weft_node_stop(struct weft_node *node)
{
    loop_stop(node->loop);
}

int weft_node_wait(struct weft_node *node, struct weft_error *error)
{
    (void)error; /* once it has started, a node ends only because it was asked to */
    if (!node->joined)
        pthread_join(node->thread, NULL);
    node->joined = true;
    return 0;
}

void weft_node_free(struct weft_node *node)
{
    if (!node)
        return;
    if (!node->joined)
        weft_node_stop(node);
    weft_node_wait(node, NULL);
    node_free(node);
}
