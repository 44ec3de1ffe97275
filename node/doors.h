/* The doors of the wire: the connections behind libzmq's sockets, seen as what they are to the system.
 *
 * libzmq keeps a connection until it breaks, whatever it does, and cannot be told to drop one. So its monitor tells us of
 * each that was accepted, and one that is not wanted is shut here, by its descriptor: when there are too many (the oldest
 * that has not proved itself makes room), when it says nothing, when its link was hung up, and when it sends a message of
 * endless frames, which libzmq would store until memory is full. The other way round, a connection that broke is told at
 * once.
 *
 * libzmq 4.3.4 does not let go of every connection that is shut: a WebSocket frame that its decoder refuses without setting
 * errno, just after a read that found nothing, stops the engine for good, and whoever connects can send one. Such connections
 * are counted, and when there are many their listening socket must be closed and made anew: stuck() says so. */
#ifndef WEFT_NODE_DOORS_H
#define WEFT_NODE_DOORS_H

#include "addr.h"
#include "log.h"
#include "loop.h"
#include "port.h"

#define DOORS_MAX 2560              /* 512 for strangers beside LINKS_MAX in each direction: they do not keep peers out */
#define DOOR_SILENCE (8 * SECOND)   /* from accept to the first message: handshake and HELLO with room to spare */
#define DOOR_UNFINISHED (16u << 20) /* bytes received and no message of them: more than libzmq and the kernel queue */
#define DOOR_STUCK SECOND           /* after it was shut, libzmq should have noticed */
#define DOORS_STUCK_MAX 32          /* 64 KiB and a descriptor each */

struct doors;
struct door;

struct doors_config {
    void *context;
    struct loop *loop;
    const struct log *log;
    uint64_t silence; /* 0: DOOR_SILENCE */
    /* The connection of a link is gone. What it sent before may still be in libzmq's queue. */
    void (*closed)(void *arg, link_no link);
    /* This listening socket has DOORS_STUCK_MAX connections that were shut and do not end: only closing it frees them. */
    void (*stuck)(void *arg, void *socket);
    void *arg;
};

int doors_new(const struct doors_config *config, struct doors **doors, struct fault *fault);
/* After all monitored sockets have been closed. NULL is fine. */
void doors_free(struct doors *doors);

/* Watches a listening socket from now on; to be called before it is bound. ERR_NOMEM, ERR_IO. */
int doors_watch(struct doors *doors, void *socket);
/* Watches it no more, since it is to be closed; its doors are gone, and closed() is not called for them. */
void doors_forget(struct doors *doors, void *socket);

/* The door of a connection from which a first message came, for `link`; NULL when it is not known. */
struct door *doors_enter(struct doors *doors, int fd, link_no link);
/* The same for a connection that we made to `peer` (family 0: an ipc socket), which no monitor tells of: its end is noticed
 * within a second. NULL when the descriptor is no longer that connection. */
struct door *doors_follow(struct doors *doors, int fd, const struct addr *peer, link_no link);
/* A further message came through it. */
void door_used(struct door *door);
/* Its link was hung up: an inbound connection is shut as soon as what is queued has had time to leave. NULL is fine. */
void doors_leave(struct doors *doors, struct door *door);

/* Shuts the connections that stand on an address of this machine which is none of these, so that their ends are told. */
void doors_keep(struct doors *doors, const struct addr *local, size_t count);

/* Connections shut by us so far, other than by doors_leave, and those that libzmq found not to speak its protocol. */
uint64_t doors_refused(const struct doors *doors);

#endif
