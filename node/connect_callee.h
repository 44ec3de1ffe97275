/* A callee, as connect_in.c (what callers ask, and the reader of the pipe answers) and connect_callee.c (the stream) share it.
 * */
#ifndef WEFT_NODE_CONNECT_CALLEE_H
#define WEFT_NODE_CONNECT_CALLEE_H

#include "connect.h"
#include "pipes.h"

enum callee_state {
    CALLEE_OFFERED,    /* to the program, or for the share to be opened */
    CALLEE_CONNECTING, /* to the caller */
    CALLEE_JOINED,     /* bytes flow */
    CALLEE_HELD,       /* never joined: the caller may ask again, to swap the roles */
    CALLEE_ABSENT,     /* was joined: the caller may come again */
    CALLEE_ENDED       /* one that lasted: the caller may ask how */
};

struct callee {
    struct callee *next;
    struct core *core;
    struct pipe *pipe; /* NULL once it is released */
    struct peer *peer;
    uint64_t number;
    uint64_t client;           /* that reads the pipe; 0: */
    bool is_share;             /* the pipe is a share, */
    struct resource *resource; /* opened for this stream */
    enum callee_state state;
    struct tag stream; /* the caller's name for it */
    struct tag kept;   /* the port's: callers may choose the same */
    bool lasting;
    bool standing; /* it was joined */
    bool pending;  /* the caller has come again; the duplex that there is ends first */
    link_no link;  /* that the answer goes to */
    link_no used;  /* see link_use */
    bool here;
    uint64_t request;   /* to be answered; 0: none */
    uint64_t joined_by; /* number of the CONNECT that joined it last */
    struct reception_info reception;
    struct timer timer; /* OFFERED, HELD, ABSENT, ENDED: how long */
    uint64_t lost_at;
    struct duplex *duplex;
    struct moved moved;
    struct fault why; /* it is being stopped, or has ended */
};

/* ---- connect_callee.c */

/* For a CONNECT of this pipe; offered. NULL: out of memory. */
struct callee *callee_new(struct pipe *pipe, struct link *link, const struct msg *m);
void callee_free(struct callee *c);
struct link *callee_link(const struct callee *c);
/* From where it is now asked, and how its reception object can be reached. */
void callee_take_request(struct callee *c, const struct link *link, const struct msg *m);
/* Answers the request, if there is one. */
void callee_refuse(struct callee *c, int code, const char *text);
/* What the reader gave, or has given, is joined with the caller. */
void callee_start(struct callee *c);
/* Its caller has come again: by CONNECT, which was taken. */
void callee_resume(struct callee *c);
/* Whatever state it is in: ends it. */
void callee_stop(struct callee *c, int code, const char *text);
/* The link by which the caller waits for an answer is no more. */
void callee_link_lost(struct callee *c);

#endif
