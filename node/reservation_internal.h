/* What the files of reservations share: see session.h. */
#ifndef WEFT_NODE_RESERVATION_INTERNAL_H
#define WEFT_NODE_RESERVATION_INTERNAL_H

#include "session_internal.h"

enum reservation_state { RESERVATION_WAITING, RESERVATION_REACHING, RESERVATION_ASKING, RESERVATION_HELD, RESERVATION_STATES };

/* A share that is offered at a relay, or is being withdrawn there. */
struct offer {
    struct offer *next; /* by name */
    struct reservation *reservation;
    char name[NAME_MAX_BYTES + 1];
    struct tag handle;
    struct tag content; /* of what is said about it: another one is told anew */
    bool withdrawn;
    bool asking, told, refused;
};

struct reservation {
    struct reservation *next; /* in the order in which shares named their relays */
    struct core *core;
    struct carrier *carrier;
    struct state state;
    bool wanted;   /* a share names its relay */
    bool renewing; /* HELD, and RESERVE is out again */
    bool listed;   /* in our record */
    uint64_t expires, wait;
    struct msg_reserve_ok granted;
    struct fault fault; /* why it is not held */
    struct offer *offers;
    struct timer timer; /* to try, or to renew */
};

/* reservation.c */
void reservation_failed(struct reservation *r, const struct fault *fault);
/* Nothing is offered there any more, and its relay knows: frees it when no share names it. False: it is still there. */
bool reservation_settle(struct reservation *r);

/* reservation_offers.c */
/* Compares what is offered with the shares that name its relay. ERR_NOMEM. */
int offers_compare(struct reservation *r);
/* Tells the relay what it has not been told. */
void offers_say(struct reservation *r);
/* The reservation is new: the relay knows of no offers. Withdrawn ones are forgotten. */
void offers_afresh(struct reservation *r);
void offers_free(struct reservation *r);

#endif
