/* The gate's passes and port: see bulk_gate.h. bulk_door.c is its thread. */
#include "bulk_door.h"

#include "bulk_port.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* ---- claims: called by OpenSSL on the gate's thread */

static bool pass_live(const struct gate_pass *pass, unsigned index, uint64_t now)
{
    return index < pass->streams && (pass->claimed >> index & 1) == 0 && now < pass->deadline;
}

static bool claim(void *connection, const uint8_t identity[TLS_IDENTITY_BYTES], uint8_t psk[TLS_PSK_BYTES])
{
    struct served *served = connection;
    return served->claim(served, identity, psk);
}

bool gate_claim(struct served *self, const uint8_t identity[TLS_IDENTITY_BYTES], uint8_t psk[TLS_PSK_BYTES])
{
    struct half *half = (struct half *)self;
    struct gate *gate = half->gate;
    uint64_t now = now_ns();
    bool found = false;

    if (half->serial != 0)
        return false; /* one look-up a connection */
    pthread_mutex_lock(&gate->lock);
    for (unsigned i = 0; i < gate->passes; i++) {
        struct gate_pass *pass = gate->pass[i];
        for (uint8_t k = 0; k < STREAMS_MAX; k++) {
            bool equal = sodium_memcmp(pass->secret[k].identity, identity, TLS_IDENTITY_BYTES) == 0;
            if (!equal || !pass_live(pass, k, now))
                continue;
            pass->claimed |= 1u << k;
            half->serial = pass->serial;
            half->index = k;
            memcpy(psk, pass->secret[k].psk, TLS_PSK_BYTES);
            found = true;
        }
    }
    pthread_mutex_unlock(&gate->lock);
    return found;
}

void gate_arrived(struct gate *gate, const struct half *half, struct tls_link *link)
{
    struct gate_pass *pass = NULL;

    pthread_mutex_lock(&gate->lock);
    for (unsigned i = 0; i < gate->passes; i++)
        if (gate->pass[i]->serial == half->serial)
            pass = gate->pass[i];
    if (pass != NULL)
        pass->arrive(pass->arg, half->index, link);
    pthread_mutex_unlock(&gate->lock);
    if (pass == NULL)
        tls_link_free(link);
}

/* ---- the port */

/* Under the lock. */
static int open_port(struct gate *gate, struct fault *fault)
{
    int fd = port_listen(&gate->port);
    if (fd < 0)
        return fault_errno(fault, errno, "cannot listen for bulk connections");
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(gate->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        int why = errno;
        close(fd);
        return fault_errno(fault, why, "cannot watch the bulk port");
    }
    gate->listener = fd;
    return 0;
}

static void close_port(struct gate *gate)
{
    close(gate->listener);
    gate->listener = -1;
    door_wake(gate); /* what is half open goes too */
}

int gate_open(struct gate *gate, struct gate_pass *pass, uint16_t *port, struct fault *fault)
{
    int err = 0;

    pthread_mutex_lock(&gate->lock);
    if (gate->passes == RECEPTIONS_MAX)
        err = fault_set(fault, ERR_FULL, "%d transfers are being set up already; try again in a moment", RECEPTIONS_MAX);
    else if (gate->listener < 0)
        err = open_port(gate, fault);
    if (err == 0) {
        pass->serial = ++gate->serial;
        pass->claimed = 0;
        gate->pass[gate->passes++] = pass;
        *port = gate->port;
    }
    pthread_mutex_unlock(&gate->lock);
    return err;
}

void gate_close(struct gate *gate, struct gate_pass *pass)
{
    pthread_mutex_lock(&gate->lock);
    for (unsigned i = 0; i < gate->passes; i++)
        if (gate->pass[i] == pass) {
            gate->pass[i] = gate->pass[--gate->passes];
            if (gate->passes == 0)
                close_port(gate);
            break;
        }
    pthread_mutex_unlock(&gate->lock);
    sodium_memzero(pass->secret, sizeof pass->secret);
}

/* Made when first needed: a node that moves nothing keeps most of OpenSSL out of memory. */
int gate_tls(struct gate *gate, struct tls **tls, struct fault *fault)
{
    pthread_mutex_lock(&gate->lock);
    int err = gate->tls != NULL ? 0 : tls_new(claim, &gate->tls, fault);
    *tls = gate->tls;
    pthread_mutex_unlock(&gate->lock);
    return err;
}

void gate_counts(struct gate *gate, uint32_t *passes, uint64_t *refused)
{
    pthread_mutex_lock(&gate->lock);
    *passes = gate->passes;
    pthread_mutex_unlock(&gate->lock);
    *refused = atomic_load(&gate->refused);
}

/* ---- life */

int gate_new(const struct log *log, struct gate **gate, struct fault *fault)
{
    struct gate *new = calloc(1, sizeof *new);
    if (new == NULL)
        return fault_set(fault, ERR_NOMEM, "out of memory for the bulk plane");
    new->log = log;
    new->listener = new->epoll = new->wake = -1;
    pthread_mutex_init(&new->lock, NULL);
    TAILQ_INIT(&new->halves);
    int err = door_start(new, fault);
    if (err != 0) {
        gate_free(new);
        return err;
    }
    *gate = new;
    return 0;
}

void gate_free(struct gate *gate)
{
    if (gate == NULL)
        return;
    door_stop(gate);
    if (gate->listener >= 0)
        close(gate->listener);
    tls_free(gate->tls);
    pthread_mutex_destroy(&gate->lock);
    free(gate);
}
