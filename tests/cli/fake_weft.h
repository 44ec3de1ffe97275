/* A libweft without a node, for tests of the program: requests are recorded, answers are what the test laid down before.
 *
 * The program is run in the test's own process, by cli_run with streams in memory. */
#ifndef WEFT_TESTS_CLI_FAKE_WEFT_H
#define WEFT_TESTS_CLI_FAKE_WEFT_H

#include "weft.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

struct fake {
    pthread_mutex_t lock;         /* over what connects share */
    struct weft_row *answers[64]; /* for all calls, one after the other; one of kind "done" or "error" ends a call */
    size_t answer_count, answer_next;
    struct weft_row *requests[16]; /* what was asked */
    size_t request_count;
    bool no_node;
    bool raises;     /* a call does not answer until it is cancelled, and raises SIGINT for it */
    char *out, *err; /* what the last run wrote */
    struct fake_pipe {
        char name[64]; /* as it was asked for, and with what */
        struct weft_pipe_options options;
        char allow[64];               /* the peers of options.allow, a comma behind each */
        struct weft_event events[64]; /* what comes in, in order; then `code` */
        size_t event_count, event_next;
        size_t taken_at[64], takes; /* how many events had been handed out at each weft_pipe_take */
        const char *take_channel;   /* of the last one */
        char *sent;                 /* what was sent, and in which pieces */
        size_t sent_bytes, sent_count, flushes;
        size_t sizes[64]; /* of the first messages */
        int code;         /* how receive ends, and finish, and accept and connect */
        const char *text;
        int accepted, refused;
        uint64_t moved[2];
        /* connect, in any number of threads: */
        const char *route;                   /* which way it goes; NULL: nothing is said of it */
        const char *stream;                  /* what comes from there, before it ends with `code` */
        bool echoes;                         /* what is sent comes back, in capitals; then `code` */
        void (*during)(void *arg);           /* is called when the stream is up */
        void *arg;                           /* for during */
        bool raises;                         /* does not end until it is cancelled, and raises SIGINT for it */
        _Atomic int connects, open, most_up; /* begun so far; up now; up at once */
    } pipe;
    struct weft_options started; /* what a node was started with */
    int status;
};

/* The one that the functions of libweft work on: fresh, until the next. */
struct fake *fake_new(void);
void fake_free(struct fake *fake);

/* The next row of the answers, to be filled. */
struct weft_row *fake_answer(struct fake *fake, const char *kind);

/* The next event of a pipe, from "anna" in channel "c1", to be filled. */
struct weft_event *fake_event(struct fake *fake, enum weft_event_kind kind);
/* The same, a message. The text is borrowed. */
struct weft_event *fake_message(struct fake *fake, const char *text);

/* Runs the words (NULL-terminated, without "weft") with `input` as standard input. Returns the exit status. */
int fake_run(struct fake *fake, const char *input, const char *const *words);
#define RUN(fake, ...) fake_run(fake, "", (const char *const[]){__VA_ARGS__, NULL})

/* The same on streams of the test's own: nothing is kept of what is written. */
int fake_run_on(struct fake *fake, FILE *const streams[3], const char *const *words);

#endif
