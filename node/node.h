/* A running node inside: what its files share. Nothing outside the runtime includes this.
 *
 * node.c starts and stops it; node_port.c is the port through which its core reaches the world; node_report.c tells of it. */
#ifndef WEFT_NODE_NODE_H
#define WEFT_NODE_NODE_H

#include "actor.h"
#include "bridge.h"
#include "control.h"
#include "core.h"
#include "home.h"
#include "loop.h"
#include "places.h"
#include "resource.h"
#include "udp.h"
#include "weft.h"
#include "wire.h"

#include <pthread.h>
#include <semaphore.h>

struct weft_node {
    /* what was asked for; strings and lists are copies */
    struct weft_options options;
    char **interfaces;
    struct log log;

    struct home home;
    char bases[HOME_PATH], spool[HOME_PATH]; /* folders of it */
    struct identity identity;
    char name[NAME_MAX_BYTES + 1];
    struct db *db; /* the store actor's, once there is one */

    struct loop *loop;
    struct wire *wire;
    struct udp *udp;
    struct control *control;
    struct actor *store, *workers; /* NULL once they are gone */
    struct actor *builders;        /* what takes as long as a whole file */
    struct actor *quiet;           /* yields to all others */
    struct bulk *bulk;
    struct bridges *bridges; /* NULL: this node is no relay */
    struct supplies *supplies;
    struct places places;
    struct watch *udp_watch[UDP_FDS], *control_watch;
    struct timer settled; /* when addresses came or went: a while after that */

    struct port port;
    struct core *core;

    uint64_t stop_by; /* then what still runs is cut off */
    struct timer stop_timer;

    pthread_t thread;
    bool joined;
    sem_t ready;
};

/* Fills node->port. */
void node_port(struct weft_node *node);
/* The callbacks of the wire, the UDP sockets and the control socket. */
void node_accepted(void *arg, link_no link, const uint8_t curve[CURVE_KEY_BYTES]);
void node_message(void *arg, link_no link, const void *bytes, size_t n);
void node_link_lost(void *arg, link_no link);
void node_udp_ready(void *arg);
void node_settled(void *arg); /* of the timer */
void node_control_ready(void *arg);
void node_request(void *arg, uint64_t client, const struct row *row);
void node_client_gone(void *arg, uint64_t client);
size_t node_addresses(void *arg, struct addr *out, size_t max);
size_t node_endpoints(void *self, struct endpoint *out, size_t max); /* as struct port */
void node_post(void *arg, void (*fn)(void *data), void *data);
/* Of the actors. */
void node_store_work(void *arg, struct job *job);
void node_worker_work(void *arg, struct job *job);
void node_quiet_work(void *arg, struct job *job);
void node_job_finished(void *arg, struct job *job);

/* An event for whoever started the node (borrows). */
void node_event(struct weft_node *node, const struct row *row);
/* As struct port. */
void node_describe(void *self, struct row *status);
void node_check(void *self, uint64_t client);
/* "endpoint" fields, one each. */
void node_row_endpoints(struct weft_node *node, struct row *row);

#endif
