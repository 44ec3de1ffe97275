/* The lines of the wire: the table of its links, found by number and by routing id without a search.
 *
 * A line is one link as libzmq knows it: a DEALER of its own, or a listener's ROUTER and a routing id. Also remembers the
 * routing ids that were given up of late, whose messages are to be dropped. Only wire.c includes this. */
#ifndef WEFT_NODE_LINES_H
#define WEFT_NODE_LINES_H

#include "addr.h"
#include "doors.h"
#include "identity.h"
#include "limits.h"
#include "socket.h"

#define LINES_MAX (LINKS_MAX + 16) /* the core says which of those that come are too many, so there must be room to ask it */
#define LINE_BUCKETS 1024
#define IGNORED_MAX 1024

struct wire;
struct listener;

/* Counts what was sent in this window and the one before. */
struct sent {
    uint64_t since;
    uint32_t now, before;
};

struct line {
    struct wire *wire;
    link_no no; /* 0: free */
    void *socket;
    struct watch *watch;
    struct listener *at;
    struct door *door;   /* its connection, once a message has come by it and until it ends */
    struct addr dialled; /* family 0: an ipc socket */
    uint8_t rid[SOCKET_ID_BYTES];
    uint8_t curve[CURVE_KEY_BYTES];
    struct sent sent;
    bool lost;              /* nothing goes either way any more */
    bool ended;             /* its connection has ended; what it sent last may still be in the queue */
    struct line *same_no;   /* next in its bucket; of a free one: the next free one */
    struct line *same_from; /* next in its bucket, when inbound */
};

struct ignored {
    const struct listener *at;
    uint8_t rid[SOCKET_ID_BYTES];
};

struct lines {
    unsigned in_use;
    struct line *free;
    struct line *by_no[LINE_BUCKETS];
    struct line *from[LINE_BUCKETS];
    size_t ignored_at;
    struct ignored ignored[IGNORED_MAX];
    struct line line[LINES_MAX];
};

void lines_init(struct lines *lines, struct wire *wire);
/* A free line, now of that number. NULL when there is none. */
struct line *lines_add(struct lines *lines, link_no no);
/* It is the one from which messages of this routing id come. */
void lines_inbound(struct lines *lines, struct line *line, struct listener *at, const uint8_t rid[SOCKET_ID_BYTES]);
/* Frees it; the routing id of an inbound one is ignored from now on. */
void lines_drop(struct lines *lines, struct line *line);
struct line *lines_find(struct lines *lines, link_no no);
struct line *lines_from(struct lines *lines, const struct listener *at, const uint8_t rid[SOCKET_ID_BYTES]);

void lines_ignore(struct lines *lines, const struct listener *at, const uint8_t rid[SOCKET_ID_BYTES]);
bool lines_ignored(const struct lines *lines, const struct listener *at, const uint8_t rid[SOCKET_ID_BYTES]);

#endif
