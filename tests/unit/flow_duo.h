/* The two ends of a byte stream: two bulk planes in one process, each with the descriptors of a program. What goes in at either
 * end should come out at the other. */
#ifndef WEFT_TESTS_FLOW_DUO_H
#define WEFT_TESTS_FLOW_DUO_H

#include "bulk_pair.h"

enum { CALLER, CALLEE };

/* One end: the duplex, what is passed to the plane, and what the test keeps of it. */
struct end {
    struct duplex d;
    struct bulk *bulk;
    int pass[2];
    int feed, drain;
    bool done;
};

struct duo {
    struct pair pair; /* first: conditions get its address */
    struct end end[2];
    bool joined;                        /* bytes may flow */
    void (*on_ready)(struct duo *duo);  /* instead of the callee's start */
    void (*on_answer)(struct duo *duo); /* the callee's answer is there, and may be changed */
    void (*on_done)(struct duo *duo);   /* one of the two has ended */
};

void duo_make(struct duo *duo); /* zeroed before */
void duo_break(struct duo *duo);
/* The same as cmocka's setup and teardown. */
int duo_setup(void **state);
int duo_teardown(void **state);

void duo_start(struct duo *duo);
void duo_join(struct duo *duo);   /* starts, until it is joined */
void duo_finish(struct duo *duo); /* until both have ended */
bool duo_is_joined(const struct pair *p);
bool duo_is_over(const struct pair *p);
/* They are to last; and go on, after both were parked, which duo_rejoin waits for. */
void duo_last(struct duo *duo);
void duo_again(struct duo *duo);
void duo_rejoin(struct duo *duo);

void shut(int *fd);
void put_text(int fd, const char *text);
void expect_text(int fd, const char *text);
void expect_end(int fd);
void assert_fault(const struct end *e, int code);
void assert_moved(const struct end *e, uint64_t in, uint64_t out);

/* Threads that feed, and check, bytes that do not repeat. */
struct load {
    pthread_t thread;
    int *fd;
    uint64_t bytes;
    size_t piece;
    uint64_t done;
    bool wrong;
};
void load_feed(struct load *l, int *fd, uint64_t bytes, size_t piece);
void load_drain(struct load *l, int *fd, size_t piece);
void load_join(struct load *l);

#endif
