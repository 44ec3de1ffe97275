/* Programs that read pipes and send into them, for simulated nodes.
 *
 * A writer sends messages that carry its own number and theirs, as fast as it is told that there is room. A reader checks
 * that those of each channel come in order, each once, and takes them. */
#ifndef WEFT_TESTS_SIM_PIPE_PROGRAMS_H
#define WEFT_TESTS_SIM_PIPE_PROGRAMS_H

#include "err.h"
#include "world.h"

#define READER_CHANNELS 16
#define CHANNEL_TEXT 32

struct reader {
    struct program *program;
    bool bound, idle; /* idle: reads, and takes nothing */
    char pipe[160];   /* as the node calls it */
    char code[32], text[FAULT_TEXT];
    uint64_t messages, bytes, disorder, held, most_held;
    uint64_t began, ended, lost, dropped, offers, offered;
    char from[64]; /* of the latest message */
    size_t channels;
    struct {
        char name[CHANNEL_TEXT];
        uint64_t next; /* message of its writer */
        int64_t seq;   /* not taken yet */
    } channel[READER_CHANNELS];
};
/* "pipe-listen" with these further fields (takes). The reader must stay where it is. */
void reader_start(struct reader *r, struct world *w, size_t node, struct row *request);
/* Takes all that it has, and what comes from now on. */
void reader_go(struct reader *r);
void reader_leave(struct reader *r);

struct writer {
    struct program *program;
    uint64_t total, size; /* messages, and bytes of each: at least 8 */
    bool open;            /* do not finish */
    bool deaf;            /* do not hear how much room there is */
    uint64_t pushed, cost, room, taken;
    char state[16], peer[64], code[32], text[FAULT_TEXT];
    bool done, finished, summed;
    uint64_t messages, bytes, rebound; /* of the last row */
};
void writer_start(struct writer *s, struct world *w, size_t node, struct row *request);
void writer_leave(struct writer *s);

struct row *listen_on(const char *pipe);
struct row *send_to(const char *pipe);

#endif
