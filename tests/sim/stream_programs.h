/* Programs that listen for byte streams and connect to them, for simulated nodes: what they are told, and what comes. */
#ifndef WEFT_TESTS_SIM_STREAM_PROGRAMS_H
#define WEFT_TESTS_SIM_STREAM_PROGRAMS_H

#include "err.h"
#include "world.h"

struct party {
    struct program *program;
    enum manner { ACCEPTS, REFUSES, IGNORES } manner; /* of a listener */
    int bound, offers, joined, connected, moved, done, failed, summaries;
    int64_t number, in, out;
    char from[64], peer[64], route[256], code[32], text[FAULT_TEXT];
};

/* "pipe-listen", with the manner that is set; takes the row. */
void listen_as(struct world *w, struct party *p, size_t node, struct row *row);
/* "pipe-connect"; takes the row. */
void connect_as(struct world *w, struct party *p, size_t node, struct row *row);
struct row *call_for(const char *pipe, int wait_ms);

/* Until it is so, or over; or for as long. */
void until_connected(struct world *w, struct party *p);
void until_joined(struct world *w, struct party *p);
void until_moved(struct world *w, struct party *p, int times);
void until_over(struct world *w, struct party *p);
bool is_party_over(const struct party *p);

void party_say(const struct party *p, const char *text);
/* So much, and maybe an end, has come for it by now. */
void assert_came(const struct party *p, const char *text, bool end);
/* It fails: with this code, and this in its text. */
void assert_error(struct world *w, struct party *p, const char *code, const char *text);

#endif
