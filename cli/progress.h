/* Honest progress: rates, time left, and one line that fits the terminal.
 *
 * Pure: time comes in, text goes out. The rate shown is an average of the bytes that moved with a half-life of one second;
 * the time left is worked out from one with a half-life of ten, so that it does not jump. Percent is rounded down: 100 % is
 * shown when every byte is there and no sooner. */
#ifndef WEFT_CLI_PROGRESS_H
#define WEFT_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes per second, weighted by age. Zeroes are a rate that has seen nothing. */
struct progress_rate {
    double bytes, seconds; /* both decayed alike; their quotient is the rate */
};

struct progress {
    struct progress_rate now, steady;
    uint64_t moved, at_ns; /* at the last sample */
    bool begun;
};

/* A sample: so many bytes have moved in all at that time. Bytes there before the first sample do not count. */
void progress_sample(struct progress *p, uint64_t at_ns, uint64_t moved);
/* Bytes per second as shown. */
double progress_rate(const struct progress *p);
/* Seconds for that many bytes, or UINT64_MAX when nobody can tell. */
uint64_t progress_left(const struct progress *p, uint64_t bytes);

/* What goes on. */
enum view_phase {
    VIEW_WAITING,   /* "connecting", and what a newer node may say */
    VIEW_LISTING,   /* "listing", "survey" */
    VIEW_DATA,      /* "data" */
    VIEW_STREAM,    /* "stream": nobody knows how long it is */
    VIEW_INDEX,     /* "index": the peer makes an index of what it has */
    VIEW_FETCH,     /* "fetch": and it is fetched */
    VIEW_DIFF,      /* "diff": the file is compared with what the peer has */
    VIEW_SEND,      /* "send" */
    VIEW_GATHER,    /* "gather": the peer builds the new file */
    VIEW_FINISHING, /* "finishing", "finish" */
};

/* The phase that a row names. */
enum view_phase progress_phase(const char *name);
/* Do bytes flow in it, so that there is a rate? */
bool progress_flows(enum view_phase phase);

struct progress_view {
    enum view_phase phase;
    const char *name; /* escaped */
    uint64_t files_done, files_total, bytes_done, bytes_total;
};

/* The line, at most `columns` wide; the name is what is cut. Returns `out`. */
const char *progress_line(const struct progress *p, const struct progress_view *view, size_t columns, char *out, size_t cap);

#endif
